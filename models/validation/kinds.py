"""Which validation it is: said by its author, never guessed.

References
----------
.. [1] Altman DG, Royston P. What do we mean by validating a prognostic model? Stat Med
   2000;19:453-473.
.. [2] Collins GS, et al. TRIPOD+AI statement. BMJ 2024;385:e078378.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of validation.

    Attributes
    ----------
    name : str
        As a heading.
    text : str
        What it is, and what it can say, as sentences.
    """

    name: str
    text: str


KINDS = {
    "geographical": Kind(
        "Geographical validation",
        "The patients are of another hospital or region than those that the model was made from "
        "(an external validation). The figures say what the model is worth there, and nothing of "
        "further hospitals.",
    ),
    "temporal": Kind(
        "Temporal validation",
        "The patients are later ones of the place that the model was made at. The figures say what "
        "the model is worth there after some time, and nothing of other hospitals.",
    ),
    "internal": Kind(
        "Internal validation",
        "The patients are of the cohort that the model was made from, but it was not fitted to "
        "them. The figures say what the model is worth in such patients, and nothing of other "
        "hospitals or later years.",
    ),
}
"""By the word of the command line."""
