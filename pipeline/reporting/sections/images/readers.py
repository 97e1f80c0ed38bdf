"""Section on the readers: how their contours agree, and which masks were corrected."""

from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd

from pipeline.comparison.agreement.bland_altman import BlandAltman, Estimate, bland_altman
from pipeline.reporting.blocks import (
    Block,
    Figure,
    Folded,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
)
from pipeline.reporting.figures.readers import (
    agreement_figure,
    bland_altman_figure,
)
from pipeline.reporting.results import Results, region, regions
from pipeline.reporting.sections.images.imaging import NO_IMAGES
from pipeline.reporting.wording import UNIT, count, interval, number, plural, share
from pipeline.tables.readers import is_original

#: Bytes of pictures that a page may carry; beyond it they stay in their folder.
PICTURE_BUDGET = 6_000_000


def agreement_section(results: Results) -> Section:
    """Build the section on contours: overlap of readers, limits of agreement, and pictures."""
    title = "Agreement of readers"
    if results.imaging is None:
        return Section("agreement", title, absent=NO_IMAGES)
    agreement = results.imaging.between_readers
    corrections = _corrections(results)
    if agreement.empty:
        reason = "No case was drawn by two readers, so there is no agreement to measure."
        blocks = [*corrections, *_pictures(results)]
        return Section("agreement", title, blocks, absent=None if blocks else reason)
    median, worst = agreement["dice"].median(), agreement["dice"].min()
    tolerance = f"{results['agreement.surface_tolerance_mm']:g} mm"
    cases = agreement["case_id"].nunique()
    pairs = len(agreement[["reader_a", "reader_b"]].drop_duplicates())
    over = f" and {count(pairs)} pairs of readers" if pairs > 1 else ""
    confidence = results["evaluation.confidence"]
    limits = {
        pair: _limits(rows, confidence)
        for pair, rows in agreement.groupby(["reader_a", "reader_b"], sort=True)
    }
    blocks: list[Block] = [
        Paragraph(
            f"Two contours of the same {region(results)} overlap with a median Dice coefficient of "
            f"{number(median, 3, UNIT)} (lowest {number(worst, 3, UNIT)}; 0: no overlap, 1: "
            f"identical) over {plural(cases, 'case')}{over}{_not_analysed(results, agreement)}; of "
            f"their surfaces a median of {share(agreement['surface_dice'].median(), 1)} lies "
            f"within {tolerance} of the other one (surface Dice). Pages to scroll through, with "
            "both contours and the lowest agreement first, are made by "
            "“vertebromics run --configfile STUDY.yaml --cores 2 readers”."
        ),
        *corrections,
        Figure(
            name="agreement",
            svg=agreement_figure(agreement),
            alt=f"Histograms over {plural(cases, 'case')} of Dice coefficient, surface Dice, 95% "
            "Hausdorff distance and mean surface distance between readers; the median Dice is "
            f"{number(median, 2, UNIT)}.",
            caption=f"Agreement of contours per case{' and pair of readers' if pairs > 1 else ''}. "
            "Dashed: median. Surface Dice counts the area "
            f"of both surfaces within {tolerance} of the other.",
        ),
        _agreement_table(agreement),
        Figure(
            name="bland-altman",
            svg=bland_altman_figure(agreement, limits),
            alt="Bland-Altman plots of the volumes: "
            + "; ".join(
                f"{b} minus {a}: bias {number(found.bias.value, 2)} ml, limits "
                f"{number(found.lower.value, 2)} to {number(found.upper.value, 2)} ml"
                for (a, b), (found, _) in limits.items()
            ),
            caption=f"Volumes of the {regions(results)}: difference of two readers against their "
            f"mean{', a row of panels per pair' if pairs > 1 else ''} "
            "(Bland-Altman). Solid: bias; dashed: limits of agreement, bias -/+ 1.96 SD; bands: "
            f"their {100 * confidence:g}% confidence intervals.",
        ),
        _limits_table(limits, confidence),
        *_pictures(results),
    ]
    return Section("agreement", title, blocks)


