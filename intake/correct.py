"""Open the masks with an error together with their CTs in 3D Slicer, to be corrected and saved.

In the hospital, where the linkage lies, the originals are opened, and the page that lists them
shows the hospital's own file names; it lies beside the linkage. Without a linkage the copies of the
study are opened, under their pseudonyms. A correction is saved beside its original as its next
version, so that the same intake takes it in (docs/hospital.md).
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from intake.handover.pairing.mask_paths import CORRECTED, says_version, stem_of
from intake.handover.people.linkage import Linkage, read_linkage, write_private
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table
from pipeline.core.pages import page_templates
from pipeline.core.problems import listing
from pipeline.tables.readers import split_label
from pipeline.tables.schemas.images.preflight import Preflight

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Correction:
    """A mask to be corrected.

    Attributes
    ----------
    case_id, reader, level : str
        Pseudonyms, and the vertebra.
    image, mask : pathlib.Path
        CT (folder or file) and mask: the hospital's own, or the study's copies.
    series : str
        SeriesInstanceUID of the CT among others in its folder; empty in the study's copies.
    target : pathlib.Path
        Where the correction is saved.
    findings : tuple of str
        What the preflight says of it.
    """

    case_id: str
    reader: str
    level: str
    image: Path
    mask: Path
    series: str
    target: Path
    findings: tuple[str, ...] = ()


def corrections(
    study: Path, linkage: Linkage | None, wanted: dict[tuple[str, str], tuple[str, ...]]
) -> list[Correction]:
    """Return what is to be opened of some cases and readers.

    Parameters
    ----------
    study : pathlib.Path
        Folder of the study.
    linkage : Linkage or None
        Who is who; None opens the study's copies.
    wanted : dict
        (case, reader) -> what is wrong.

    Raises
    ------
    StudyError
        If the study has no such case and reader.
    """
    table = study / "cases.csv"
    if not table.exists():
        raise StudyError(
            "STUDY must be a folder that the intake wrote, with its cases.csv",
            found=study.name,
            remedy="name the folder that --out of the intake named",
            code="correct-no-study",
        )
    cases = pd.read_csv(table, dtype=str, keep_default_na=False)
    found = []
    for (case_id, reader), findings in wanted.items():
        rows = cases[(cases["case_id"] == case_id) & (cases["reader"] == reader)]
        if rows.empty:
            known = cases.loc[cases["case_id"] == case_id, "reader"]
            raise StudyError(
                "--case and --reader must name a mask of the study",
                found=f"{case_id} of reader {reader}"
                + (f"; readers of this case: {listing(known.unique())}" if len(known) else ""),
                remedy="copy both from the preflight page or from cases.csv",
                code="correct-no-such-mask",
            )
        last = rows.iloc[rows["version"].astype(float).to_numpy().argmax()]
        image, mask, series = study / last["image"], study / last["mask"], ""
        if linkage is not None:
            scan = linkage.scans[last["scan_id"]]
            image, series = Path(scan["source"]), scan["series"]
            mask = Path(linkage.masks[f"{case_id}|{reader}"][-1]["source"])
            if series.startswith("file "):
                image, series = Path(series.removeprefix("file ")), ""
        series = series.split(" ")[0]  # a part of a series bears its name behind the UID
        found.append(
            Correction(case_id, reader, last["level"], image, mask, series,
                       next_version(mask), findings)
        )  # fmt: skip
    return found


def next_version(mask: Path) -> Path:
    """Return the name under which the correction of a mask is saved, which is not taken yet.

    >>> next_version(Path("a/4711_L1_rA.nii.gz")).as_posix()
    'a/4711_L1_rA_v2.seg.nrrd'
    """
    stem = stem_of(mask.name)
    words = re.split(r"([-_. ])", stem)
    if len(words) > 2 and (says_version(words[-1]) or words[-1].casefold() in CORRECTED):
        stem = "".join(words[:-2])
    taken = {stem_of(one.name) for one in mask.parent.glob("*")} if mask.parent.is_dir() else set()
    number = next(n for n in range(2, 1000) if f"{stem}_v{n}" not in taken)
    return mask.with_name(f"{stem}_v{number}.seg.nrrd")


def wrong_masks(results: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the masks that the preflight of a study finds wrong, with what it says of them."""
    path = results / "tables" / "preflight.parquet"
    if not path.exists():
        raise StudyError(
            "--results must be the results of a study whose preflight has run",
            found=f"no {path.relative_to(results).as_posix()}",
            remedy="run it: vertebromics run preflight --configfile CONFIG --cores 1",
            code="correct-no-preflight",
        )
    table = read_table(path, Preflight)
    found = {}
    for row in table[table["verdict"] == "error"].to_dict("records"):
        told = [one for one in json.loads(row["findings"]) if one["severity"] == "error"]
        said = tuple(
            f"{one['message']}. {one['remedy'][:1].upper()}{one['remedy'][1:]}." for one in told
        )
        found[row["case_id"], split_label(row["reader"])[0]] = said
    return found


