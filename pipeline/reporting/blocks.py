"""What a page is made of: sections of paragraphs, notes, figures and tables.

The functions that build sections decide what is said; the templates decide how it looks; the
writer puts every table and figure beside the page as a file too. None of them knows the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pandas as pd


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of running text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Note:
    """A remark that must not be overlooked.

    Attributes
    ----------
    text : str
        What to know, as sentences.
    title : str
        What it is about, in a few words.
    tone : {'warning', 'info'}
        A warning limits what the results mean; an info says how they came about.
    """

    kind: ClassVar[str] = "note"
    text: str
    title: str
    tone: Literal["warning", "info"] = "warning"


@dataclass(frozen=True)
class Facts:
    """Key numbers in a row: each a value, what it counts, and a detail (may be empty)."""

    kind: ClassVar[str] = "facts"
    items: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Items:
    """A bulleted list of sentences."""

    kind: ClassVar[str] = "items"
    items: list[str]


@dataclass(frozen=True)
class Points:
    """Statements, each under a short heading: pairs of heading and sentence."""

    kind: ClassVar[str] = "points"
    points: list[tuple[str, str]]


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes
    ----------
    name : str
        File name without suffix in the folder of figures; also the anchor on the page.
    svg : str
        An ``<svg>`` element.
    alt : str
        What a person who cannot see the figure needs to know.
    caption : str
        What is shown and with which parameters.
    width : int
        Width in CSS pixels below which the figure scrolls instead of shrinking.
    """

    kind: ClassVar[str] = "figure"
    name: str
    svg: str
    alt: str
    caption: str
    width: int = 620

    @property
    def file_text(self) -> str:
        """The drawing as a file of its own."""
        return f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg}\n'


@dataclass(frozen=True)
class Table:
    """A table on the page, and the numbers behind it as a file.

    Attributes
    ----------
    name : str
        File name without suffix in the folder of tables; also the anchor on the page.
    caption : str
        What is shown and with which parameters.
    shown : pandas.DataFrame
        Cells as printed; the first column heads its row.
    raw : pandas.DataFrame or None
        The unrounded numbers for the file; `shown` where None.
    numeric : tuple of str
        Columns of `shown` set flush right.
    code : tuple of str
        Columns of `shown` that hold names of features or files.
    sortable : bool
        Whether a click on a heading sorts the rows.
    collapsed : str or None
        If given, the table is folded away under this line.
    """

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    shown: pd.DataFrame
    raw: pd.DataFrame | None = None
    numeric: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    sortable: bool = False
    collapsed: str | None = None

    @property
    def file_table(self) -> pd.DataFrame:
        """Return the table as the CSV file holds it."""
        return self.shown if self.raw is None else self.raw


@dataclass(frozen=True)
class Picture:
    """A raster picture: a data URI, its alternative text and its caption."""

    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """Several pictures side by side."""

    kind: ClassVar[str] = "pictures"
    pictures: list[Picture]


@dataclass(frozen=True)
class Listing:
    """A text file shown as it stands."""

    kind: ClassVar[str] = "listing"
    text: str


@dataclass(frozen=True)
class Folded:
    """Blocks folded away under a line that says what they hold."""

    kind: ClassVar[str] = "folded"
    summary: str
    blocks: list[Block]


Block = Paragraph | Note | Facts | Items | Points | Figure | Table | Pictures | Listing | Folded


@dataclass(frozen=True)
class Section:
    """A headed part of the page; `absent` says why it holds nothing in this study."""

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    absent: str | None = None

    def all_blocks(self) -> Iterator[Block]:
        """Yield every block, those folded away included."""
        waiting = list(self.blocks)
        while waiting:
            block = waiting.pop(0)
            yield block
            if isinstance(block, Folded):
                waiting[:0] = block.blocks
