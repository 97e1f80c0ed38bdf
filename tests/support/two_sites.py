"""A study of two sites from small ready tables, which a test may spoil and mend."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.study.config import resolve_config
from pipeline.study.study import Study
from pipeline.validate import validate_study
from tests.support.small_tables import DICTIONARY, small_tables

SPELLED = {"sex": {"female": "w", "male": "m | maennlich"}}
"""How the site south spells the levels of sex."""


class TwoSites:
    """Tables of the sites north and south; the same ids are other patients at each."""

    def __init__(self, folder: Path, readers: str = "A") -> None:
        self.folder = folder
        self.features: dict[str, dict[str, pd.DataFrame]] = {}
        self.clinical: dict[str, pd.DataFrame] = {}
        self.levels = {"north": {}, "south": dict(SPELLED)}
        for site in ("north", "south"):
            self.features[site], self.clinical[site] = small_tables(readers=readers)
        south = self.clinical["south"]
        south["sex"] = south["sex"].map({"female": "w", "male": "m"})
        south.loc[1, "sex"] = "maennlich"
        self.dictionary: pd.DataFrame | None = DICTIONARY.copy()
        self.formula = "pain == '1'"
        self.options: dict = {}

    def given(self) -> dict:
        """Write the tables; return what the study's own file states."""

        def place(table: pd.DataFrame, name: str) -> str:
            table.to_csv(self.folder / name, index=False)
            return str(self.folder / name)

        sites: dict[str, dict] = {}
        for site, tables in self.features.items():
            paths = {r: place(table, f"{site}_{r}.csv") for r, table in tables.items()}
            sites[site] = {"features": paths}
            if self.levels[site]:
                sites[site]["levels"] = self.levels[site]
            if site in self.clinical:
                sites[site]["clinical"] = place(self.clinical[site], f"{site}_clinical.csv")
        described = self.dictionary is not None
        readers = list(self.features["north"])
        return {
            "study": "s",
            "results": str(self.folder / "results"),
            "sites": sites,
            "dictionary": place(self.dictionary, "dictionary.csv") if described else None,
            "outcome": {"name": "pain", "formula": self.formula},
            "model_reader": readers[0] if len(readers) > 1 else None,
            "split": {"folds": 3},
        } | self.options

    def study(self) -> Study:
        """Validate the study."""
        return validate_study(resolve_config(self.given()))
