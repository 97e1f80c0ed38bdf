"""Remedies of studies of several sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.tables.dictionary import read_dictionary
from tests.models.transformers.test_harmonisation import COLUMNS, chained, drawn
from tests.remedies import Remedy
from tests.remedies.table_doors import refused
from tests.support.two_sites import SPELLED, TwoSites


def site_of_dictionary(sites: TwoSites) -> None:
    sites.dictionary.loc[3] = ["site", "", "categorical", "", "north|south", "", "site"]


def option(name: str, value: object) -> Callable[[TwoSites], None]:
    return lambda sites: sites.options.update({name: value})


def one_site(sites: TwoSites) -> None:
    sites.options["sites"] = {"north": sites.given()["sites"]["north"]}


def as_before(sites: TwoSites) -> None:
    sites.options.pop("sites")


def capitals(sites: TwoSites) -> None:
    given = sites.given()["sites"]
    sites.options["sites"] = {"a": given["north"], "A": given["south"]}


def no_clinical(sites: TwoSites) -> None:
    del sites.clinical["south"]


def clinical(sites: TwoSites) -> None:
    sites.clinical["south"] = TwoSites(sites.folder).clinical["south"]


def other_reader(sites: TwoSites) -> None:
    sites.features["south"] = {"R2": sites.features["south"]["A"]}


def same_reader(sites: TwoSites) -> None:
    sites.features["south"] = {"A": sites.features["south"]["R2"]}


def one_feature_more(sites: TwoSites) -> None:
    table = sites.features["north"]["A"]
    table["original_glcm_Id"] = table.iloc[:, 1] ** 2


def levels(**of_south: object) -> Callable[[TwoSites], None]:
    return lambda sites: sites.levels.update(south=of_south or dict(SPELLED))


#: By bad input: how it is made, rule, words of the remedy, how the remedy is done.
REFUSED = {
    "`sites` beside tables of the whole study": (
        option("clinical", "clinical.csv"), "has its tables below `sites`", "move clinical below",
        lambda sites: sites.options.pop("clinical"),
    ),
    "`sites` with one site": (
        one_site, "must name at least two", "add the other site", as_before,
    ),
    "Sites whose names differ in capitals only": (
        capitals, "Sites must differ by more than capitals", "rename one", as_before,
    ),
    "A clinical table of one site only": (
        no_clinical, "Every site must have `clinical`, or none", "give `clinical` of south too",
        clinical,
    ),
    "Sites whose readers have other names": (
        other_reader, "Every site must have the same names of readers", "call the readers alike",
        same_reader,
    ),
    "A feature of one site only": (
        one_feature_more, "Every site must have the same features",
        r"`not_features: \[original_glcm_Id\]`", option("not_features", ["original_glcm_Id"]),
    ),
    "Spellings of a site for a column that is not there": (
        levels(seks=SPELLED["sex"]), "A column whose levels a site spells must be in",
        "correct the name: patient_id, age, sex", levels(),
    ),
    "Spellings of a site for a level that the dictionary lacks": (
        levels(sex={"f": "w", "male": "m | maennlich"}),
        "A site must spell levels of the data dictionary", "one of female, male", levels(),
    ),
    "One spelling of a site for two levels": (
        levels(sex={"female": "w | m", "male": "M"}), "A site's spelling must mean one level",
        "below one level only", levels(),
    ),
    "A dictionary that describes `site` beside `sites`": (
        site_of_dictionary, "The column `site` of a study with `sites` is made", "remove the row",
        lambda sites: setattr(sites, "dictionary", sites.dictionary[:3]),
    ),
}  # fmt: skip


def of_sites(bad_input: str) -> Remedy:
    spoil, rule, remedy, mend = REFUSED[bad_input]

    def run(folder: Path) -> None:
        sites = TwoSites(folder)
        spoil(sites)
        refused(sites.study, rule, remedy)
        mend(sites)
        assert len(sites.study().clinical) == 120

    return run


def harmonised(**options: object) -> Callable[[TwoSites], None]:
    return lambda sites: sites.options.update(
        harmonisation={"method": "combat", "covariates": ["age"]} | options
    )


def of_one_table(sites: TwoSites) -> None:
    """Hand in north alone, as a study of one site."""
    given = sites.given()["sites"]["north"]
    harmonised()(sites)
    sites.options |= {"sites": None, **given}


def given_a_site(sites: TwoSites) -> None:
    """Describe a column of the site, of two hospitals in the one table."""
    table = sites.clinical["north"].assign(hospital=["x", "y"] * 30)
    table.to_csv(sites.options["clinical"], index=False)
    sites.clinical["north"] = table
    sites.dictionary.loc[3] = ["hospital", "", "binary", "", "x|y", "", "site"]


def blank_site(sites: TwoSites) -> None:
    of_one_table(sites)
    given_a_site(sites)
    table = sites.clinical["north"]
    table.loc[4, "hospital"] = None
    table.to_csv(sites.options["clinical"], index=False)


BY_SITE = {"design": "by_site", "test_sites": ["south"], "folds": 3}


def only_validated(sites: TwoSites) -> None:
    of_one_table(sites)
    sites.options |= {"harmonisation": {"method": "none"}, "site_validation": {"models": ["lr"]}}


HARMONISED = {
    "Validation site by site without a column of the site": (
        only_validated, "A validation site by site needs a column of the clinical table",
        "the role `site`", given_a_site,
    ),
    "Harmonisation without a column of the site": (
        of_one_table, "Harmonisation needs a column of the clinical table that names the site",
        "the role `site`", given_a_site,
    ),
    "Harmonisation, and a row without its site": (
        blank_site, "Harmonisation needs the site of every row", "fill these cells", given_a_site,
    ),
    "Harmonisation of a site with few patients": (
        harmonised(min_rows=30), "Each site must have at least 120 units to be harmonised",
        "a smaller `min_rows`", harmonised(min_rows=5),
    ),
    "Harmonisation to a site that is none": (
        harmonised(reference="east"), "The reference of a harmonisation must be a site",
        "write one of north, south", harmonised(reference="north"),
    ),
    "Harmonisation that keeps the outcome": (
        harmonised(covariates=["age", "pain"]), "A covariate of the harmonisation must be a",
        "remove it", harmonised(),
    ),
    "Harmonisation of a study of clinical predictors alone": (
        lambda sites: (harmonised()(sites), sites.options.update(clinical_only=True)),
        "What is harmonised between sites are the radiomic features",
        r"`harmonisation: \{method: none\}`", lambda sites: sites.options.clear(),
    ),
    "Harmonisation beside `mode: as_published`": (
        lambda sites: (harmonised()(sites), sites.options.update(PUBLISHED)),
        "The published order knows no harmonisation", "write `mode: rigorous`",
        lambda sites: sites.options.update(mode="rigorous"),
    ),
    "Harmonisation of a site that is held out": (
        lambda sites: (harmonised()(sites), sites.options.update(split=BY_SITE)),
        "Features of a site that is held out cannot be harmonised", r"\{method: none\}",
        harmonised(method="none"),
    ),
}  # fmt: skip
PUBLISHED = {"mode": "as_published", "evaluation": {"threshold_rule": "fixed"}}
PUBLISHED |= {"nested": {"models": []}, "optimism": {"models": []}}


def of_harmonisation(bad_input: str) -> Remedy:
    spoil, rule, remedy, mend = HARMONISED[bad_input]

    def run(folder: Path) -> None:
        sites = TwoSites(folder)
        spoil(sites)
        refused(sites.study, rule, remedy)
        mend(sites)
        assert len(sites.study().clinical) in (60, 120)

    return run


def few() -> pd.DataFrame:
    table = drawn()
    west = table["hospital"] == "west"
    return pd.concat([table[~west], table[west][:4]])


def of_folds(bad_input: str) -> Remedy:
    """What only a fold shows: a model drops out by it."""
    table = drawn()
    known, west = table[table["hospital"] != "west"], table[table["hospital"] == "west"]
    like_site = table.assign(age=(table["hospital"] == "west").astype(float))
    own = replace(COLUMNS, transductive=True)
    doors = {
        "Harmonisation: too few training patients of a site": (
            lambda: chained(few()), "rows of training patients of each site", "tiny_site: pass",
            lambda: chained(few(), tiny_site="pass"),
        ),
        "Harmonisation: no training patient of the reference": (
            lambda: chained(known, reference="west"), "must be a site of the training patients",
            "name another site", lambda: chained(known, reference="north"),
        ),
        "Harmonisation: a covariate that says the same as the site": (
            lambda: chained(like_site), "Covariates of the harmonisation must differ within",
            "remove the covariate", lambda: chained(like_site, replace(COLUMNS, kept=())),
        ),
        "Harmonisation: a patient of a site without training patients": (
            lambda: chained(known).transform(COLUMNS.take(west)),
            "only if it has training patients", r"\{method: none\}",
            lambda: chained(known, replace(COLUMNS, site=None, kept=())).transform(
                replace(COLUMNS, site=None, kept=()).take(west)
            ),
        ),
        "Harmonisation by a site's own rows, of one patient": (
            lambda: chained(known, own).transform(COLUMNS.take(west[:1])),
            "rows that are predicted together", "more patients of the site together",
            lambda: chained(known, own).transform(COLUMNS.take(west)),
        ),
    }  # fmt: skip
    door, rule, remedy, mended = doors[bad_input]

    def run(_: Path) -> None:
        refused(door, rule, remedy)
        mended()

    return run


OF_FOLDS = (
    "Harmonisation: too few training patients of a site",
    "Harmonisation: no training patient of the reference",
    "Harmonisation: a covariate that says the same as the site",
    "Harmonisation: a patient of a site without training patients",
    "Harmonisation by a site's own rows, of one patient",
)

HEADER = "column,type,levels,timing,role\n"
#: By bad input: rows of the dictionary, rule, words of the remedy, the rows mended.
DESCRIBED = {
    "Two columns that name the site": (
        "a,binary,x|y,,site\nb,binary,x|y,,site\n", "One column must name the site",
        "leave the role `site` to one", "a,binary,x|y,,site\nb,binary,x|y,,other\n",
    ),
    "A column of the site that holds numbers": (
        "a,ordinal,1|2,,site\n", "must be of the type categorical", "write categorical",
        "a,categorical,1|2,,site\n",
    ),
}  # fmt: skip


def described(bad_input: str) -> Remedy:
    rows, rule, remedy, mended = DESCRIBED[bad_input]

    def run(folder: Path) -> None:
        path = folder / "dictionary.csv"
        path.write_text(HEADER + rows)
        refused(lambda: read_dictionary(path), rule, remedy)
        path.write_text(HEADER + mended)
        assert len(read_dictionary(path)) == mended.count("\n")

    return run


REMEDIES: dict[str, Remedy] = {
    **{bad_input: of_sites(bad_input) for bad_input in REFUSED},
    **{bad_input: described(bad_input) for bad_input in DESCRIBED},
    **{bad_input: of_harmonisation(bad_input) for bad_input in HARMONISED},
    **{bad_input: of_folds(bad_input) for bad_input in OF_FOLDS},
}
