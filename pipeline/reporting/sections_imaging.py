"""Sections on the images: what was scanned, how readers agree, which features survive that."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.reporting.blocks import (
    Block,
    Facts,
    Figure,
    Folded,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
)
from pipeline.reporting.figures_readers import (
    agreement_figure,
    concordance_by,
    concordance_figure,
)
from pipeline.reporting.results import Results
from pipeline.reporting.wording import NO_VALUE, count, number, plural, share

#: Bytes of pictures that a page may carry; beyond it they stay in their folder.
PICTURE_BUDGET = 6_000_000

_NO_IMAGES = "This study starts from ready feature tables; it hands in no images."

#: Acquisition facts that are counted, and how their heading reads.
_COUNTED = {
    "format": "File format",
    "manufacturer": "Manufacturer",
    "scanner": "Scanner",
    "kvp": "Tube voltage, kV",
    "kernel": "Kernel",
}
_MEASURED = {
    "spacing_x": "Pixel spacing in the slice, mm",
    "spacing_z": "Spacing between slices, mm",
    "slice_thickness_mm": "Slice thickness, mm",
    "size_z": "Slices",
}


def images_section(results: Results) -> Section:
    """Build the section on scans: acquisition facts and what extraction took."""
    title = "Images and features"
    if results.imaging is None:
        return Section("images", title, absent=_NO_IMAGES)
    imaging = results.imaging
    read = imaging.ingest[imaging.ingest["status"] != "error"]
    rows = []
    for column, label in _COUNTED.items():
        if column not in read:
            continue
        names = ["not stated" if pd.isna(value) else _plain(value) for value in read[column]]
        ordered = sorted(Counter(names).items(), key=lambda entry: (-entry[1], entry[0]))
        cell = "; ".join(f"{name} ({amount})" for name, amount in ordered)
        rows.append({"Fact": label, "Scans": cell})
    for column, label in _MEASURED.items():
        values = read[column].dropna() if column in read else pd.Series(dtype=float)
        cell = NO_VALUE
        if len(values):
            digits = 0 if column == "size_z" else 2
            low, middle, high = (number(v, digits) for v in values.quantile([0, 0.5, 1]))
            cell = middle if low == high else f"median {middle} ({low} to {high})"
        rows.append({"Fact": label, "Scans": cell})
    done = imaging.extraction[imaging.extraction["status"] != "error"]
    clipped = imaging.resample["clipped_share"].dropna()
    facts = Facts(
        [
            (count(len(read)), "scans read", f"of {count(len(imaging.ingest))} handed in"),
            (count(len(done)), "masks extracted", f"of {count(len(imaging.masks))} handed in"),
            (count(imaging.masks["case_id"].nunique()), "vertebrae", "cases of the study"),
            (
                f"{100 * clipped.median():.1f}%" if len(clipped) else NO_VALUE,
                "voxels clipped",
                "median share of a vertebra at the normalisation's limits",
            ),
        ]
    )
    table = Table(
        name="acquisition",
        caption="How the scans that could be read were acquired (number of scans in brackets). "
        "Slice spacing is measured between slice positions.",
        shown=pd.DataFrame(rows),
    )
    return Section("images", title, [facts, table])


def agreement_section(results: Results) -> Section:
    """Build the section on contours: overlap of readers, and pictures of it."""
    title = "Agreement of readers"
    if results.imaging is None:
        return Section("agreement", title, absent=_NO_IMAGES)
    agreement = results.imaging.agreement
    if agreement.empty:
        reason = "No case was drawn by two readers, so there is no agreement to measure."
        pictures = _pictures(results)
        return Section("agreement", title, pictures, absent=None if pictures else reason)
    median, worst = agreement["dice"].median(), agreement["dice"].min()
    cases = agreement["case_id"].nunique()
    blocks: list[Block] = [
        Paragraph(
            f"Two contours of the same vertebra overlap with a median Dice coefficient of "
            f"{number(median, 3)} (lowest {number(worst, 3)}) over {plural(cases, 'case')}."
        ),
        Figure(
            name="agreement",
            svg=agreement_figure(agreement),
            alt=f"Histograms over {cases} cases of Dice coefficient, 95% Hausdorff distance and "
            f"volume difference between readers; the median Dice is {number(median, 2)}.",
            caption="Agreement of contours per case. Dashed: median. Volume difference is second "
            "reader minus first, in percent of their mean.",
        ),
        _agreement_table(agreement),
        *_pictures(results),
    ]
    return Section("agreement", title, blocks)


def _agreement_table(agreement: pd.DataFrame) -> Table:
    measures = {
        "dice": ("Dice coefficient", 3),
        "hausdorff95_mm": ("95% Hausdorff distance, mm", 2),
        "mean_surface_distance_mm": ("Mean surface distance, mm", 2),
        "volume_difference_percent": ("Volume difference, %", 1),
    }
    rows, raw = [], []
    for (first, second), group in agreement.groupby(["reader_a", "reader_b"], sort=True):
        for column, (label, digits) in measures.items():
            values = group[column].dropna()
            low, q1, middle, q3, high = values.quantile([0, 0.25, 0.5, 0.75, 1])
            raw.append([first, second, column, len(values), low, q1, middle, q3, high])
            rows.append(
                {
                    "Measure": label,
                    "Readers": f"{first} and {second}",
                    "Cases": count(len(values)),
                    "Median": number(middle, digits),
                    "Quartiles": f"{number(q1, digits)} to {number(q3, digits)}",
                    "Range": f"{number(low, digits)} to {number(high, digits)}",
                }
            )
    names = ["reader_a", "reader_b", "measure", "n", "minimum", "q1", "median", "q3", "maximum"]
    return Table(
        name="agreement",
        caption="Agreement of contours between readers.",
        shown=pd.DataFrame(rows),
        raw=pd.DataFrame(raw, columns=names),
        numeric=("Cases", "Median", "Quartiles", "Range"),
    )


def _pictures(results: Results) -> list[Block]:
    """Show the worst, the median and the best agreement, and fold the others away."""
    paths, agreement = results.imaging.pictures, results.imaging.agreement
    if not paths:
        return []
    dice = agreement.groupby("case_id")["dice"].min()
    ordered = sorted(paths, key=lambda case: (dice.get(case, 2.0), case))
    compared = [case for case in ordered if case in dice.index]
    chosen: dict[str, str] = {}
    if len(compared) >= 3:
        chosen = {
            compared[0]: "Least agreement",
            compared[len(compared) // 2]: "Median agreement",
            compared[-1]: "Best agreement",
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
        overlap = f", Dice {number(dice[case], 3)}" if case in dice.index else ""
        picture = _picture(paths[case], f"{words}{case}{overlap}")
        (shown if case in chosen else folded).append(picture)
    blocks: list[Block] = [Pictures(shown)] if shown else []
    if folded:
        rest = f"; {left} more lie in the study's folders of pictures" if left else ""
        summary = f"{plural(len(folded), 'further case')}, least agreement first{rest}"
        blocks.append(
            Folded(summary if shown else f"{plural(len(folded), 'case')}{rest}", [Pictures(folded)])
        )
    return blocks


def _picture(path: Path, caption: str) -> Picture:
    data = base64.b64encode(path.read_bytes()).decode()
    alt = f"CT with the readers' contours in axial, sagittal and coronal cuts. {caption}."
    return Picture(f"data:image/png;base64,{data}", alt, caption)


def concordance_section(results: Results) -> Section:
    """Build the section on features: concordance between readers by image type and class."""
    title = "Reproducibility of features"
    # A researcher's own features may have names without image type and class.
    table = results.reproducibility.fillna(
        {"image_type": "not stated", "feature_class": "not stated"}
    )
    if table.empty:
        reason = "Concordance needs two readers; this study has one."
        if len(results.study.readers) > 1:
            reason = "No features of two readers could be paired."
        return Section("concordance", title, absent=reason)
    threshold = results["selection.ccc.threshold"]
    kept = int((table["ccc"] >= threshold).sum())
    by_type = concordance_by(table, "image_type", threshold)
    by_class = concordance_by(table, "feature_class", threshold)
    least = by_type.iloc[0]
    units = int(table["n"].max())
    text = (
        f"Over all {plural(units, 'case')} read twice, {count(kept)} of "
        f"{count(len(table))} features ({share(kept, len(table))}) reach a concordance correlation "
        f"coefficient (CCC) of {number(threshold, 2)}; the median is "
        f"{number(table['ccc'].median(), 3)}. Half of the intervals of the CCC are wider than "
        f"{number((table['ccc_high'] - table['ccc_low']).median(), 2)}."
    )
    if results.modelling is not None:
        text += " This describes the study; the selection computes the CCC again, on training rows."
    undefined = int(table["ccc"].isna().sum())
    if undefined:
        text += f" {plural(undefined, 'feature')} are constant and have no CCC."
    blocks: list[Block] = [
        Paragraph(text),
        Figure(
            name="concordance",
            svg=concordance_figure(table, threshold),
            alt="Histograms of the concordance correlation coefficient per image type. Least "
            f"stable: {least['image_type']}, {least['kept']} of {least['features']} features "
            f"reach {number(threshold, 2)}.",
            caption=f"Lin's CCC on raw values, by image type, least stable first. Dashed: "
            f"{number(threshold, 2)}; below it a feature is dropped. Bars at the left edge hold "
            "zero and less.",
        ),
        _concordance_table(by_type, "image_type", "Image type"),
        _concordance_table(by_class, "feature_class", "Feature class"),
    ]
    least_stable = table.sort_values(["ccc", "feature"]).head(20)
    blocks.append(
        Table(
            name="least-concordant-features",
            caption="The 20 features that differ most between readers, with the interval of the "
            "CCC and the intraclass correlation ICC(2,1).",
            shown=pd.DataFrame(
                {
                    "Feature": least_stable["feature"],
                    "CCC": [number(value) for value in least_stable["ccc"]],
                    "Interval": [
                        f"{number(row.ccc_low)} to {number(row.ccc_high)}"
                        for row in least_stable.itertuples()
                    ],
                    "ICC": [number(value) for value in least_stable["icc"]],
                }
            ),
            raw=least_stable,
            numeric=("CCC", "Interval", "ICC"),
            code=("Feature",),
            collapsed="The 20 least concordant features",
        )
    )
    return Section("concordance", title, blocks)


def _concordance_table(groups: pd.DataFrame, column: str, heading: str) -> Table:
    shown = pd.DataFrame(
        {
            heading: groups[column],
            "Features": [count(value) for value in groups["features"]],
            "Kept": [count(value) for value in groups["kept"]],
            "Share": [share(row.kept, row.features) for row in groups.itertuples()],
            "Median CCC": [number(value) for value in groups["ccc_median"]],
            "Quartiles": [
                f"{number(row.ccc_q1)} to {number(row.ccc_q3)}" for row in groups.itertuples()
            ],
        }
    )
    return Table(
        name=f"concordance-by-{column.replace('_', '-')}",
        caption=f"Concordance between readers by {heading.lower()}.",
        shown=shown,
        raw=groups,
        numeric=("Features", "Kept", "Share", "Median CCC", "Quartiles"),
        sortable=True,
        collapsed=f"By {heading.lower()}" if column == "image_type" else None,
    )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
