"""The model card: what a frozen model is for, made of, and worth, as HTML and as Markdown.

Both are made from the model's file alone, whoever made it; what it says is text, never markup.

References
----------
.. [1] Mitchell M, Wu S, Zaldivar A, et al. Model cards for model reporting. FAT* 2019:220-229.
.. [2] Collins GS, et al. TRIPOD+AI statement. BMJ 2024;385:e078378.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from models.frozen.equation import equation_of
from models.frozen.model import FrozenModel, Predictor, load_frozen
from models.frozen.updates import update_sentences
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file
from pipeline.core.pages import page_templates
from pipeline.study.metric_registry import METRICS

TEMPLATES = Path(__file__).with_name("templates")

PARTS = {
    "test": "held-out patients",
    "out_of_fold": "training patients, each predicted by a fit without that patient",
    "nested": "cross-validation over outer folds, the procedure repeated in each",
    "optimism_corrected": "apparent, corrected for optimism by the bootstrap",
}

MOMENTS = {
    "preoperative": "before surgery",
    "intraoperative": "from the end of surgery on",
    "postoperative": "after surgery only",
    None: "not stated",
}

WHY_NOT_RECALIBRATED = {
    "one_outcome": "the training patients have one outcome",
    "constant": "every out-of-fold risk is the same",
    "separated": "the out-of-fold risks separate the outcomes",
    "falling": "the out-of-fold risks rank the outcomes the wrong way round",
    "not_converged": "the fit did not converge",
}

SEEN = {
    "spacing_x": "spacing along x (mm)",
    "spacing_y": "spacing along y (mm)",
    "spacing_z": "spacing along z (mm)",
    "slice_thickness_mm": "slice thickness (mm)",
    "kvp": "tube voltage (kVp)",
    "level": "vertebral level",
}


class Table(NamedTuple):
    """A table of a card: its heads, and rows of text."""

    heads: list[str]
    rows: list[list[str]]


class Part(NamedTuple):
    """A section of a card: its title, sentences, and a table where it has one."""

    title: str
    sentences: list[str]
    table: Table | None = None


def card_parts(model: FrozenModel) -> list[Part]:
    """Return the sections of a model's card."""
    facts = model.facts
    use, training, outcome = facts["intended_use"], facts["training"], facts["outcome"]
    parts = [
        Part(
            "Intended use",
            [
                f"Purpose: {use['purpose']}.",
                f"Made on: {use['population']}.",
                f"All predictors are known: {MOMENTS[use['moment']]}.",
                use["caution"],
            ],
        ),
        Part(
            "Outcome",
            [f"{outcome['label']} ({outcome['name']}), by the formula: {outcome['formula']}."],
        ),
        Part(
            "Patients",
            [
                f"Trained on {training['patients']} patients"
                f"{_cases(training)}, {training['events']} of them with the outcome."
            ],
        ),
        _predictor_part(model.predictors),
        *_site_parts(model),
        *_imaging_parts(facts["imaging"]),
        *_equation_parts(model),
        _performance_part(facts["performance"]),
        Part("Risks", _risk_sentences(model)),
    ]
    if updates := update_sentences(facts):
        parts.append(Part("Updates", updates))
    if facts["notes"]:
        parts.append(Part("Notes of the study", facts["notes"]))
    made = [[name, value] for name, value in facts["made_with"].items()]
    origin = [
        f"Study {facts['study']['name']}, model {facts['study']['model']}, seed "
        f"{facts['study']['seed']}.",
        f"Licence: {facts['licence']}.",
        f"Digest of everything in the file: {model.digest}.",
    ]
    return [*parts, Part("Origin", origin, Table(["made with", "version"], made))]


def card_html(model: FrozenModel) -> str:
    """Return the card as a page that needs nothing else."""
    template = page_templates(TEMPLATES).get_template("card.html.j2")
    return template.render(title=model.facts["title"], parts=card_parts(model))


