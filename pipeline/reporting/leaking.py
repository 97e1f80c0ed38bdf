"""How the page of a study with `mode: as_published` says, everywhere, that its numbers leak.

Whatever a section holds is marked unless the section is known to depend on no order, so that a
section that is added later is marked too. What the sections themselves say about the rows that
something was learned from stands here in both modes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import COLUMN, LABEL, WORD, is_leaking
from pipeline.reporting.blocks import Block, Figure, Folded, Note, Points, Section, Table
from pipeline.reporting.results import Results
from pipeline.reporting.validation_kind import validation_kind
from pipeline.tables.split_designs import holds_out

#: Sections that are the same in both modes.
SAME_IN_BOTH_MODES = frozenset(
    (
        *("flow", "characteristics", "groups", "images", "agreement", "concordance"),
        "robustness",
        *("course", "columns", "averaged"),
        *("absent", "provenance"),
        "regression",  # labels itself: it leaks in another way, and not by its radiomics
    )
)

#: Points of the summary that are the same in both modes.
SAME_POINTS = frozenset(("Question", "Scope", "Patients", "Outcome", "Contours", "Features"))

#: Tables that set figures of the rigorous order beside leaking ones.
BESIDE = {
    "nested": "Results of the outer folds are of the rigorous order and do not leak; folds of the "
    "search and held-out patients are of the published one",
    **dict.fromkeys(
        ("estimates", "optimism"),
        "All but the held-out patients are of the rigorous order and do not leak; held-out "
        "patients are of the published one",
    ),
}

#: Figures and tables that are of the rigorous order in either mode.
NOT_LEAKING = frozenset(("frequency", "selection-stability"))

#: Tables of nothing that was learned, the same in both modes.
UNTOUCHED = frozenset(("missingness",))

_HONEST = "In the rigorous order (not leaking)."

_BANNER = (
    "This study replays the order of the published one (mode: as_published). Radiomic features "
    "were standardised and selected on all patients, with the outcomes of the held-out patients{}. "
    "Even where nothing can be predicted, this order finds something: no number of this section "
    "says how the model would do on other patients. The same study with mode: rigorous says it."
)
_OVERSAMPLED = ", and the training patients were oversampled before the folds of the search"

_IN_SHORT = "selected on everyone{} (mode: as_published)"
_OVERSAMPLED_IN_SHORT = ", oversampled before the folds"
_LATER_BANNER = "{}: no number of this section says how the model would do on other patients."
_STRIP = 26
"""Height of the strip above a figure, with the gap below it, in the figure's units."""

_LETTER = 0.62
"""Mean width of a letter of the strip in ems: 0.59 in bold DejaVu Sans, a wide face."""


@dataclass(frozen=True)
class OrderWords:
    """What sections say about the patients that something was learned from, in one mode.

    Attributes
    ----------
    selection : str
        How the selection was learned, as sentences.
    selected_on : str
        Rows that the radiomic features were selected on.
    readings : str
        Which values of the readers the CCC compares.
    ccc : str
        What the CCC of the selection is computed on, after "on".
    chosen : str
        The same, as the summary ends a sentence on the choice.
    procedure : str
        What nested cross-validation judges.
    tested : str
        What that has to do with the models that were tested, as a sentence.
    test_rows : str
        What the held-out patients had to do with the models, after "events, which".
    folds : str
        The folds of the search.
    test_estimate : str
        What an estimate on the held-out patients is worth, as sentences.
    excess : str
        What a figure of the held-out patients above nested cross-validation comes from.
    winner : str
        What the choice of the best model saw of the held-out patients, as a sentence.
    ablation : str
        What the plan of an ablation saw of them, as a sentence.
    imputation : str
        What imputation was learned from, after "become the ..., levels the ..., ".
    final_signature : str
        Which signature the models see, beside selections of the rigorous order.
    """

    selection: str
    selected_on: str
    readings: str
    ccc: str
    chosen: str
    procedure: str
    tested: str
    test_rows: str
    folds: str
    test_estimate: str
    excess: str
    winner: str
    ablation: str
    imputation: str
    final_signature: str


