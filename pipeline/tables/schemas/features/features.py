"""Table of the features of a study."""

from __future__ import annotations

from pipeline.core.table_schema import NUMBER, TEXT, Column, Table


class Features(Table):
    """One row per case and reader with features."""

    case_id = Column(TEXT, "case; the patient where ready tables have no cases")
    reader = Column(TEXT, "reader and version")
    features = Column(
        NUMBER,
        "a feature under the name that PyRadiomics prints, or that the ready table has",
        unit="of the feature",
        null="where it is not defined or not measured",
        pattern=".+",
        named="<feature>",
    )
