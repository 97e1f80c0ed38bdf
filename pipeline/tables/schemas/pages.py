"""The pages of columns: one of the documentation, one beside the results of a study.

Both are made of the tables' classes (`pipeline.tables.schemas.catalogue`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files import whole_file
from pipeline.core.table_schema import Column, Table, columns_of
from pipeline.tables.schemas.catalogue import CATALOGUE, Place, places_of
from pipeline.tables.sites import HandedIn

README = "tables/README.md"
"""Below the folder of a study's results."""

_HEAD = """\
# Columns of every table

Every table that a study writes, with its columns. Which file holds what else, and how the files
follow from each other, says [files.md](files.md). This page is made by `make options` from the
classes in `pipeline/tables/schemas`; a table is held to its class when it is written and when it
is read.
"""

_HEAD_OF_STUDY = """\
# Tables of the study {study}

The tables that this study can have, with their columns; paths are relative to the study's folder
of results. Each `.parquet` file is a table; those below `batches/` hold a part of the scans.
"""

_NOTES = """
Numbers are float64. *Blank* says when a column has no value; where nothing stands, every row has
one. A number without a unit may have a range instead, such as `0 to 1`.
"""

_TABLE = ("| column | type | unit | blank | meaning |", "|---|---|---|---|---|")


def columns_page() -> str:
    """Return the text of docs/columns.md."""
    return _page(_HEAD, CATALOGUE)


@dataclass(frozen=True, kw_only=True)
class PageOptions(HandedIn):
    """Options on which it depends which tables a study can have.

    Attributes
    ----------
    study : str
        Name of the study.
    analyses : sequence of str
        The option of this name.
    figures : sequence
        The option of this name.
    """

    study: str
    analyses: Sequence[str]
    figures: Sequence


def study_page(options: PageOptions, *, clinical: bool) -> str:
    """Return the page beside a study's results; parameters are those of `write_study_page`."""
    places = places_of(options, options.analyses, clinical=clinical, figures=bool(options.figures))
    return _page(_HEAD_OF_STUDY.format(study=options.study), places)


def write_study_page(folder: Path, options: PageOptions, *, clinical: bool) -> None:
    """Write the page beside a study's results, unless it is there as it should be.

    Parameters
    ----------
    folder : path
        ``results/<study>``.
    options : PageOptions
        Of the study.
    clinical : bool
        Whether it has a clinical table.
    """
    path, text = folder / README, study_page(options, clinical=clinical)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _page(head: str, places: Iterable[Place]) -> str:
    of_class: dict[type[Table], list[Place]] = {}
    for place in places:
        of_class.setdefault(place.schema, []).append(place)
    lines, folder = [head, _NOTES.strip()], ""
    for schema, those in of_class.items():
        here = those[0].path.rpartition("/")[0]
        if here != folder:
            lines += ["", f"## {here.replace('<', '&lt;').replace('>', '&gt;')}/"]
            folder = here
        lines += ["", *_section(schema, those)]
    return "\n".join(lines) + "\n"


def _section(schema: type[Table], places: list[Place]) -> Iterator[str]:
    name = places[0].path.rpartition("/")[2].removesuffix(".parquet")
    yield f"### {name.replace('<', '&lt;').replace('>', '&gt;')}"
    yield ""
    files = ", ".join(f"`{place.path}` ({place.rule})" for place in places)
    yield f"{' '.join((schema.__doc__ or '').split())} {files}"
    yield ""
    yield from _TABLE
    for one, column in columns_of(schema).items():
        yield _row(one, column)


def _row(name: str, column: Column) -> str:
    meaning = column.meaning
    if column.values:
        meaning += f": {', '.join(f'`{value}`' for value in column.values)}"
    if column.optional:
        meaning += f" ({column.optional} only)"
    cells = [f"`{column.named or name}`", column.kind.name, column.unit, column.null, meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
