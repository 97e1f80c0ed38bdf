"""Which validation a study's figures are, and what a gap to resampling means there.

References
----------
.. [1] Collins GS, Reitsma JB, Altman DG, Moons KGM. TRIPOD statement. Ann Intern Med
   2015;162:55-63 (types 1a to 4 of prediction model studies).
.. [2] Collins GS, et al. TRIPOD+AI statement. BMJ 2024;385:e078378.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.mode_labels import is_leaking

#: How a split separates its parts, by the design that says so itself.
_OF_DESIGN = {"holdout": "random", "temporal": "temporal", "by_site": "site", "none": "none"}

UNDECLARED = (
    " How the parts were made is not declared (split.declared): they are taken for parts drawn at "
    "random, which claims least."
)


@dataclass(frozen=True)
class ValidationKind:
    """What an evaluation on the held-out patients is called, and what it can say.

    Attributes
    ----------
    name : str
        In a few words.
    text : str
        What that means, as sentences.
    excess : str
        What a figure of the held-out patients above that of resampling comes from, after "comes
        from".
    expect : str
        What to expect then, after a semicolon.
    below : str
        What a figure of the held-out patients below that of resampling comes from, as a sentence.
    """

    name: str
    text: str
    excess: str
    expect: str
    below: str


_RANDOM = ValidationKind(
    name="Internal validation on a split sample",
    text="The held-out patients were drawn at random from all patients (TRIPOD type 2a): they "
    "show how the models perform on patients like these, not in other hospitals or later years.",
    excess="luck of the split",
    expect="expect the AUROC of cross-validation in new patients",
    below="Either the split was unlucky, or what was learned from the training patients does not "
    "carry over.",
)
_TEMPORAL = ValidationKind(
    name="Temporal validation",
    text="The held-out patients are those who entered later (TRIPOD type 2b): they show how the "
    "models perform after some time at the same place, not in other hospitals.",
    excess="later patients in whom the outcome is easier to predict, or chance",
    expect="expect the AUROC of cross-validation in patients like those of the training patients",
    below="Either what was learned from earlier patients does not carry over to later ones, or "
    "it is chance.",
)
_SITE = ValidationKind(
    name="Geographical validation",
    text="The held-out patients are those of sites that no training patient comes from (TRIPOD "
    "type 2b): they show how the models perform at these sites.",
    excess="patients of the held-out sites in whom the outcome is easier to predict, or chance",
    expect="expect the AUROC of cross-validation at the sites of the training patients",
    below="Either what was learned at the sites of the training patients does not carry over to "
    "those held out, or it is chance.",
)
_NESTED = ValidationKind(
    name="Internal validation by nested cross-validation, without a hold-out",
    text="No patient was held out (TRIPOD type 1b): each was predicted by a model that had not "
    "learned from that patient. The results show how the whole procedure performs on patients like "
    "these, not in other hospitals or later years. The final model is that procedure fitted to all "
    "patients; it had more of them to learn from than any model that was judged.",
    excess="luck of the folds",
    expect="expect the AUROC of cross-validation in new patients",
    below="The folds were unlucky.",
)
_KINDS = {"random": _RANDOM, "temporal": _TEMPORAL, "site": _SITE, "none": _NESTED}


def validation_kind(split: Mapping) -> ValidationKind:
    """Return which validation a study is.

    Parameters
    ----------
    split : mapping
        The section ``split`` of the configuration: its design, and for an imported split what its
        author declares.
    """
    declared = split.get("declared")
    return _KINDS[_OF_DESIGN.get(split["design"], declared) or "random"]


def validation_text(split: Mapping, mode: str) -> str:
    """Return name and meaning of a study's validation, as sentences.

    Parameters
    ----------
    split : mapping
        As for `validation_kind`.
    mode : str
        The option `mode`.
    """
    kind = validation_kind(split)
    text = f"{kind.name}. {kind.text}"
    if split["design"] == "imported" and split.get("declared"):
        text += " So the author of the imported split declares it."
    elif split["design"] == "imported":
        text += UNDECLARED
    if is_leaking(mode):
        text += (
            " But the outcomes of the held-out patients helped to choose the features here, so "
            "that these patients are no independent test."
        )
    return text
