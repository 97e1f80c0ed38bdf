"""Section on perturbations: which features survive them, beside which of them readers agree on."""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.agreement.concordance import stable_from
from pipeline.reporting.blocks import Block, Figure, Paragraph, Section, Table
from pipeline.reporting.figures.robustness import robustness_figure, two_families_figure
from pipeline.reporting.results import Perturbed, Results
from pipeline.reporting.wording import (
    SIGNED,
    count,
    number,
    plural,
    sentence_list,
    share,
)

#: ICC from which a feature is described as robust where the filter is off: that of the paper.
ROBUST_ICC = 0.90

#: Rows of a table of single features; the file beside the page holds all.
_SHOWN = 20

_STEPS = {
    "noise": "noise at the level of each CT",
    "translation": "a shift of the grid of at most {translation_voxels:g} voxels along each axis",
    "rotation": "a turn of at most {rotation_degrees:g} degrees in the axial plane",
    "volume": "a volume changed by at most {percent:.0f}%",
    "contour": "an outline drawn anew along supervoxels",
}


def robustness_section(results: Results) -> Section:
    """Build the section on perturbations; one without blocks where nothing was perturbed."""
    title = "Robustness of features"
    if results.perturbed is None:
        return Section("robustness", title)
    table = judged(results, results.perturbed.table)
    if not len(table) or not table["n"].any():
        return Section("robustness", title, absent="No mask could be perturbed.")
    lower = results["selection.perturbations.bound"] == "lower"
    if table["icc_low" if lower else "icc"].isna().all():
        return Section("robustness", title, absent=_undefined(table, lower))
    limit = _threshold(results)
    blocks: list[Block] = [Paragraph(_introduction(results, results.perturbed, table))]
    if table["ccc"].notna().any():
        blocks += _beside_readers(results, table)
    else:
        blocks.append(
            Figure(
                name="robustness",
                svg=robustness_figure(table, limit),
                alt="Histogram of the lower limit of the ICC between perturbed extractions; "
                f"{int(table['passes'].sum())} of {len(table)} features reach {number(limit, 2)}.",
                caption="Lower limit of ICC(1,1) between perturbed extractions of one mask. "
                f"Dashed: {number(limit, 2)}. The bar at the left edge holds zero and less.",
            )
        )
    for column, name in (("image_type", "Image type"), ("feature_class", "Feature class")):
        blocks.append(_families_table(table, column, name))
    blocks.append(_least_table(table))
    return Section("robustness", title, blocks)


def judged(results: Results, robustness: pd.DataFrame) -> pd.DataFrame:
    """Return the table of robustness with the readers' agreement beside it.

    Returns
    -------
    pandas.DataFrame
        Columns added: ``ccc`` of the readers, NaN without; ``passes``, ``agreed``: whether a
        feature reaches the limit of each.
    """
    readers = results.reproducibility
    ccc = pd.Series(float("nan"), index=robustness.index)
    if len(readers):
        ccc = robustness["feature"].map(readers.set_index("feature")["ccc"])
    bound = results["selection.perturbations.bound"]
    known = robustness["icc_low"] if bound == "lower" else robustness["icc"]
    names = {"image_type": "not stated", "feature_class": "not stated"}
    return robustness.fillna(names).assign(
        ccc=ccc,
        passes=known >= _threshold(results),
        agreed=ccc >= stable_from(results["selection.ccc.threshold"]),
    )


def _undefined(table: pd.DataFrame, lower: bool) -> str:
    """Return why no feature could be judged."""
    of = plural(int(table["n"].max()), "case")
    who = plural(int(table["patients"].max()), "patient")
    needed = "two patients" if lower else "two cases"
    what = "The lower limit of the ICC" if lower else "The ICC"
    return (
        f"{what} between perturbed extractions needs features that differ between at least "
        f"{needed}; {of} of {who} were perturbed. No feature passes."
    )


def _threshold(results: Results) -> float:
    limit = results["selection.perturbations.threshold"]
    return ROBUST_ICC if limit is None else limit


def _introduction(results: Results, perturbed: Perturbed, table: pd.DataFrame) -> str:
    options = results["perturbations"]
    known = {**options, "percent": 100 * options["volume_fraction"]}
    steps = [text.format(**known) for step, text in _STEPS.items() if step in options["chain"]]
    done = perturbed.repetitions
    failed = int((done["status"] == "error").sum())
    passed, limit = int(table["passes"].sum()), _threshold(results)
    bound = "the lower limit of " if results["selection.perturbations.bound"] == "lower" else ""
    ratio = table["sd_ratio"].median()
    text = (
        f"Each mask of reader {table['reader'].iloc[0]} was perturbed and extracted "
        f"{count(options['repetitions'])} times ({plural(int(table['n'].max()), 'case')} of "
        f"{plural(int(table['patients'].max()), 'patient')}): {sentence_list(steps)} "
        "(Zwanenburg et al., Sci Rep 2019;9:614). A feature is robust where "
        f"{bound}the intraclass correlation ICC(1,1) between perturbed extractions reaches "
        f"{number(limit, 2)}: {count(passed)} of {plural(len(table), 'feature')} do "
        f"({share(passed, len(table))}). The median ICC is "
        f"{number(table['icc'].median(), 3, SIGNED)}; the standard deviation within a case is "
        f"{number(ratio, 2)} of that between cases (median). Limits are from a bootstrap of "
        f"patients with {count(results['selection.perturbations.resamples'])} resamples."
    )
    if failed:
        text += (
            f" {plural(failed, 'perturbed extraction')} of {count(len(done))} failed and "
            f"{'is' if failed == 1 else 'are'} left out (tables/perturbations.csv says why)."
        )
    if results.modelling is not None and results["selection.robustness"] != "readers":
        text += (
            " This describes the study; the selection computes the ICC again, on the training "
            "patients of each fold."
        )
    return text