def _not_analysed(results: Results, agreement: pd.DataFrame) -> str:
    """Say how many of the cases are of patients whom the models do not see, if any are."""
    if results.modelling is None:
        return ""
    cases = results.study.cases.drop_duplicates("case_id").set_index("case_id")["patient_id"]
    patients = cases.reindex(agreement["case_id"].unique())
    others = int((~patients.isin(results.modelling.units["patient_id"])).sum())
    return f" ({count(others)} of them of patients who were excluded)" if others else ""


def _limits(rows: pd.DataFrame, confidence: float) -> tuple[BlandAltman, BlandAltman]:
    """Return the limits of agreement of one pair's volumes, in ml and in percent of the mean."""
    in_ml = bland_altman(rows["volume_a_ml"], rows["volume_b_ml"], confidence)
    percent = rows["volume_difference_percent"]
    return in_ml, bland_altman(0 * percent, percent, confidence)


def _limits_table(
    limits: dict[tuple[str, str], tuple[BlandAltman, BlandAltman]], confidence: float
) -> Table:
    rows, raw = [], []
    for (first, second), of_units in limits.items():
        for unit, digits, found in zip(("ml", "%"), (2, 1), of_units, strict=True):

            def shown(estimate: Estimate, digits: int = digits) -> str:
                return interval(*estimate, digits)

            rows.append(
                {
                    "Readers": f"{second} − {first}",
                    "Unit": unit,
                    "Cases": count(found.n),
                    "Bias": shown(found.bias),
                    "Lower limit": shown(found.lower),
                    "Upper limit": shown(found.upper),
                    "SD": number(found.sd, digits),
                }
            )
            raw.append(
                [first, second, unit, found.n, *found.bias, found.sd, *found.lower, *found.upper]
            )
    names = ["reader_a", "reader_b", "unit", "n", "bias", "bias_low", "bias_high", "sd"]
    names += [f"{side}{part}" for side in ("lower", "upper") for part in ("", "_low", "_high")]
    return Table(
        name="bland-altman",
        caption=f"Bias and limits of agreement of the volumes with {100 * confidence:g}% "
        "confidence intervals; percent are of the mean of both readers. Cases count as "
        "independent, also where a patient has several.",
        shown=pd.DataFrame(rows),
        raw=pd.DataFrame(raw, columns=names),
        numeric=("Cases", "Bias", "Lower limit", "Upper limit", "SD"),
    )


def _corrections(results: Results) -> list[Block]:
    """Say how many masks were corrected, and how much that moved them."""
    masks = results.imaging.masks
    corrected = masks[~masks["reader"].map(is_original).astype(bool)]
    if corrected.empty:
        return []
    changed = corrected["case_id"].nunique()
    agreement = results.imaging.agreement
    moved = agreement[agreement["comparison"] == "correction"]
    text = (
        f"{count(changed)} of {plural(masks['case_id'].nunique(), 'case')} "
        f"{'has' if changed == 1 else 'have'} a mask that was corrected later. Agreement "
        "between readers, here and in the choice of features, is that of the original masks; a "
        "model sees the latest version of its reader's."
    )
    if len(moved):
        text += (
            " Corrected and original masks overlap with a median Dice coefficient of "
            f"{number(moved['dice'].median(), 3, UNIT)} "
            f"(lowest {number(moved['dice'].min(), 3, UNIT)})."
        )
    blocks: list[Block] = [Paragraph(text)]
    if len(moved):
        moved = moved.sort_values(["dice", "case_id"], kind="stable", ignore_index=True)
        shown = {
            "Case": moved["case_id"],
            "Version": moved["reader_b"],
            "Dice": [number(value, bounds=UNIT) for value in moved["dice"]],
            "95% Hausdorff, mm": [number(value, 2) for value in moved["hausdorff95_mm"]],
            "Volume, %": [number(value, 1) for value in moved["volume_difference_percent"]],
        }
        table = Table(
            name="corrections",
            caption="Corrected masks against their originals, most changed first.",
            shown=pd.DataFrame(shown),
            raw=moved,
            numeric=("Dice", "95% Hausdorff, mm", "Volume, %"),
            code=("Case", "Version"),
            collapsed=plural(len(moved), "corrected mask"),
        )
        blocks.append(table)
    return blocks


