"""A page to confirm a handover: each patient with CT and contours, what matched, what did not.

It shows the hospital's own names, so it lies beside the linkage, readable by its owner only, with
its pictures in a folder beside it. Pictures are made anew only where a CT or a mask changed.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intake.handover.pages.hospital_report import report_path
from intake.handover.pairing.matching import Matched, Row
from intake.handover.people.linkage import Linkage, write_private
from intake.handover.reading.outlines import COLOURS, PIXELS, picture, slice_of, write_picture
from intake.handover.reading.sources import Handover, Series
from pipeline.core.files import json_hash
from pipeline.core.pages import page_templates

#: A series without mask is shown by the slice at this share of its height.
MIDDLE = 0.5
#: What pictures are made with; a change makes them anew.
DRAWN = 1

Written = Sequence[tuple[Row, dict]]

_TEMPLATES = Path(__file__).parents[2] / "templates"


def page_path(linkage_path: Path) -> Path:
    """Return where the page lies: beside the linkage."""
    return report_path(linkage_path).with_suffix(".html")


def pictures_path(linkage_path: Path) -> Path:
    """Return the folder of the page's pictures."""
    page = page_path(linkage_path)
    return page.with_name(f"{page.stem}_pictures")


def write_page(
    matched: Matched,
    handover: Handover,
    written: Written,
    linkage: Linkage,
    linkage_path: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    sheets: Sequence[SheetLine] = (),
) -> Path:
    """Write the page and its pictures, and return the page's path.

    Parameters
    ----------
    matched, handover : Matched, Handover
        What was matched, and what was found.
    written : sequence of (Row, dict)
        What was taken, with its row of the table of masks.
    linkage : Linkage
        Pseudonyms and letters of readers.
    linkage_path : pathlib.Path
        The page lies beside it.
    progress : callable
        Told how many patients are drawn, of how many.
    sheets : sequence of SheetLine
        What became of rows of clinical sheets.
    """
    folder = pictures_path(linkage_path)
    places = _Places([*(path for path, _ in matched.failed), *(row.mask for row, _ in written),
                      *(one.files[0] for one in handover.series), *handover.damaged])  # fmt: skip
    pictures = _Pictures(folder)
    colours = dict(zip(sorted({values["reader"] for _, values in written}), _endless(),
                       strict=False))  # fmt: skip
    by_patient: dict[str, list[Series]] = defaultdict(list)
    rows: dict[str, list[tuple[Row, dict]]] = defaultdict(list)
    for one in handover.series:
        by_patient[one.patient].append(one)
    for row, values in written:
        rows[row.series.patient].append((row, values))
    of_sheets: dict[str, list[SheetLine]] = defaultdict(list)
    for line in sheets:
        of_sheets[line.patient].append(line)
    patients = []
    for done, (original, series) in enumerate(sorted(by_patient.items()), start=1):
        patients.append(_patient(original, series, rows[original], linkage, pictures, colours,
                                 places, of_sheets[original]))  # fmt: skip
        progress(done, len(by_patient))
    pictures.close()
    failed = [_failed(places(path), reason) for path, reason in matched.failed]
    masks = Counter(values["reader"] for _, values in written)
    template = page_templates(_TEMPLATES).get_template("handover.html.j2")
    page = template.render(
        patients=sorted(patients, key=lambda one: ("check", "none", "ok").index(one["state"])),
        failed=failed,
        damaged=[places(path) for path in handover.damaged],
        root=places.root,
        sheets=[one for one in sheets if one.patient not in by_patient],
        readers=[
            {"letter": letter, "name": linkage.readers.get(letter, letter), "colour": colour,
             "masks": masks[letter]}
            for letter, colour in colours.items()
        ],
        counts={
            "patients": len(patients), "masks": len(written), "failed": len(failed),
            "check": sum(bool(row.note) for row, _ in written),
            "without": sum(one["state"] == "none" for one in patients),
            "pictures": pictures.count, "megabytes": f"{pictures.bytes / 1e6:.1f}",
        },
        folder=folder.name,
        pixels=PIXELS,
    )  # fmt: skip
    path = page_path(linkage_path)
    write_private(path, page)
    return path


@dataclass(frozen=True)
class SheetLine:
    """What became of a row, a cell or a worksheet of a clinical sheet.

    Attributes
    ----------
    patient : str
        Original patient, or nothing.
    text : str
        Where it stands, and what became of it.
    asks : bool
        Whether somebody should look at it.
    """

    patient: str
    text: str
    asks: bool = False