def _beside_readers(results: Results, table: pd.DataFrame) -> list[Block]:
    """Set both families side by side: agreement of two people, survival of a perturbation."""
    limit, agreed = _threshold(results), stable_from(results["selection.ccc.threshold"])
    both = int((table["agreed"] & table["passes"]).sum())
    destroyed = table[table["agreed"] & ~table["passes"]]
    survives = int((~table["agreed"] & table["passes"]).sum())
    neither = len(table) - both - len(destroyed) - survives
    blocks: list[Block] = [
        Paragraph(
            f"Of {plural(len(table), 'feature')}, {count(both)} pass both tests. Readers agree on "
            f"{count(len(destroyed))} that perturbations destroy, and {count(survives)} survive "
            f"perturbations although readers disagree; {count(neither)} pass neither. The two "
            "tests ask different questions: readers differ in where they see the border, "
            "perturbations in noise, grid and small errors of the outline."
        ),
        Figure(
            name="robustness",
            svg=two_families_figure(table, agreed, limit),
            alt=f"Scatter plot of the features: CCC between readers and lower limit of the ICC "
            f"between perturbed extractions; {both} of {len(table)} reach both thresholds.",
            caption=f"Each point is a feature. Across: Lin's CCC between readers (dashed: "
            f"{number(agreed, 2)}). Up: lower limit of ICC(1,1) between perturbed extractions "
            f"(dashed: {number(limit, 2)}). Lower right: two people agree, and a perturbation "
            "destroys the feature. Values below zero are drawn at zero.",
        ),
    ]
    if len(destroyed):
        least = destroyed.sort_values(["icc_low", "feature"]).head(_SHOWN)
        blocks.append(
            _single_table(
                "agreed-not-robust",
                f"Features on which readers agree (CCC of at least {number(agreed, 2)}) and which "
                "do not survive perturbations, least robust first",
                least,
                destroyed,
            )
        )
    return blocks


def _families_table(table: pd.DataFrame, column: str, name: str) -> Table:
    """Return how many features of each family pass each test, least robust first."""
    has_readers = table["ccc"].notna().any()
    rows = []
    for family, group in table.groupby(column):
        rows.append(
            {
                name: family,
                "Features": len(group),
                "Robust": int(group["passes"].sum()),
                "share": float(group["passes"].mean()),
                "Readers agree": int(group["agreed"].sum()),
                "Both": int((group["agreed"] & group["passes"]).sum()),
                "Agreed, not robust": int((group["agreed"] & ~group["passes"]).sum()),
                "Median ICC": float(group["icc"].median()),
                "Median SD within / between": float(group["sd_ratio"].median()),
            }
        )
    raw = pd.DataFrame(rows).sort_values(["share", name]).reset_index(drop=True)
    of_readers = ["Readers agree", "Both", "Agreed, not robust"]
    if not has_readers:
        raw = raw.drop(columns=of_readers)
    shown = raw.assign(
        Robust=[
            f"{passing} ({share(passing, whole)})"
            for passing, whole in zip(raw["Robust"], raw["Features"], strict=True)
        ],
        **{
            "Median ICC": [number(value, 3, SIGNED) for value in raw["Median ICC"]],
            "Median SD within / between": [
                number(value, 2) for value in raw["Median SD within / between"]
            ],
        },
    ).drop(columns="share")
    return Table(
        name=f"robustness-by-{column.replace('_', '-')}",
        caption=f"Robust features by {name.lower()}, least robust first",
        shown=shown.astype(str),
        raw=raw,
        numeric=tuple(shown.columns[1:]),
        sortable=True,
    )


def _least_table(table: pd.DataFrame) -> Table:
    known = table[table["icc"].notna()].sort_values(["icc", "feature"])
    return _single_table(
        "least-robust", "The least robust features", known.head(_SHOWN), table, folded=True
    )


def _single_table(
    name: str, caption: str, rows: pd.DataFrame, raw: pd.DataFrame, *, folded: bool = False
) -> Table:
    shown = {
        "Feature": rows["feature"],
        "ICC (lower limit)": [
            f"{number(row.icc, 3, SIGNED)} ({number(row.icc_low, 3, SIGNED)})"
            for row in rows.itertuples()
        ],
        "SD within / between": [number(value, 2) for value in rows["sd_ratio"]],
    }
    if raw["ccc"].notna().any():
        shown["CCC of readers"] = [number(value, 3, SIGNED) for value in rows["ccc"]]
    return Table(
        name=name,
        caption=f"{caption} ({min(len(raw), len(rows))} of {len(raw)}; the file holds all).",
        shown=pd.DataFrame(shown).astype(str),
        raw=raw.drop(columns=["passes", "agreed"]),
        numeric=tuple(list(shown)[1:]),
        code=("Feature",),
        collapsed=f"{caption}: {len(rows)}" if folded else None,
    )
