"""How many patients the development of a prediction model needs.

References
----------
.. [1] Riley RD, Snell KIE, Ensor J, et al. Minimum sample size for developing a multivariable
   prediction model: PART II - binary and time-to-event outcomes. Stat Med 2019;38:1276-1296.
.. [2] Riley RD, Ensor J, Snell KIE, et al. Calculating the sample size required for developing a
   clinical prediction model. BMJ 2020;368:m441.
"""

from __future__ import annotations

import math

from pipeline.core.errors import VertebromicsError

#: Least shrinkage of the coefficients, largest optimism in Nagelkerke's R2, and largest error of
#: the overall risk (half the width of its 95% interval), as Riley et al. advise [2]_.
SHRINKAGE, OPTIMISM, MARGIN = 0.9, 0.05, 0.05

#: Standard normal deviate of a 95% interval, rounded as in [2]_.
_Z = 1.96


def largest_r2(prevalence: float) -> float:
    """Return the largest possible Cox-Snell R2 of a binary outcome [1]_, that of a perfect model.

    Parameters
    ----------
    prevalence : float
        Share of events, between 0 and 1.
    """
    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    return 1 - math.exp(2 * null)


def minimum_sample_size(parameters: int, prevalence: float, r2: float) -> dict[str, int]:
    """Return the fewest patients that each of three criteria asks for [1]_, [2]_.

    Parameters
    ----------
    parameters : int
        Candidate parameters: every column that the selection may choose from.
    prevalence : float
        Share of events.
    r2 : float
        Expected Cox-Snell R2 of the model in new patients.

    Returns
    -------
    dict of str to int
        ``shrinkage`` (coefficients shrink by a tenth at most), ``optimism`` (Nagelkerke's R2 is
        optimistic by 0.05 at most), ``risk`` (the overall risk is known within 0.05) and
        ``needed``, the largest of them.

    Raises
    ------
    VertebromicsError
        If there is no parameter, the share of events is 0 or 1, or no model can have this R2.
    """
    if parameters < 1 or not 0 < prevalence < 1 or not 0 < r2 < largest_r2(prevalence):
        raise VertebromicsError(
            "A minimum sample size needs a parameter, a share of events between 0 and 1 and an R2 "
            "between 0 and that of a perfect model",
            found=f"{parameters} parameters, share {prevalence:g}, R2 {r2:g}",
            code="development-size-invalid",
        )
    # Shrinkage at which R2 is optimistic by 0.05 on Nagelkerke's scale.
    for_optimism = r2 / (r2 + OPTIMISM * largest_r2(prevalence))
    needed = {
        "shrinkage": _for_shrinkage(parameters, r2, SHRINKAGE),
        "optimism": _for_shrinkage(parameters, r2, for_optimism),
        "risk": math.ceil((_Z / MARGIN) ** 2 * prevalence * (1 - prevalence)),
    }
    return needed | {"needed": max(needed.values())}


def _for_shrinkage(parameters: int, r2: float, shrinkage: float) -> int:
    if r2 >= shrinkage:  # so strong a model that a patient per parameter is too many
        return parameters
    return math.ceil(parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage)))