def card_markdown(model: FrozenModel) -> str:
    """Return the card as Markdown."""
    lines = [f"# {_plain(model.facts['title'])}", ""]
    for part in card_parts(model):
        lines += [f"## {part.title}", ""]
        lines += [f"{_plain(sentence)}\n" for sentence in part.sentences]
        if part.table is not None:
            lines += [_row(part.table.heads), _row(["---"] * len(part.table.heads), plain=False)]
            lines += [_row(row) for row in part.table.rows]
            lines.append("")
    return "\n".join(lines)


def write_cards(model: FrozenModel, path: Path) -> list[Path]:
    """Write both cards beside a model's file: ``<name>.card.html`` and ``<name>.card.md``."""
    written = []
    for ending, text in (("html", card_html(model)), ("md", card_markdown(model))):
        card = path.with_name(f"{path.stem}.card.{ending}")
        with whole_file(card) as beside:
            beside.write_text(text, encoding="utf-8")
        written.append(card)
    return written


def number(value: float | None) -> str:
    """Return a number as people read it: four significant digits at most."""
    return "" if value is None else f"{value:.4g}"


def seen_of(one: Predictor) -> str:
    """Return which values of a predictor the training rows had."""
    if one.levels:
        return ", ".join(f"{level}: {one.counts[level]}" for level in one.levels)
    return f"{number(one.low)} to {number(one.high)}"


def _cases(training: Mapping) -> str:
    """Say how many cases the training patients have, where that is another number."""
    if training["rows"] == training["patients"]:
        return ""
    return f" with {training['rows']} cases"


def _predictor_part(predictors: Sequence[Predictor]) -> Part:
    used = [one for one in predictors if one.used]
    rows = [
        [
            one.title if one.label is None else f"{one.title} [{one.name}]",
            seen_of(one),
            str(one.missing),
            "required" if one.required else "may be missing",
        ]
        for one in used
    ]
    sentences = [
        "What the model uses is not what causes the outcome. A value that no training patient "
        "lacked is required; another that is missing is filled in as in training."
    ]
    if not used:
        sentences = ["None: every patient gets the training patients' share of events."]
    helping = len(predictors) - len(used)
    if helping:
        sentences.append(
            f"{helping} further columns help to fill in missing values, or are used by refits."
        )
    heads = ["predictor", "seen in training", "missing in training", "of a new patient"]
    return Part("Predictors", sentences, Table(heads, rows) if rows else None)


def _site_parts(model: FrozenModel) -> list[Part]:
    if model.site is None:
        return []
    sentences = [
        f"A new patient's site ({model.site.name}) must be one of "
        f"{', '.join(model.site.levels)}: the model serves no other, since it has learned how "
        "features of these sites differ. It cannot be judged at another hospital.",
    ]
    for step in model.procedure.harmonisations:
        if not step.sites:
            sentences.append(
                "Fewer than two sites had enough rows: features are taken as they are."
            )
            continue
        to = "their common mean" if step.reference is None else f"site {step.reference}"
        kept = ", ".join(one.column for one in step.covariates)
        sentences.append(
            f"Features of {', '.join(step.sites)} are harmonised to {to} by ComBat, learned from "
            f"the training patients{f', keeping effects of {kept}' if kept else ''}."
        )
        if passed := [name for name in step.site.levels if name not in step.sites]:
            sentences.append(
                f"Of {', '.join(passed)} there were too few training patients: features are taken "
                "as they are."
            )
    heads = ["site", "training rows"]
    rows = [[name, str(model.site.counts[name])] for name in model.site.levels]
    return [Part("Sites", sentences, Table(heads, rows))]


def _imaging_parts(imaging: dict | None) -> list[Part]:
    if imaging is None:
        return []
    sentences = [
        f"Features of PyRadiomics by {imaging['parameter_file']} (SHA-256 of its content "
        f"{imaging['parameters_sha256']}), of masks of the "
        f"{'vertebral body' if imaging['region'] == 'body' else 'whole vertebra'}.",
        "Whether contrast was given is not recorded.",
    ]
    if imaging["aggregation"]:
        sentences.append(f"Several vertebrae of a patient: {imaging['aggregation']}.")
    rows = []
    for name, seen in imaging["seen"].items():
        if "counts" in seen:
            text = ", ".join(f"{word}: {n}" for word, n in seen["counts"].items())
        else:
            text = "" if seen["low"] is None else f"{number(seen['low'])} to {number(seen['high'])}"
        rows.append([SEEN.get(name, name), text or "not known", str(seen["missing"])])
    return [Part("CT and masks", sentences, Table(["CT", "seen in training", "not known"], rows))]