class _Places:
    """Paths as the page shows them: below the folder that all of them share.

    Parameters
    ----------
    paths : list of pathlib.Path
        All that may be shown.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.root = os.path.commonpath([path.parent for path in paths]) if paths else ""

    def __call__(self, path: Path) -> str:
        return os.path.relpath(path, self.root or ".")


class _Pictures:
    """Pictures in a folder, made anew only where what they show changed.

    Parameters
    ----------
    folder : pathlib.Path
        Theirs alone; pictures that no patient has any more are removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "index.json"
        self.known = json.loads(self.index.read_text()) if self.index.exists() else {}
        self.kept: dict[str, str] = {}
        self.bytes = 0

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.kept)

    def path(self, name: str, rows: Sequence[tuple[Row, dict]], series: Series,
             colours: dict[str, str]) -> str | None:  # fmt: skip
        """Return the path of a picture from the page, None where none can be made."""
        drawn = {colours[values["reader"]]: row.outline for row, values in rows if row.outline}
        state = json_hash(
            [DRAWN, [ascii(str(one)) for one in series.files], _stamp(series.files),
             [[colour, one.start, one.shape, json_hash(one.bits.hex())]
              for colour, one in drawn.items()]]
        )  # fmt: skip
        target = self.folder / f"{name}.png"
        if self.known.get(name) != state or not target.exists():
            content = _drawn(series, drawn)
            if content is None:
                return None
            write_picture(target, content)
        self.kept[name] = state
        self.bytes += target.stat().st_size
        return f"{self.folder.name}/{target.name}"

    def close(self) -> None:
        """Remember what was drawn, and remove what no patient has."""
        if not self.folder.exists():
            return
        for path in self.folder.glob("*.png"):
            if path.stem not in self.kept:
                path.unlink()
        write_private(self.index, json.dumps(self.kept))


def _stamp(files: Iterable[Path]) -> list[list[int]]:
    return [[path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _endless() -> Iterable[str]:
    while True:
        yield from COLOURS


def _drawn(series: Series, drawn: dict) -> bytes | None:
    if series.grid is None:
        return None
    outlines = list(drawn.values())
    index = outlines[0].largest if outlines else int(series.grid.size[2] * MIDDLE)
    hu = slice_of(series, index)
    if hu is None:
        return None
    planes = {colour: one.plane(index, hu.shape) for colour, one in drawn.items()}
    return picture(np.asarray(hu), planes, series.grid.spacing[:2])


def _patient(
    original: str,
    series: list[Series],
    rows: list[tuple[Row, dict]],
    linkage: Linkage,
    pictures: _Pictures,
    colours: dict[str, str],
    places: _Places,
    sheets: Sequence[SheetLine],
) -> dict:
    """Return what the page says of a patient."""
    cases: dict[str, list[tuple[Row, dict]]] = defaultdict(list)
    for row, values in rows:
        cases[values["case_id"]].append((row, values))
    shown = []
    for case_id, several in sorted(cases.items()):
        last = {values["reader"]: (row, values) for row, values in
                sorted(several, key=lambda one: int(one[1]["version"]))}  # fmt: skip
        shown.append({
            "level": several[0][1]["level"],
            "readers": ", ".join(sorted(last)),
            "picture": pictures.path(case_id, list(last.values()), several[0][0].series, colours),
        })  # fmt: skip
    if not shown:
        name = f"series-{linkage.series_key(series[0].uid)}"
        shown = [{"level": "CT", "readers": "",
                  "picture": pictures.path(name, [], series[0], colours)}]  # fmt: skip
    persons = {person for one in series for person in one.persons}
    who = sorted({f"{one.name} {one.birth} {one.sex}".strip() for one in persons} - {""})
    pseudonym = linkage.known(original) or ""
    masks = [
        {"file": places(row.mask), "level": row.level, "reader": values["reader"],
         "version": int(values["version"]), "rule": row.rule, "check": row.note}
        for row, values in rows
    ]  # fmt: skip
    problems = sorted({one.problem for one in series if one.problem})
    state = "none" if not masks else "ok"
    if problems or any(one["check"] for one in masks) or any(one.asks for one in sheets):
        state = "check"
    search = " ".join((original, pseudonym, *who, *(one["file"] for one in masks),
                       *(places(one.files[0].parent) for one in series),
                       *(one.text for one in sheets)))  # fmt: skip
    return {
        "original": original, "pseudonym": pseudonym, "who": " · ".join(who), "state": state,
        "cases": shown, "masks": masks, "search": search.casefold(),
        "series": [_series(one, places) for one in series], "sheets": sheets,
        "problems": [{"text": one, "clip": f"Patient {original}: {one}"} for one in problems],
    }  # fmt: skip


def _series(one: Series, places: _Places) -> str:
    facts = [f"CT of {len(one.files)} files", one.description, one.part]
    if one.date:
        facts.insert(0, f"{one.date[:4]}-{one.date[4:6]}-{one.date[6:]}")
    facts += one.notes
    return f"{' · '.join(filter(None, facts))} · {places(one.files[0].parent)}"


def _failed(path: str, reason: str) -> dict:
    """Return a mask that was not matched: rule, what was found, remedy, and the text to copy."""
    said, _, remedy = reason.partition(". Remedy: ")
    match = re.fullmatch(r"(.*?) \(found: (.*)\)", said, re.DOTALL)
    rule, found = (match[1], match[2]) if match else (said, "")
    return {"file": path, "rule": f"{rule}.", "found": found, "remedy": remedy,
            "clip": f"{path}: {reason}"}  # fmt: skip