def _agreement_table(agreement: pd.DataFrame) -> Table:
    measures = {
        "dice": ("Dice coefficient", 3),
        "surface_dice": ("Surface Dice", 3),
        "hausdorff95_mm": ("95% Hausdorff distance, mm", 2),
        "mean_surface_distance_mm": ("Mean surface distance, mm", 2),
        "volume_difference_percent": ("Volume difference, % of the mean", 1),
    }
    rows, raw = [], []
    for (first, second), group in agreement.groupby(["reader_a", "reader_b"], sort=True):
        for column, (label, digits) in measures.items():
            values, bounds = group[column].dropna(), UNIT if "Dice" in label else None
            low, q1, middle, q3, high = values.quantile([0, 0.25, 0.5, 0.75, 1])
            raw.append([first, second, column, len(values), low, q1, middle, q3, high])
            rows.append(
                {
                    "Measure": label,
                    "Readers": f"{first} and {second}",
                    "Cases": count(len(values)),
                    "Median": number(middle, digits, bounds),
                    "Quartiles": f"{number(q1, digits, bounds)} to {number(q3, digits, bounds)}",
                    "Range": f"{number(low, digits, bounds)} to {number(high, digits, bounds)}",
                }
            )
    names = ["reader_a", "reader_b", "measure", "n", "minimum", "q1", "median", "q3", "maximum"]
    return Table(
        name="agreement",
        caption="Agreement of contours between readers. 95% Hausdorff distance: 95% of the surface "
        "of either contour lies within it of the other. Volume difference: the second reader's "
        "less the first one's.",
        shown=pd.DataFrame(rows),
        raw=pd.DataFrame(raw, columns=names),
        numeric=("Cases", "Median", "Quartiles", "Range"),
    )


_SIDES = (
    "Contours of the readers on the CT. Letters name the patient's sides: R right, L left, A "
    "front, P back, H head, F feet."
)


def _pictures(results: Results) -> list[Block]:
    """Show the worst, the median and the best agreement, and fold the others away."""
    paths, agreement = results.imaging.pictures, results.imaging.between_readers
    if not paths:
        return []
    dice = agreement.groupby("case_id")["dice"].min()
    ordered = sorted(paths, key=lambda case: (dice.get(case, 2.0), case))
    compared = [case for case in ordered if case in dice.index]
    chosen: dict[str, str] = {}
    if len(compared) >= 3:
        chosen = {
            compared[0]: "Lowest agreement",
            compared[len(compared) // 2]: "Median agreement",
            compared[-1]: "Highest agreement",
        }
    budget = PICTURE_BUDGET
    shown, folded, left = [], [], 0
    for case in [*chosen, *(case for case in ordered if case not in chosen)]:
        size = paths[case].stat().st_size * 4 // 3
        if size > budget:
            left += 1
            continue
        budget -= size
        words = f"{chosen[case]}: " if case in chosen else ""
        overlap = f", Dice {number(dice[case], 3, UNIT)}" if case in dice.index else ""
        picture = _picture(paths[case], f"{words}{case}{overlap}")
        (shown if case in chosen else folded).append(picture)
    blocks: list[Block] = [Paragraph(_SIDES)]
    if shown:
        blocks.append(Pictures(shown))
    if folded:
        rest = f"; {left} more are in the study's folders of pictures" if left else ""
        # Without any pair of readers every picture is of one, and there is nothing to set apart.
        alone = len(ordered) - len(compared) if compared else 0
        rest += f" ({count(alone)} of all show one reader's contour alone)" if alone else ""
        summary = f"{plural(len(folded), 'further case')}, lowest agreement first{rest}"
        blocks.append(
            Folded(summary if shown else f"{plural(len(folded), 'case')}{rest}", [Pictures(folded)])
        )
    return blocks


def _picture(path: Path, caption: str) -> Picture:
    data = base64.b64encode(path.read_bytes()).decode()
    alt = f"CT with the readers' contours in axial, sagittal and coronal cuts. {caption}."
    return Picture(f"data:image/png;base64,{data}", alt, caption)