def performance_table(rows: Sequence[dict]) -> Table | None:
    """Return what a study measured of its model as a table; None where it measured nothing."""
    told = []
    for part, words in PARTS.items():
        for row in rows:
            if row["part"] == part and row["value"] is not None:
                known = METRICS.get(row["metric"])
                name = known.label if known else row["metric"]
                interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
                told.append([name, words, f"{row['value']:.3f}", interval])
    return Table(["measure", "on", "value", "interval"], told) if told else None


def _performance_part(rows: Sequence[dict]) -> Part:
    table = performance_table(rows)
    return Part("Performance", [] if table else ["The study did not measure it."], table)


def _equation_parts(model: FrozenModel) -> list[Part]:
    equation = equation_of(model.procedure)
    if equation is None:
        return []
    rows = [["(intercept)", f"{equation.intercept:.8g}", ""]]
    for term in equation.terms:
        missing = "" if term.missing is None else f"{term.missing:.8g}"
        rows.append([term.column, f"{term.coefficient:.8g}", missing])
    sentences = [
        "Log odds of the risk = intercept + sum of coefficient x value, on the units of the table; "
        "risk = 1 / (1 + exp(-log odds)). A column `name=level` is 1 for that level, else 0.",
    ]
    heads = ["column", "coefficient", "value where it is missing"]
    return [Part("Equation", sentences, Table(heads, rows))]


def _risk_sentences(model: FrozenModel) -> list[str]:
    found, threshold = model.facts["recalibration"], model.facts["threshold"]
    if found["kind"] == "none":
        sentences = [f"Risks are not recalibrated: {WHY_NOT_RECALIBRATED[found['why']]}."]
    else:
        sentences = [
            f"Calibrated risk: log odds = {found['intercept']:.4f} + {found['slope']:.4f} x log "
            f"odds of the model's risk, from {found['rows']} out-of-fold risks of training "
            f"patients with {found['events']} events."
        ]
    if threshold["value"] is not None:
        sentences.append(
            f"The study called an event from a risk (before recalibration) of "
            f"{threshold['value']:.4f} on: {threshold['source']}."
        )
    quantiles = model.facts["training"]["quantiles"]
    sentences.append(
        f"Half of the training patients had a calibrated out-of-fold risk from {quantiles[5]:.3f} "
        f"to {quantiles[15]:.3f} (median {quantiles[10]:.3f})."
    )
    refits = len(model.refits)
    if refits:
        sentences.append(f"The file holds {refits} refits, for the interval of a risk.")
    return sentences


def _plain(text: str) -> str:
    """Return a text in which Markdown finds no markup and no line break."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(str(text).split()))


def _row(cells: Sequence[str], *, plain: bool = True) -> str:
    return f"| {' | '.join(_plain(cell) if plain else cell for cell in cells)} |"


def main(options: argparse.Namespace) -> None:
    """Write the card of a frozen model."""
    model = load_frozen(options.model)
    if options.out is not None and not options.out.is_dir():
        raise StudyError(
            "The folder of a model's card must exist",
            where=str(options.out),
            remedy="make it, or leave --out away: the card then lies beside the model",
            code="card-folder-missing",
        )
    beside = options.model if options.out is None else options.out / options.model.name
    for path in write_cards(model, beside):
        command.logger.info("%s", path)


if __name__ == "__main__":
    arguments = command.parser("models.frozen.card", __doc__)
    arguments.add_argument("model", type=Path, help="file of the model (.vbm)")
    arguments.add_argument("--out", type=Path, help="folder (default: the model's own)")
    command.run(main, arguments)
