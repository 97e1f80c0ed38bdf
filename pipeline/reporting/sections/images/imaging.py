"""Section on the images: what was scanned, and what extraction took."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from pipeline.comparison.agreement.equality import EQUALITY_LIMIT
from pipeline.reporting.blocks import Facts, Paragraph, Section, Table
from pipeline.reporting.parts.acquisition import acquisition_by_outcome
from pipeline.reporting.results import Imaging, Results, region, regions
from pipeline.reporting.wording import NO_VALUE, count, number, plural, share

NO_IMAGES = "This study starts from ready feature tables; it has no images."

#: Acquisition facts that are counted, and how their heading reads.
_COUNTED = {
    "format": "File format",
    "manufacturer": "Manufacturer",
    "scanner": "Scanner",
    "kvp": "Tube voltage, kV",
    "kernel": "Reconstruction kernel",
    "contrast": "Contrast agent, by the header",
    "contrast_phase": "Phase, by the header",
}
_MEASURED = {
    "spacing_x": "Pixel spacing in the slice, mm",
    "spacing_z": "Spacing between slices, mm",
    "slice_thickness_mm": "Slice thickness, mm",
    "tube_current_ma": "Tube current, mA (median of a scan's slices)",
    "size_z": "Slices",
}
_WHOLE = ("size_z", "tube_current_ma")


def images_section(results: Results) -> Section:
    """Build the section on scans: acquisition facts and what extraction took."""
    title = "Images and features"
    if results.imaging is None:
        return Section("images", title, absent=NO_IMAGES)
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
            digits = 0 if column in _WHOLE else 2
            low, middle, high = (number(v, digits) for v in values.quantile([0, 0.5, 1]))
            cell = middle if low == high else f"median {middle} ({low} to {high})"
        rows.append({"Fact": label, "Scans": cell})
    done = imaging.extraction[imaging.extraction["status"] != "error"]
    clipped = imaging.resample["clipped_share"].dropna()
    facts = Facts(
        [
            (count(len(read)), "scans read", f"of {count(len(imaging.ingest))} received"),
            (count(len(done)), "masks extracted", f"of {count(len(imaging.masks))} received"),
            (
                count(cases := imaging.masks["case_id"].nunique()),
                region(results) if cases == 1 else regions(results),
                "cases of the study",
            ),
            (
                share(clipped.median(), 1, 1) if len(clipped) else NO_VALUE,
                "voxels cut off",
                f"at the limits of the normalisation, median of a {region(results)}",
            ),
        ]
    )
    table = Table(
        name="acquisition",
        caption="How the scans that could be read were acquired (number of scans in brackets). The "
        "kernel makes pictures sharper or smoother, tube voltage and current change brightness and "
        "noise: features depend on all of them. "
        "Slice spacing is measured between slice positions.",
        shown=pd.DataFrame(rows),
    )
    by_outcome = acquisition_by_outcome(results)
    modelled = [Paragraph(text)] if (text := _modelled(results)) else []
    verified = Paragraph(_verified(imaging))
    return Section("images", title, [facts, *modelled, table, *by_outcome, verified])


def _modelled(results: Results) -> str:
    """Say which reader's features the models use, and how several of a patient become one row."""
    if results.modelling is None:
        return ""
    reader = results["model_reader"]
    whose = f"of the contours of reader {reader}"
    if len(results.study.readers) > 1 and reader == "mean":
        whose = "averaged over the readers' contours"
    text = f"The models use the features {whose}."
    if results["unit"] != "patient":
        return text
    cases = results.study.cases.drop_duplicates("case_id")
    cases = cases[cases["patient_id"].isin(results.modelling.units["patient_id"])]
    several = int((cases["patient_id"].value_counts() > 1).sum())
    if several:
        have = "has" if several == 1 else "have"
        how = {"mean": "averaged", "median": "summed up by their median"}
        how = how.get(results["aggregation"], "taken from the first alone")
        text += (
            f" {plural(several, 'patient')} analysed {have} several {regions(results)}, whose "
            f"features are {how}."
        )
    return text


def _verified(imaging: Imaging) -> str:
    """Return in a sentence how far the features are from plain PyRadiomics' own."""
    verification = imaging.verification
    if verification.empty:
        return "No mask yielded features, so that none could be compared with plain PyRadiomics."
    done = imaging.extraction[imaging.extraction["status"] != "error"]
    largest = verification["max_relative_difference"].max()
    return (
        f"{plural(len(verification), 'mask')} of {count(len(done))} extracted, drawn at random, "
        "had all features computed a second time by plain PyRadiomics in the same run. "
        + (
            "All values are the same to the last digit."
            if largest == 0
            else f"The largest relative difference of a feature is {largest:.1e}; above "
            f"{EQUALITY_LIMIT:.0e} the study would have stopped."
        )
    )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
