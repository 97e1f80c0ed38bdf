"""The families of models: name, label, look, own options and device of each, in one place.

A family is added by an entry here and by a file of its own in `models/learning/families`, which
says how it is built and searched; `models.learning.family_registry` binds the two. Options, rules,
report and figures read what stands here. A new look re-trains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import Any, NamedTuple

from pipeline.core.sections import taken
from pipeline.study.sections.tabnet import Tabnet


class Look(NamedTuple):
    """How a family looks in a figure: colours are kept apart for the colour-blind.

    Those of the five families are of the palette of Okabe and Ito (Wong, Nat Methods 2011;8:441).

    Attributes
    ----------
    colour : str
        As ``#rrggbb``.
    line : str or tuple
        Line style of matplotlib, by which a grey print still reads.
    marker : str
        Marker of matplotlib.
    """

    colour: str
    line: str | tuple
    marker: str


@dataclass(frozen=True)
class ModelFamily:
    """What is said of a family besides its code.

    Attributes
    ----------
    name : str
        As in the option `models`.
    label : str
        As people write it.
    look : Look or None
        In figures; None takes one of the spare ones.
    options : type or None
        Class of the section of options that is called as the family is; None where it has none.
    on_gpu : bool
        Whether it trains on a GPU where the option `device` finds one.
    stops_early : bool
        Whether a fit watches rows that it does not learn from: a share `validation_fraction` of its
        own options.
    divides_rows : bool
        Whether a fit divides its rows once more and so needs two patients of the rarer outcome.
    least_rows : int
        Rows from which it can learn.
    phases : int
        Searches one after another, each as long as the option `search.iterations` says.
    """

    name: str
    label: str
    look: Look | None = None
    options: type | None = None
    on_gpu: bool = False
    stops_early: bool = False
    divides_rows: bool = False
    least_rows: int = 1
    phases: int = 1

    def watched_share(self, options: object) -> float:
        """Return the share of its training rows that early stopping watches.

        `options` has the family's own section under its name, as `OwnSections`.
        """
        own = getattr(options, self.name)
        return float(own.validation_fraction)

    def own_options(self) -> list[str]:
        """Return the options that a fit reads beside those that every family reads."""
        own = [self.name] if self.options is not None else []
        return [*own, "device"] if self.on_gpu else own


MODEL_FAMILIES: dict[str, ModelFamily] = {
    family.name: family
    for family in (
        ModelFamily("lr", "Logistic regression", Look("#0072b2", "-", "o")),
        ModelFamily("svm", "Support vector machine", Look("#d55e00", "--", "s"), divides_rows=True),
        ModelFamily("rf", "Random forest", Look("#009e73", "-.", "^")),
        ModelFamily("xgboost", "XGBoost", Look("#cc79a7", (0, (1, 1.2)), "D")),
        ModelFamily(
            "tabnet",
            "TabNet",
            Look("#000000", (0, (8, 1.5, 1, 1.5, 1, 1.5)), "v"),
            options=Tabnet,
            on_gpu=True,
            stops_early=True,
            divides_rows=True,
            least_rows=4,
            phases=2,
        ),
    )
}
"""Name in the option `models` -> its family, in the order in which tables and figures list them."""

OwnSections: Any = make_dataclass(
    "OwnSections",
    [
        (each.name, each.options, taken(each.options))
        for each in MODEL_FAMILIES.values()
        if each.options is not None
    ],
    frozen=True,
    kw_only=True,
)
"""Class, for `pipeline.core.sections.part_of`, of the families' own sections."""