_RIGOROUS = OrderWords(
    selection="Selection is learned on training patients only. The final signature (the selected "
    "features and predictors) comes from all of them; inside the cross-validation every fold "
    "selects again from its own training patients, so that no model is judged on patients that "
    "chose its features.",
    selected_on="the training patients",
    readings="raw values",
    ccc="training patients",
    chosen="on the training patients alone",
    procedure="its procedure",
    tested="It describes the procedure; the model that was tested is that procedure fitted to all "
    "training patients.",
    test_rows="played no part in selection, search, fitting or the choice of the threshold",
    folds="folds that keep patients together",
    test_estimate="the final model on patients that nothing was learned from. Unbiased, "
    "and with few events uncertain: the interval says how much.",
    excess="{}",
    winner="It was chosen before the held-out patients were used.",
    ablation="Which features are the most important follows from the training patients; all steps "
    "are planned before the held-out patients are looked at.",
    imputation="both learned inside each fold",
    final_signature="the signature of the final models",
)
_NO_HOLD_OUT = replace(
    _RIGOROUS,
    selection="The final signature (the selected features and predictors) is learned on all "
    "patients. Every outer fold of the nested cross-validation, and every fold inside it, selects "
    "again from its own training patients, so that no result profits from patients it is judged "
    "on.",
    selected_on="all patients",
    ccc="all patients",
    chosen="on all patients for the final model, and again in every outer fold for the results "
    "below",
    procedure="its procedure",
    tested="It describes the procedure; the final model is that procedure fitted to all patients.",
    winner="The choice was made on inner folds of the same patients as the nested results: of "
    "several models that of the chosen one is slightly optimistic.",
    ablation="Which features are the most important follows from the final model, which learned "
    "from all patients. Every step is fitted again in each outer fold, and judged on the patients "
    "held out there.",
)
_AS_PUBLISHED = OrderWords(
    selection="Radiomic features were selected once, with the outcomes of all patients, the "
    "held-out ones included; clinical predictors on the training patients. No fold of the "
    "cross-validation selects again, so that every score profits from patients it is judged on.",
    selected_on="all patients, the held-out ones included (clinical predictors: training patients)",
    readings="standardised values",
    ccc="all patients, each reader standardised separately",
    chosen="the radiomic features with the outcomes of the held-out patients",
    procedure="the same procedure in the rigorous order",
    tested="It describes the procedure in the rigorous order, and no model that was tested.",
    test_rows="helped to select the radiomic features but played no part in search and fitting",
    folds="folds of patients that were oversampled before",
    test_estimate="the final model on patients whose outcomes chose its features. Too good, by "
    "how much nobody knows; all other estimates of the table are of the rigorous order.",
    excess="the selection on the outcomes of the held-out patients, beside {}",
    winner="No prediction of a held-out patient enters the choice, but their outcomes do: they "
    "helped to select the features that the folds were scored with.",
    ablation="Which features are the most important follows from the training patients, but they "
    "are counted among features that the outcomes of the held-out patients helped to choose.",
    imputation="both learned before the folds of the search; for radiomic features "
    "all patients count as training patients",
    final_signature=f"the signature of the final models, which was chosen on everyone ({WORD})",
)


def order_words(results: Results) -> OrderWords:
    """Return what the sections of a study say about its order."""
    words = _RIGOROUS if holds_out(results["split"]["design"]) else _NO_HOLD_OUT
    if is_leaking(results.study.config["mode"]):
        words = _AS_PUBLISHED
    kind = validation_kind(results["split"])
    words = replace(words, excess=words.excess.format(kind.excess))
    if words.folds == _RIGOROUS.folds or oversampled(results):
        return words
    return replace(words, folds="folds that share the features selected on everyone")


def oversampled(results: Results) -> bool:
    """Tell whether any model learned from synthetic patients, which oversampling adds."""
    return any(learned_oversampled(results, name) for name in results.modelling.models)


