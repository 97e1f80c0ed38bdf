"""Masks as people name them: surnames, readers, levels, corrections, conventions of a source."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from intake.handover.pairing.mask_paths import level_of, read_path
from intake.handover.pairing.matching import conventions_of
from intake.handover.pairing.parting import readers_by_parting
from intake.handover.people.linkage import read_linkage
from pipeline.core.errors import StudyError
from segmentation.structures.label_conventions import BUILT_IN
from tests.intake.test_register_patients import Folder
from tests.support.hospital import write_small, write_small_mask


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def two(folder: Folder, *names: str) -> None:
    """Write the CTs of two patients of these names, on different grids."""
    for number, name in enumerate(names):
        write_small(folder.dicom / f"ct{number}", f"470{number}", level=None, name=name,
                    lift=40 * number)  # fmt: skip


def results(folder: Folder, *arguments: object) -> dict[str, tuple[str, str]]:
    """Register beside one good case, and return result and remark by file name."""
    write_small(folder.dicom / "good", "GOOD", mask="GOOD_L5_rA.nrrd", lift=900)
    folder.run(*arguments)
    return {Path(one["file"]).name: (one["result"], one["check"]) for one in folder.lines()}


def test_a_surname_and_the_grid_of_one_ct_tell_the_patient_to_confirm(folder):
    two(folder, "Canarelli^Ada", "Canaruso^Bea")
    write_small_mask(folder.dicom / "m" / "Canaruso_L1_rA.nrrd", lift=40)
    write_small_mask(folder.dicom / "m" / "Canarelli_L2_rA.nrrd", lift=7)
    told = results(folder)
    assert told["Canaruso_L1_rA.nrrd"][0] == "taken"
    assert "is it this one?" in told["Canaruso_L1_rA.nrrd"][1]
    assert "off" not in told["Canaruso_L1_rA.nrrd"][1]
    assert told["Canarelli_L2_rA.nrrd"][0] == "NOT MATCHED"
    assert "does not lie on the grid of its CT" in told["Canarelli_L2_rA.nrrd"][1]


def test_a_surname_of_two_patients_is_a_question(folder):
    two(folder, "Canarelli^Ada", "Canarelli^Bea")
    write_small_mask(folder.dicom / "m" / "Canarelli_L1_rA.nrrd")
    write_small_mask(folder.dicom / "m" / "Canarelli Bea_L1_rA.nrrd", lift=40)
    told = results(folder)
    assert "2 patients of the surname" in told["Canarelli_L1_rA.nrrd"][1]
    assert told["Canarelli Bea_L1_rA.nrrd"][0] == "taken"


def test_the_surname_of_another_patient_contradicts_an_id_but_a_readers_does_not(folder):
    two(folder, "Canarelli^Ada", "Canaruso^Bea")
    write_small_mask(folder.dicom / "m" / "4700_Canaruso_L1_rA.nrrd")
    write_small_mask(folder.dicom / "m" / "4701_Canaruso_L1_rA.nrrd", lift=40)
    write_small_mask(folder.dicom / "m" / "Dr Canaruso" / "4700_L2.nrrd")
    told = results(folder)
    assert told["4700_Canaruso_L1_rA.nrrd"][0] == "NOT MATCHED"
    assert "the surname of another patient" in told["4700_Canaruso_L1_rA.nrrd"][1]
    assert told["4701_Canaruso_L1_rA.nrrd"] == ("taken", "")
    assert told["4700_L2.nrrd"] == ("taken", "")


def test_a_mask_on_the_ct_of_another_patient_is_refused(folder):
    two(folder, "Canarelli^Ada", "Canaruso^Bea")
    write_small_mask(folder.dicom / "m" / "4700_L1_rA.nrrd", lift=40)
    told = results(folder)["4700_L1_rA.nrrd"]
    assert told[0] == "NOT MATCHED"
    assert "A mask must lie on the grid of a CT of its patient" in told[1]


@pytest.mark.parametrize(
    "names",
    [
        ("pat/DrWang/L1.nrrd", "pat/DrLi/L1.nrrd"),
        ("pat/wang/L1.nrrd", "pat/li/L1.nrrd"),
        ("all/4700_L1_rA.nrrd", "all/4700_L1_rB.nrrd"),
        ("all/4700_L1_wang.nrrd", "all/4700_L1_li.nrrd"),
    ],
)
def test_readers_are_told_by_what_parts_a_patients_masks(folder, names):
    write_small(folder.dicom / "pat", "4700", level=None)
    for value, name in enumerate(names, start=1):
        write_small_mask(folder.dicom / name, value=value)
    rows = folder.run()
    assert sorted(row["reader"] for row in rows) == ["A", "B"]
    assert set(read_linkage(folder.linkage).readers.values()) in (
        {"Wang", "Li"}, {"wang", "li"}, {"A", "B"},
    )  # fmt: skip


def test_what_parts_no_masks_is_no_reader():
    def mask(path: str, vertebra: object) -> tuple:
        return PurePath(path), (vertebra,), None, 1

    apart = [mask("p1/thin/L1.nrrd", 1), mask("p2/thick/L1.nrrd", 2)]
    assert readers_by_parting(apart, set()) == {}
    states = [mask("p1/old/L1.nrrd", 1), mask("p1/new/L1.nrrd", 1)]
    assert readers_by_parting(states, set()) == {}
    many = [mask(f"p1/name{chr(97 + n)}/L1.nrrd", 1) for n in range(12)]
    assert readers_by_parting(many, set()) == {}
    found = readers_by_parting([*apart, mask("p3/wu/L1.nrrd", 3), mask("p3/xu/L1.nrrd", 3),
                                mask("p4/wu/L1.nrrd", 4)], {"p3"})  # fmt: skip
    assert {path.as_posix(): reader for path, reader in found.items()} == {
        "p3/wu/L1.nrrd": "wu", "p3/xu/L1.nrrd": "xu", "p4/wu/L1.nrrd": "wu",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["corrected", "final", "korrigiert", "v2", "修正"])
def test_a_correction_beside_its_original_is_a_version(folder, word):
    write_small(folder.dicom / "x", "4700", mask="4700_L1_rA.nrrd")
    write_small_mask(folder.dicom / "x" / f"4700_L1_rA_{word}.nrrd", value=2)
    assert [row["version"] for row in folder.run()] == ["1", "2"]


def test_two_corrections_and_one_that_changes_nothing_are_questions(folder):
    write_small(folder.dicom / "x", "4700", mask="4700_L1_rA.nrrd")
    for value, name in enumerate(("corrected", "final"), start=2):
        write_small_mask(folder.dicom / "x" / f"4700_L1_rA_{name}.nrrd", value=value)
    write_small(folder.dicom / "y", "4701", mask="4701_L1_rA.nrrd", lift=40)
    write_small_mask(folder.dicom / "y" / "4701_L1_rA_corrected.nrrd", lift=40)
    write_small_mask(folder.dicom / "y" / "4701_L1_rA (1).nrrd", lift=40)
    told = results(folder)
    for name in ("corrected", "final"):
        assert "(of its correction in _v3)" in told[f"4700_L1_rA_{name}.nrrd"][1]
    assert told["4701_L1_rA_corrected.nrrd"][1].startswith("A correction must differ")
    assert told["4701_L1_rA.nrrd"][0] == "taken"
    assert "4701_L1_rA (1).nrrd" not in told  # left out, as a copy


@pytest.mark.parametrize(
    ("name", "level", "reader"),
    [
        ("4700_LWK 1_rB", "L1", "B"),
        ("4700_BWK-12_DrWang", "T12", "Wang"),
        ("4700_第1腰椎_ra", "L1", "a"),
        ("4700_L1椎体", "L1", None),
        ("4700 vertebra lumbalis IV", "L4", None),
        ("4700_1re vertèbre lombaire", "L1", None),
        ("4700_D12_rA", "T12", "A"),
        ("4700_Th12", "T12", None),
        ("4700_drawn_L2", "L2", None),
        ("4700_D_3", None, "D"),
    ],
)
def test_paths_are_read_as_hospitals_write_them(name, level, reader):
    told = read_path(PurePath(f"{name}.nrrd"), {"4700": {"x"}})
    assert (told.level, told.reader, told.patients) == (level, reader, {"x"})


@pytest.mark.parametrize(("word", "level"), [("腰1", "L1"), ("ThXII", "T12"), ("rib12", None)])
def test_words_of_other_languages_are_levels(word, level):
    assert level_of(word) == level


def test_a_source_may_have_its_own_convention(folder):
    for number, (source, value) in enumerate((("ts", 31), ("verse", 20))):
        write_small(folder.dicom / "ct" / str(number), f"470{number}", level=None, lift=40 * number)
        write_small_mask(folder.dicom / source / f"470{number}_rA.nrrd", value=value,
                         lift=40 * number)  # fmt: skip
    rows = folder.run("--convention", "ts=totalsegmentator", "--convention", "verse=verse")
    assert [row["level"] for row in rows] == ["L1", "L1"]


@pytest.mark.parametrize(
    ("options", "code"),
    [(["versa"], "convention-unknown"), (["verse", "none"], "convention-twice")],
)
def test_conventions_that_are_none_are_told(options, code):
    with pytest.raises(StudyError) as caught:
        conventions_of(options)
    assert caught.value.code == code
    assert conventions_of(["a=verse"])[1]["a"].labels == BUILT_IN["verse"]