def script(one: Correction) -> str:
    """Return the script with which 3D Slicer opens a CT and a mask, and saves the correction."""
    text = (_TEMPLATES / "slicer_script.txt.j2").read_text(encoding="utf-8")
    told = {
        "image": str(one.image.resolve()), "mask": str(one.mask.resolve()),
        "target": str(one.target.resolve()), "series": one.series, "level": one.level,
    }  # fmt: skip
    for name, value in told.items():  # as Python writes it: a name may hold quotation marks
        text = text.replace("{{ " + name + " }}", repr(value))
    return text


def write_corrections(found: list[Correction], folder: Path, *, inside: bool) -> Path:
    """Write a script for each mask and the page that lists them; return the page's path.

    Parameters
    ----------
    found : list of Correction
        Masks.
    folder : pathlib.Path
        Where they are written: what names originals is readable by its owner only.
    inside : bool
        Whether the page stays in the hospital, since it shows its file names.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    listed = []
    for one in found:
        path = folder / f"{one.case_id}_{one.reader}.py"
        write_private(path, script(one))
        listed.append({
            "case": one.case_id, "reader": one.reader, "level": one.level,
            "image": str(one.image), "mask": str(one.mask), "target": one.target.name,
            "findings": one.findings, "line": slicer_line(path),
        })  # fmt: skip
    page = page_templates(_TEMPLATES).get_template("corrections.html.j2")
    path = folder / "index.html"
    write_private(path, page.render(corrections=listed, inside=inside))
    return path


def slicer_line(script_path: Path) -> str:
    """Return the command line that opens a script in 3D Slicer."""
    return f'Slicer --python-script "{script_path.resolve()}"'


def main(options: argparse.Namespace) -> None:
    """Write scripts and page, and print what to open."""
    linkage_path = options.linkage or options.study.with_name(f"{options.study.name}.linkage.json")
    linkage = read_linkage(linkage_path) if linkage_path.exists() else None
    if options.linkage is not None and linkage is None:
        raise StudyError(
            "--linkage must be a file",
            found=options.linkage.name,
            remedy="correct the path, or leave it out to open the study's copies",
            code="correct-no-linkage",
        )
    if options.case is not None:
        wanted = {(options.case, options.reader): ()}
    elif options.results is not None:
        wanted = wrong_masks(options.results)
    else:
        raise StudyError(
            "Say which masks: --case and --reader, or --results of a study with its preflight",
            remedy="write --results results/STUDY for all masks with an error",
            code="correct-nothing-named",
        )
    if not wanted:
        print("The preflight finds no mask with an error.")
        return
    found = corrections(options.study, linkage, wanted)
    folder = linkage_path.with_name(f"{options.study.name}.corrections")
    page = write_corrections(found, folder, inside=linkage is not None)
    for one in found:
        print(
            f"{one.case_id} {one.reader}: {slicer_line(folder / f'{one.case_id}_{one.reader}.py')}"
        )
    print(
        f"All of them on one page: {page}\n"
        + ("It shows the hospital's file names, and stays in the hospital. Corrections are saved "
           "beside the originals; then run the same intake again, and the study."
           if linkage is not None
           else "No linkage is here: these are the study's copies. Hand the saved corrections to "
           "the hospital, whose intake takes them in.")
    )  # fmt: skip


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("correct", __doc__)
    arguments.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    arguments.add_argument("--case", help="case, as the preflight page names it")
    arguments.add_argument("--reader", default="A", help="reader of the mask (A)")
    arguments.add_argument(
        "--results", type=Path, help="results of the study: every mask with an error"
    )
    arguments.add_argument(
        "--linkage", type=Path, help="file of the key, who is who (default: STUDY.linkage.json)"
    )
    return arguments


def command_line() -> None:
    """Run as a command, with the arguments of this process."""
    command.run(main, _arguments())


if __name__ == "__main__":
    command_line()
