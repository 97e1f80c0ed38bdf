"""Section on the negative controls: how much is texture, how much shape, volume and density."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Items, Paragraph, Section, Table
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.result_files import Controls
from pipeline.reporting.results import Results
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME
from pipeline.reporting.wording import NO_VALUE, SIGNED, UNIT, count, interval, number
from pipeline.reporting.words.control_words import ARMS, control_sentences

TITLE = "Texture, or shape and density?"


def controls_section(results: Results) -> Section:
    """Build the section that sets the true features beside those of mixed voxels."""
    if results.modelling is None:
        return Section("controls", TITLE, absent=NO_OUTCOME)
    if not results.modelling.models:
        return Section("controls", TITLE, absent=NO_MODEL)
    controls = results.modelling.controls
    if controls is None:
        return Section("controls", TITLE)  # a page does not list what nobody asked for
    if not controls.compared:
        return Section("controls", TITLE, absent=f"Nothing to compare: {controls.info['reason']}.")
    return Section(
        "controls",
        TITLE,
        [
            Paragraph(
                "A signature may follow the size of a vertebra or its density and look like "
                "texture. So the procedure was run again on the same scans with mixed voxels. "
                "Shuffling inside the mask keeps shape and histogram, and destroys texture."
            ),
            Items(control_sentences(controls)),
            _table(controls),
            Items(_remarks(controls)),
        ],
    )


def _table(controls: Controls) -> Table:
    rows = []
    for row in controls.arms.itertuples():
        drawn = pd.notna(row.draws)
        between = f"{number(row.draws_low, bounds=UNIT)} to {number(row.draws_high, bounds=UNIT)}"
        rows.append(
            {
                "Fitted to": ARMS[row.arm] + (f"\n{row.note}" if row.note else ""),
                "Draws": count(row.draws) if drawn else NO_VALUE,
                "Columns in the model": number(row.n_features, 1),
                "AUROC": interval(row.auroc, row.auroc_low, row.auroc_high, bounds=UNIT),
                "Range over draws": between if drawn and pd.notna(row.draws_low) else NO_VALUE,
                "Lost against the true features": NO_VALUE
                if row.arm == "true"
                else interval(row.lost, row.lost_low, row.lost_high, bounds=SIGNED),
            }
        )
    info, level = controls.info, f"{100 * controls.info['confidence']:g}%"
    where = "in the outer folds" if info["part"] == "nested" else "on the held-out patients"
    columns = list(rows[0])
    return Table(
        name="controls-nested" if info["part"] == "nested" else "controls",
        caption=f"{info['label']} fitted to radiomic features alone, judged {where}: true "
        f"features, and those of scans whose voxels were mixed before resampling. Means over the "
        f"draws, with {level} intervals; losses are paired over the same patients "
        f"({controls.arms['method'].dropna().iloc[0]}). Shape, volume and mean CT number are "
        "logistic regressions with a ridge penalty, which every feature of shape "
        "that readers agree on enters.",
        shown=pd.DataFrame(rows, columns=columns),
        raw=controls.arms,
        numeric=tuple(columns[1:]),
    )


def _remarks(controls: Controls) -> list[str]:
    return [
        controls.info["search_note"],
        "Intervals are of the patients, with the draws as they are; the range over draws shows how "
        "much chance the mixing adds.",
        "Outside means the box around the mask that features can see (margin and filters). The "
        "normalisation is always that of the CT as scanned.",
        "Shuffling keeps the histogram: what remains after it may be density (mean CT number) as "
        "well as shape. The last rows tell them apart.",
    ]
