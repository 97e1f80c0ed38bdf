"""What the tables of modelling share."""

from __future__ import annotations

from pipeline.core.table_schema import TEXT, Column, Table


class Result(Table):
    """A table that says so where it leaks."""

    mode = Column(
        TEXT,
        "the order of the steps: the published one leaks",
        values=("LEAKING (as_published)", "rigorous"),
        optional="with `mode: as_published`",
    )
