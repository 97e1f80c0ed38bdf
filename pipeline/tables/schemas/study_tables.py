"""Tables of the frozen study, as validation writes them."""

from __future__ import annotations

from pipeline.core.table_schema import CELL, COUNT, COUNT_OR_BLANK, TEXT, Column, Table


class Cases(Table):
    """One row per mask: a case as one reader drew it."""

    patient_id = Column(TEXT, "patient")
    scan_id = Column(TEXT, "scan: one CT volume")
    case_id = Column(TEXT, "case: one vertebra in one scan")
    level = Column(TEXT, "vertebra, T1 to L6")
    reader = Column(TEXT, "reader and version: `A` is the original mask, `A.v2` a correction")
    version = Column(COUNT, "version of the mask, 1 for the original")
    image = Column(TEXT, "path of the CT, as the working directory sees it")
    series = Column(
        TEXT, "SeriesInstanceUID or description that is meant", null="where none is stated"
    )
    mask = Column(TEXT, "path of the mask, as the working directory sees it")
    label = Column(
        TEXT, "label number or segment name of the vertebra", null="where the file holds one"
    )
    days_from_surgery = Column(
        COUNT_OR_BLANK, "day of the CT, negative before surgery", unit="days", null="where unknown"
    )
    batch = Column(TEXT, "batch of scans that one job handles")


class Clinical(Table):
    """One row per unit: the key (`patient_id`, or `case_id`) and the dictionary's columns."""

    clinical = Column(
        CELL,
        "continuous and ordinal columns as numbers, categorical and binary ones as text",
        null="where a value is missing",
        pattern=".+",
        named="<column of the dictionary>",
    )


class Dictionary(Table):
    """One row per column of the clinical table."""

    column = Column(TEXT, "name of the column")
    label = Column(TEXT, "what reports call it")
    type = Column(
        TEXT, "scale", values=("continuous", "ordinal", "categorical", "binary"), null="of ids"
    )
    unit = Column(TEXT, "unit of a number", null="where it has none")
    levels = Column(TEXT, "all values, joined by `|`", null="of numbers")
    timing = Column(
        TEXT,
        "when it is known",
        null="of columns that are no predictors",
        values=("preoperative", "intraoperative", "postoperative"),
    )
    role = Column(
        TEXT,
        "what it serves as",
        values=("id", "predictor", "outcome", "eligibility", "split", "site", "other"),
    )
    range = Column(TEXT, "least and greatest plausible value, `18|110`", null="where none is given")
    test = Column(TEXT, "test named for the comparison of groups", null="where none is named")


class ReadyCases(Table):
    """One row per case of ready feature tables: their ids, without a feature."""

    patient_id = Column(
        TEXT, "patient", optional="where the tables have it", null="where no table names it"
    )
    case_id = Column(TEXT, "case; the patient where the tables have no cases")
    level = Column(TEXT, "vertebra", null="where unknown", optional="where the tables have it")
    days_from_surgery = Column(
        COUNT_OR_BLANK,
        "day of the CT, negative before surgery",
        unit="days",
        null="where unknown",
        optional="where the tables have it",
    )