def learned_oversampled(results: Results, model: str) -> bool:
    """Tell whether a model's final fit learned from synthetic patients, which oversampling adds.

    A study may ask for it and get none, as where the classes are balanced or the selection keeps
    nothing.
    """
    if results.study.config["oversampling"] == "none":
        return False
    return rows_added(results, model)["added"]


def rows_added(results: Results, model: str) -> Mapping:
    """Return what ``model.json`` says of oversampling: ``added``, and else ``why_not``.

    Raises
    ------
    StudyError
        If it says nothing, as one that an earlier version wrote.
    """
    info = results.modelling.models[model].info
    if "oversampled" not in info:
        raise StudyError(
            "A trained model must say whether oversampling added synthetic patients",
            found="a model.json of an earlier version",
            where=f"models/{model}/model.json",
            remedy="run the study again: the same command trains its models anew",
            code="model-of-another-version",
        )
    return info["oversampled"]


def mark_leaking(sections: list[Section], results: Results) -> list[Section]:
    """Return the sections, marked where they leak; as they are in a rigorous study."""
    if results.modelling is None or not is_leaking(results.study.config["mode"]):
        return sections
    added = oversampled(results)
    in_short = _IN_SHORT.format(_OVERSAMPLED_IN_SHORT if added else "")
    # Said in full once: a reader skips what stands in every section.
    banner = _BANNER.format(_OVERSAMPLED if added else "")
    marked = []
    for section in sections:
        if section.anchor in SAME_IN_BOTH_MODES:
            marked.append(section)
            continue
        marked.append(_marked_section(section, banner, f"{WORD}: {in_short}"))
        banner = _LATER_BANNER.format(in_short.capitalize())
    return marked


def _marked_section(section: Section, banner: str, strip: str) -> Section:
    blocks = [
        block if getattr(block, "name", None) in UNTOUCHED else _marked(block, strip)
        for block in section.blocks
    ]
    blocks.insert(0, Note(banner, f"{WORD} by design"))
    return replace(section, title=f"{section.title} ({WORD})", blocks=blocks)


def _marked(block: Block, strip: str) -> Block:
    if getattr(block, "name", None) in NOT_LEAKING:
        return replace(block, caption=f"{_HONEST} {block.caption}")
    if isinstance(block, Figure):
        return replace(
            block,
            svg=_svg_with_strip(block.svg, strip),
            alt=f"{WORD}. {block.alt}",
            caption=f"{WORD}. {block.caption}",
        )
    if isinstance(block, Table):
        raw = block.file_table
        raw = raw if COLUMN in raw else raw.assign(**{COLUMN: LABEL})
        words = f"{WORD}: {BESIDE[block.name]}." if block.name in BESIDE else f"{WORD}."
        folded = f"{WORD}: {block.collapsed}" if block.collapsed else None
        return replace(block, caption=f"{words} {block.caption}", raw=raw, collapsed=folded)
    if isinstance(block, Points):
        return Points(
            [
                (head if head in SAME_POINTS else f"{head} ({WORD})", text)
                for head, text in block.points
            ]
        )
    if isinstance(block, Folded):
        return Folded(f"{WORD}: {block.summary}", [_marked(inner, strip) for inner in block.blocks])
    return block


def _svg_with_strip(svg: str, words: str) -> str:
    """Return a drawing with a strip above it that holds the word."""
    left, top, width, height = map(float, re.search(r'viewBox="([^"]+)"', svg)[1].split())
    box = f'viewBox="{left:g} {top - _STRIP:g} {width:g} {height + _STRIP:g}"'
    # A narrow drawing takes smaller letters: a word that is cut off warns nobody.
    size = min(10, (width - 16) / (_LETTER * len(words)))
    drawn = (
        f'<rect x="{left:g}" y="{top - _STRIP:g}" width="{width:g}" height="{_STRIP - 4}" '
        f'fill="#7a1020"/><text x="{left + 8:g}" y="{top - 11:g}" fill="#ffffff" '
        f"style=\"font: bold {size:.3g}px 'DejaVu Sans', sans-serif\">{words}</text>"
    )
    svg = re.sub(r'viewBox="[^"]+"', box, svg, count=1)
    return svg.removesuffix("</svg>") + drawn + "</svg>"
