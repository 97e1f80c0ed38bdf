"""Remedies of masks that the intake does not match, or cannot copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from intake import correct
from intake.handover.pairing.matching import conventions_of
from intake.handover.writing.cleaning_volumes import clean_volume
from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.core.table_schema import columns_of
from pipeline.tables.schemas.images.preflight import Preflight
from tests.intake.test_register_patients import Folder
from tests.remedies import Remedy, row_of, says
from tests.remedies.doors import SECTION, refused, rule_of
from tests.support.dicom_files import uid
from tests.support.hospital import ANNA, write_ct, write_segments, write_small, write_small_mask
from tests.support.refusals import refusal

REMEDIES: dict[str, Remedy] = {}
PATTERN = ("--mask-pattern", "{patient}_{level}_r{reader}")
#: What is done to the folder that was handed in.
Change = Callable[[Path], object]


def register(
    bad_input: str,
    spoil: Change,
    words: str,
    mend: Change,
    arguments: Sequence[str] = (),
    after: Sequence[str] | None = None,
) -> None:
    """Add an entry of the intake: its report says the remedy, and then all masks are registered.

    Parameters
    ----------
    bad_input : str
        First cell of the row.
    spoil, mend : callable
        Write the folders, one good case beside them; do what the remedy says.
    words : str
        Words of the remedy.
    arguments, after : sequence of str
        Options of the command, before and after the remedy.
    """

    def remedy(root: Path) -> None:
        folder = Folder(root)
        write_small(folder.dicom / "good", "GOOD", mask="GOOD_L1_rA.nrrd", lift=500)
        spoil(folder.dicom)
        folder.run(*arguments)
        lines = [line for line in folder.lines() if line["result"] == "NOT MATCHED"]
        says(lines[0]["check"], rule_of(bad_input), f"Remedy: .*{words}")
        mend(folder.dicom)
        folder.run(*(arguments if after is None else after))
        assert {line["result"] for line in folder.lines()} == {"taken"}

    REMEDIES[bad_input] = remedy


def named(name: str) -> Change:
    """Return what writes a CT of patient 4711 and its mask beside it."""
    return lambda root: write_small(root / "x", "4711", mask=name)


def rename(old: str, new: str) -> Change:
    def change(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return change


def remove(name: str) -> Change:
    return lambda root: (root / name).unlink()


def cut_metaimage(root: Path) -> None:
    write_small(root / "x", "4711", level=None)
    write_small_mask(root / "x" / "4711_L1_rA.mha")
    path = root / "x" / "4711_L1_rA.mha"
    path.write_bytes(path.read_bytes()[:-40])


def saved_anew(root: Path) -> None:
    write_small_mask(root / "x" / "4711_L1_rA.nii.gz")
    (root / "x" / "4711_L1_rA.mha").unlink()


def far_away(root: Path) -> None:
    write_small(root / "x", "4711", level=None)
    write_small_mask(root / "far" / "someone_L1_rA.nrrd")


def two_patients(root: Path) -> None:
    write_small(root / "x", "4711", level=None)
    write_small(root / "y", "8822", level=None, lift=90)
    write_small_mask(root / "y" / "4711_L1_rA.nrrd")


def two_names(root: Path) -> None:
    write_small(root / "x", "4711", level=None)
    write_small(root / "y", "8822", level=None, lift=90)
    write_small_mask(root / "far" / "4711" / "8822_L1_rA.nrrd")


def another_grid(root: Path) -> None:
    write_small(root / "x", "4711", level=None)
    write_small(root / "z", "4711", level=None, lift=45)
    write_small_mask(root / "far" / "4711_L1_rA.nrrd", lift=1.2)


def right_grid(root: Path) -> None:
    write_small_mask(root / "far" / "4711_L1_rA.nrrd", lift=45)


def twice(root: Path) -> None:
    named("4711_L1_rA.nrrd")(root)
    write_small_mask(root / "x" / "4711_L1_rA copy.nrrd", value=2)


def of_another(root: Path) -> None:
    write_small(root / "x", "4711", level=None)
    write_small(root / "y", "8822", level=None, lift=90)
    write_small_mask(root / "far" / "4711_L1_rA.nrrd", lift=90)


def two_phases(root: Path) -> None:
    for number in (1, 2):
        write_small(
            root / "x" / str(number), "4711", level=None, AcquisitionNumber=number,
            SeriesInstanceUID=uid("shared"), StudyInstanceUID=uid("study"),
        )  # fmt: skip
    write_small_mask(root / "x" / "4711_L1_rA.nrrd")


def of_a_surname(*ids: str, lift: float = 0.0) -> Change:
    def write(root: Path) -> None:
        for place, one in enumerate(ids):
            name = f"Canarelli^{'AB'[place]}"
            write_small(root / one, one, level=None, name=name, lift=90.0 * place)
        write_small_mask(root / "far" / "Canarelli_L1_rA.nrrd", lift=lift)

    return write


def of_two_names(root: Path) -> None:
    for place, name in enumerate(("Canarelli", "Canaruso")):
        write_small(root / name, f"471{place}", level=None, name=f"{name}^A", lift=90.0 * place)
    write_small_mask(root / "far" / "4710_Canaruso_L1_rA.nrrd")


def no_correction(root: Path) -> None:
    named("4711_L1_rA.nrrd")(root)
    write_small_mask(root / "x" / "4711_L1_rA_corrected.nrrd")


def structures(*levels: str) -> Change:
    def write(root: Path) -> None:
        if not (root / "anna").exists():
            write_ct(ANNA, root / "anna" / "ct", origin=(-20.0, -10.0, 5.0))
        write_segments(root / "anna" / "L3+L4_rA.seg.nrrd", list(levels))

    return write


def of_value(value: int) -> Change:
    def write(root: Path) -> None:
        named("4711_L1_rA.nrrd")(root)
        write_small_mask(root / "x" / "4711_L1_rA.nrrd", value=value)

    return write


register(
    "Intake: a MetaImage (`.mha`) that is cut short, or no volume of one value a voxel",
    cut_metaimage, "save it as .nii.gz", saved_anew,
)  # fmt: skip
register(
    "Intake: nothing tells whose mask it is", far_away, "write the patient's id into the file",
    rename("far/someone_L1_rA.nrrd", "far/4711_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: name and folder tell two patients", two_patients,
    "correct the file's name or its folder", rename("y/4711_L1_rA.nrrd", "x/4711_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: several series of the patient, none with the grid", another_grid,
    "hand in the series on which it was drawn", right_grid,
)  # fmt: skip
register(
    "Intake: a path with the names of two patients", two_names, "name one patient in the file",
    rename("far/4711/8822_L1_rA.nrrd", "far/4711_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: two levels in a file name", named("4711_T12_L1_rA.nrrd"),
    "name the file by one level", rename("x/4711_T12_L1_rA.nrrd", "x/4711_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: two levels in a name, and others in the file", structures("upper", "lower"),
    "or its structures by those levels", structures("L3", "L4"),
)  # fmt: skip
register(
    "Intake: no level anywhere", named("4711_upper_rA.nrrd"), "rename the file",
    rename("x/4711_upper_rA.nrrd", "x/4711_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: two files of one vertebra and reader", twice, "or remove the copy",
    remove("x/4711_L1_rA copy.nrrd"),
)  # fmt: skip
register(
    "Intake: a file's name says another level than its label by `--convention`", of_value(19),
    "leave out --convention", lambda _: None, ("--convention", "verse"), (),
)  # fmt: skip
register(
    "Intake: `--mask-pattern` reads a patient without a CT", named("4712_L1_rA.nrrd"),
    "correct the name or the pattern", rename("x/4712_L1_rA.nrrd", "x/4711_L1_rA.nrrd"), PATTERN,
)  # fmt: skip

register(
    "Intake: a mask on the CT of another patient", of_another, "correct the id in its name",
    rename("far/4711_L1_rA.nrrd", "far/8822_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: several phases of one series on one grid", two_phases, "say which by --phase",
    lambda _: None, (), ("--phase", "acquisition 1"),
)  # fmt: skip
register(
    "Intake: a surname of two patients", of_a_surname("4711", "8822"), "the whole name",
    rename("far/Canarelli_L1_rA.nrrd", "far/Canarelli A_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: a surname, and another grid than that patient's", of_a_surname("4711", lift=0.7),
    "write the patient's id", rename("far/Canarelli_L1_rA.nrrd", "far/4711_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: an id and the surname of another patient", of_two_names, "correct the file's name",
    rename("far/4710_Canaruso_L1_rA.nrrd", "far/4710_Canarelli_L1_rA.nrrd"),
)  # fmt: skip
register(
    "Intake: a correction that is its original", no_correction, "save the corrected mask",
    lambda root: write_small_mask(root / "x" / "4711_L1_rA_corrected.nrrd", value=2),
)  # fmt: skip


def convention(bad_input: str, wrong: list[str], right: list[str], words: str) -> None:
    """Add an entry of options of --convention."""

    def remedy(_: Path) -> None:
        with refusal(row_of(SECTION, bad_input).code, StudyError) as caught:
            conventions_of(wrong)
        says(caught.value.remedy, words)
        conventions_of(right)

    REMEDIES[bad_input] = remedy


convention("Intake: `--convention` with a name that is none", ["versa"], ["verse"], "write one of")
convention(
    "Intake: two conventions for all masks", ["verse", "totalsegmentator"],
    ["verse", "ts=totalsegmentator"], "write FOLDER=NAME",
)  # fmt: skip

# --- corrections ---------------------------------------------------------------------------------


def corrected(
    bad_input: str, wrong: Callable[[Folder], list], right: Callable[[Folder], list], words: str
) -> None:
    """Add an entry of `vertebromics correct`: what is wrongly and then rightly asked."""

    def remedy(root: Path) -> None:
        folder = Folder(root)
        write_small(folder.dicom / "x", "4711", mask="4711_L1_rA.nrrd")
        folder.run()
        parse = correct._arguments().parse_args
        with refusal(row_of(SECTION, bad_input).code, StudyError) as caught:
            correct.main(parse(list(map(str, wrong(folder)))))
        says(caught.value.remedy, words)
        correct.main(parse(list(map(str, right(folder)))))

    REMEDIES[bad_input] = remedy


def of_case(folder: Folder, *more: object) -> list:
    case = f"{folder.pseudonyms()['4711']}-ct1-L1"
    return [folder.out, "--linkage", folder.linkage, "--case", case, *more]


def with_preflight(folder: Folder) -> list:
    (folder.root / "tables").mkdir()
    columns = list(columns_of(Preflight))
    none = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    write_table(none, folder.root / "tables" / "preflight.parquet", Preflight)
    return [folder.out, "--linkage", folder.linkage, "--results", folder.root]


corrected(
    "Correct: a case or reader that the study has not",
    lambda folder: of_case(folder, "--reader", "B"), of_case, "copy both from the preflight page",
)  # fmt: skip
corrected(
    "Correct: neither a case nor results are named",
    lambda folder: [folder.out, "--linkage", folder.linkage], with_preflight, "write --results",
)  # fmt: skip
corrected(
    "Correct: results without a preflight",
    lambda folder: [folder.out, "--linkage", folder.linkage, "--results", folder.root],
    with_preflight, "run it: vertebromics run preflight",
)  # fmt: skip
corrected(
    "Correct: a folder that is no study of the intake",
    lambda folder: [folder.root, *of_case(folder)[1:]], of_case, "name the folder that --out",
)  # fmt: skip
corrected(
    "Correct: a linkage that is not there",
    lambda folder: [folder.out, "--linkage", folder.root / "no.json", *of_case(folder)[3:]],
    of_case, "correct the path",
)  # fmt: skip

# --- copies --------------------------------------------------------------------------------------


def copied(bad_input: str, spoil: Change) -> None:
    """Add an entry of a volume that cannot be copied, and is exported again."""
    REMEDIES[bad_input] = refused(
        bad_input,
        spoil,
        lambda folder: clean_volume(
            folder / "a.nrrd", folder / "b.nrrd", lambda name, number: name
        ),
        "open it in 3D Slicer and export it again",
        lambda folder: write_small_mask(folder / "a.nrrd"),
    )


def cut_short(folder: Path) -> None:
    path = write_small_mask(folder / "a.nrrd")
    path.write_bytes(path.read_bytes()[:-1])


copied("Intake: a NIfTI or NRRD that lacks voxels", cut_short)
copied(
    "Intake: a mask whose header cannot be cleaned",
    lambda folder: (folder / "a.nrrd").write_bytes(b"no mask"),
)
