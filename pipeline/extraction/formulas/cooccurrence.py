"""GLCM features of one image, from the probabilities of its pairs of grey levels.

Definitions: PyRadiomics' documentation of its class ``glcm``, and IBSI
(doi:10.1148/radiol.2020191145) section 3.6. Most of them need only the marginals (px, py) and the
probabilities of sums and differences of two levels (px+y, px-y), which are added up once.

Where a value is nothing but rounding, its sign can decide between a number and NaN: entropies of
independent levels (Imc2), the eigenvalues of MCC; and Correlation divides by such deviations. These
run in PyRadiomics' order of operations.
"""

from __future__ import annotations

import numpy as np

from pipeline.extraction.kernels import kernels

#: What PyRadiomics adds to a probability before it takes the logarithm.
EPS = np.spacing(1.0)

#: Order of the features in which `_by_step` returns them; MCC follows.
NAMES = (
    "Autocorrelation", "JointAverage", "ClusterProminence", "ClusterShade", "ClusterTendency",
    "Correlation", "DifferenceEntropy", "DifferenceVariance", "JointEnergy", "JointEntropy",
    "Imc1", "Imc2", "MaximumProbability", "SumAverage", "SumEntropy", "SumSquares",
    "DifferenceAverage", "Contrast", "Idm", "Idmn", "Id", "Idn", "InverseVariance",
)  # fmt: skip


def glcm_features(p: np.ndarray, levels: np.ndarray) -> dict[str, float]:
    """Return all GLCM features that are not deprecated, by PyRadiomics' names.

    Parameters
    ----------
    p : numpy.ndarray of float64
        Shape (levels, levels, steps); probability of a pair of levels, which sums to 1 in every
        step. NaN where there are no pairs. Its layout in memory decides the order of sums.
    levels : numpy.ndarray of int
        Bin that each level stands for, rising, from 1.

    Returns
    -------
    dict of str to float
        Means over the steps in which a feature is defined; NaN where there is none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        px, py = p.sum(axis=1), p.sum(axis=0)
        means = _mean_over_steps(np.array(_by_step(p, px, py, levels)))
        features = dict(zip(NAMES, means.tolist(), strict=True))
        features["MCC"] = _mcc(p, px, py)
    return features


def _mean_over_steps(values: np.ndarray) -> np.ndarray:
    """Return the mean along the last axis without NaN, NaN where nothing else is there."""
    undefined = np.isnan(values)
    if not undefined.any() and values.shape[-1]:
        return values.sum(axis=-1) / values.shape[-1]
    return np.where(undefined, 0, values).sum(axis=-1) / (~undefined).sum(axis=-1)


def _by_step(p: np.ndarray, px: np.ndarray, py: np.ndarray, levels: np.ndarray) -> list[np.ndarray]:
    """Return the features `NAMES`, each with one value per step."""
    highest, level = int(levels[-1]), levels.astype(np.float64)
    p_sum, p_difference = _sums_and_differences(p, levels)
    k_sum = np.arange(2.0 * level[0], 2.0 * level[-1] + 1)
    k = np.arange(float(len(p_difference)))
    # Not by the marginals: where all pairs have one level, rounding decides about the correlation.
    ux = (level[:, None, None] * p).sum(axis=(0, 1))
    uy = (level[:, None] * p).sum(axis=(0, 1))
    from_x, from_y = level[:, None] - ux, level[:, None] - uy
    variance_x = (p * from_x[:, None] ** 2).sum(axis=(0, 1))
    variance_y = (p * from_y[None] ** 2).sum(axis=(0, 1))

    # Both powers and products of a sum's distance from its mean serve the three cluster features.
    distance = k_sum[:, None] - ux - uy
    tendency = p_sum * (distance * distance)
    shade = tendency * distance
    prominence = shade * distance

    of_difference = np.array(
        [
            k, k**2, 1 / (1 + k**2), 1 / (1 + k**2 / highest**2),
            1 / (1 + k), 1 / (1 + k / highest),
        ]
    ) @ p_difference  # fmt: skip
    imc1, imc2, joint_entropy = _information(p, px, py)
    return [
        level @ (level @ p.reshape(len(p), -1)).reshape(px.shape),
        ux,
        prominence.sum(axis=0),
        shade.sum(axis=0),
        tendency.sum(axis=0),
        _correlation(p, from_x, from_y, np.sqrt(variance_x) * np.sqrt(variance_y)),
        _entropy(p_difference),
        (p_difference * (k[:, None] - of_difference[0]) ** 2).sum(axis=0),
        (p * p).sum(axis=(0, 1)),
        joint_entropy,
        imc1,
        imc2,
        p.max(axis=(0, 1)),
        k_sum @ p_sum,
        _entropy(p_sum),
        variance_x,
        *of_difference,
        k[1:] ** -2 @ p_difference[1:],
    ]


def _sums_and_differences(p: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of the sums of two levels, from the smallest, and of differences."""
    span, steps = int(levels[-1] - levels[0]) + 1, p.shape[2]
    p_sum, p_difference = np.zeros((2 * span - 1, steps)), np.zeros((span, steps))
    kernels().glcm_sums(
        np.ascontiguousarray(p), (levels - levels[0]).astype(np.int32), p_sum, p_difference
    )
    return p_sum, p_difference


def _entropy(p: np.ndarray) -> np.ndarray:
    """Return the entropy in bits over all axes but the last."""
    return -np.sum(p * np.log2(p + EPS), axis=tuple(range(p.ndim - 1)))


def _correlation(
    p: np.ndarray, from_x: np.ndarray, from_y: np.ndarray, sigmas: np.ndarray
) -> np.ndarray:
    """Return the correlation of the two levels of a pair; 1 where all pairs are the same."""
    covariance = (p * from_x[:, None] * from_y[None]).sum(axis=(0, 1))
    return np.where(sigmas == 0, 1.0, covariance / (sigmas + EPS))


def _information(
    p: np.ndarray, px: np.ndarray, py: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Imc1, Imc2 and the joint entropy that both compare with independent levels."""
    joint = _entropy(p)
    independent = px[:, None] * py[None]
    logarithms = np.log2(independent + EPS)
    crossed, of_independent = (
        -np.sum(weights * logarithms, axis=(0, 1)) for weights in (p, independent)
    )
    largest = np.fmax(_entropy(px), _entropy(py))
    imc1 = np.where(largest == 0, 0.0, (joint - crossed) / largest)
    imc2 = (1 - np.e ** (-2 * (of_independent - joint))) ** 0.5
    return imc1, np.where(of_independent == joint, 0.0, imc2), joint


def _mcc(p: np.ndarray, px: np.ndarray, py: np.ndarray) -> float:
    """Return the maximal correlation coefficient, a mean over steps as PyRadiomics takes it.

    It is the square root of the second largest eigenvalue of Q(i, j) = sum over k of
    p(i, k) p(j, k) / (px(i) py(k)).
    """
    q = np.zeros(p.shape)
    kernels().glcm_products(*map(np.ascontiguousarray, (p, px, py)), EPS, q)
    try:
        eigenvalues = np.linalg.eigvals(q.transpose(2, 0, 1))
    except np.linalg.LinAlgError:
        # So ends a GLCM without pairs, whose probabilities are NaN.
        return np.nan
    if len(p) < 2:
        return 1.0
    eigenvalues.sort()
    return float(_mean_over_steps(np.sqrt(eigenvalues[:, -2])).real)
