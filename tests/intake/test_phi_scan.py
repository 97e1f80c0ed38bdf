"""The search for identity: every planted leak is found, and nothing is found where nothing is."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys

import pydicom
import pydicom.examples
import pytest

from intake.identity.byte_search import Search
from intake.identity.identities import of_folder
from intake.phi_scan import identities_of_linkage, main, scan, summary
from pipeline.core.errors import StudyError
from pipeline.imaging.dicom.dicom_identity import Identity, of_header
from tests.support.identities import (
    CANARY,
    ID,
    found,
    zipped,
)
from tests.support.refusals import refusal


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("name", "Li^X"), ("name", "Mark"), ("name", "Anonymous^"), ("id", "0001"), ("id", "12345"),
        ("text", "Spine"), ("text", "CT"), ("text", "Thin axial"), ("private", "STANDARD"),
        ("path", "IM0001"), ("path", "series_12"), ("path", "000007"), ("path", "IM-000123"),
        ("path", "dicom"), ("id", "000000"),
        ("uid", "1.2.3"), ("time", "120000"), ("date", "x"), ("serial", "7"), ("time", "x"),
        ("name", "^"),
    ],
)  # fmt: skip
def test_short_and_common_values_are_left_out(kind, value):
    patterns = Search([Identity(kind, "t", value)]).patterns
    assert not patterns
    assert len(patterns.left_out) == 1


def test_short_names_are_searched_together(tmp_path):
    search = Search([Identity("name", "(0010,0010)", "Li^Wei")])
    (tmp_path / "a.txt").write_text("of Li Wei, in li_wei.csv")
    (tmp_path / "b.txt").write_text("the reliability of weights")
    assert [leak.file.rsplit("/")[-1] for leak in scan([tmp_path], search).leaks] == ["a.txt"]


def test_long_texts_are_found_by_their_lines(tmp_path):
    text = "Called from the ward. Dr. Knöterich asks for a copy.\n" + "x" * 300
    search = Search([Identity("text", "(0020,4000)", text)])
    (tmp_path / "a.txt").write_text("Note: Knöterich asks for a copy.", encoding="utf-8")
    assert found(tmp_path, search)


def test_names_of_files_and_folders_are_searched_and_not_printed(tmp_path, search):
    folder = tmp_path / f"x{CANARY}"
    folder.mkdir()
    (folder / "欧阳小冬.txt").write_text("nothing")
    metadata = tmp_path / ".snakemake" / "metadata"
    metadata.mkdir(parents=True)
    whole = base64.urlsafe_b64encode(f"results/{CANARY}/a.parquet".encode()).decode()
    (metadata / whole).write_text("{}")
    long = metadata / f"@{whole[:20]}"
    long.mkdir()
    (long / whole[20:]).write_text("{}")
    (tmp_path / "link").symlink_to(f"../{CANARY}")
    outcome = scan([tmp_path], search)
    text = summary(outcome, 5, [])
    for secret in (CANARY, "欧阳", whole, whole[20:]):
        assert secret not in text
    places = {leak.file.removeprefix(tmp_path.name) for leak in outcome.leaks}
    assert {"/***1", "/***1/***2", "/.snakemake/metadata/***3", "/link"} <= places
    assert any(one.startswith("/.snakemake/metadata/") and one.endswith("/***4") for one in places)


def test_values_across_a_chunk_are_found(tmp_path, search, monkeypatch):
    monkeypatch.setattr("intake.identity.containers.CHUNK", 1 << 14)
    for place in range((1 << 14) - 30, (1 << 14) + 10, 7):
        (tmp_path / "a.txt").write_bytes(b"-" * place + CANARY.encode() + b"-" * 9000)
        assert found(tmp_path, search)


DAMAGED = {
    "gzip": gzip.compress(b"x" * 5000)[:-20],
    "zip": zipped(b"x" * 5000)[:-30],
    "Parquet": b"PAR1" + b"\0" * 100,
    "SQLite": b"SQLite format 3\0" + b"\xff" * 100,
    "nested": None,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_cannot_be_opened_is_told(tmp_path, search, kind):
    data = DAMAGED[kind]
    if data is None:
        data = b"x"
        for _ in range(9):
            data = gzip.compress(data)
    (tmp_path / "a").write_bytes(data)
    outcome = scan([tmp_path], search)
    assert [name.rsplit("/")[-1] for name, _ in outcome.unreadable] == ["a"]
    assert "Not looked into" in summary(outcome, 1, [])


def header_with_canaries() -> tuple[pydicom.Dataset, dict[str, str]]:
    """Return a header whose every text field holds a canary of its own, and these by tag."""
    made = pydicom.dcmread(pydicom.examples.get_path("ct"), stop_before_pixels=True)
    canaries = {}
    keywords = """
        PatientName PatientID OtherPatientIDs OtherPatientNames PatientMotherBirthName
        PatientAddress PatientTelephoneNumbers MedicalRecordLocator EthnicGroup Occupation
        AdditionalPatientHistory PatientComments PatientBirthName AccessionNumber StudyID
        InstitutionName InstitutionAddress InstitutionalDepartmentName ReferringPhysicianName
        ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers PhysiciansOfRecord
        PerformingPhysicianName NameOfPhysiciansReadingStudy OperatorsName StationName
        DeviceSerialNumber StudyDescription SeriesDescription ProtocolName ImageComments
        RequestedProcedureDescription RequestingPhysician AdmissionID IssuerOfPatientID
        PerformedStationAETitle PerformedProcedureStepID CurrentPatientLocation
        """.split()  # noqa: SIM905
    for keyword in keywords:
        tag = pydicom.tag.Tag(keyword)
        canary = f"PHI-{tag.group:04X}-{tag.element:04X}"[:16]
        setattr(made, keyword, canary)
        canaries[f"({tag.group:04X},{tag.element:04X})"] = canary
    block = made.private_block(0x0029, "PHI MAKER", create=True)
    block.add_new(1, "LO", "PHI-private-0029")
    block.add_new(2, "UN", "PHI-内部-0029".encode())
    for number, canary in ((1, "PHI-private-0029"), (2, "PHI-内部-0029")):
        tag = block.get_tag(number)
        canaries[f"({tag.group:04X},{tag.element:04X})"] = canary
    item = pydicom.Dataset()
    item.ReferencedSOPInstanceUID = "1.2.826.0.1.3680043.10.999.77.1"
    item.PersonName = "PHI-sequence^Anna"
    made.ReferencedImageSequence = [item]
    canaries["(0008,1155)"], canaries["(0040,A123)"] = item.ReferencedSOPInstanceUID, "PHI-sequence"
    made.StudyInstanceUID = canaries["(0020,000D)"] = "1.2.826.0.1.3680043.10.999.78"
    made.PatientBirthDate, canaries["(0010,0030)"] = "19420511", "11.05.1942"
    made.StudyTime, canaries["(0008,0030)"] = "114203", "11:42:03"
    made.AcquisitionDateTime = "20190304101112.5"
    canaries["(0008,002A)"] = "2019-03-04"
    return made, canaries


def test_every_identity_field_of_a_header_is_searched(tmp_path):
    header, canaries = header_with_canaries()
    search = Search(of_header(header))
    for tag, canary in canaries.items():
        (tmp_path / "a.txt").write_text(f"x {canary} x", encoding="utf-8")
        assert tag in {found_tag for _, found_tag in found(tmp_path, search)}, tag


def test_technical_fields_are_no_identity():
    header = pydicom.Dataset()
    header.Manufacturer, header.ManufacturerModelName = "Maker of scanners", "Somatom Force X"
    header.ConvolutionKernel, header.Modality = "B40s medium", "CT"
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    assert list(of_header(header)) == []


def test_names_in_a_character_set_that_is_not_declared_are_understood(tmp_path):
    header = pydicom.Dataset()
    header.PatientName = "欧阳^小冬".encode("gb18030").decode("latin-1")
    search = Search(of_header(header))
    (tmp_path / "a.json").write_text(json.dumps(["小冬 欧阳"]))
    assert found(tmp_path, search)


@pytest.fixture
def handed_over(tmp_path):
    header, _ = header_with_canaries()
    header.save_as(tmp_path / "in.dcm")
    source = tmp_path / "Zolkiewska_1942"
    (source / "Visit Knoeterich").mkdir(parents=True)
    (tmp_path / "in.dcm").rename(source / "Visit Knoeterich" / "IM0001.dcm")
    (source / "notes.txt").write_text("x")
    return source


def test_folder_and_file_names_of_the_source_are_searched(handed_over):
    values = {(one.tag, one.value) for one in of_folder(handed_over) if one.kind == "path"}
    assert values == {
        ("folder name", "Visit Knoeterich"), ("folder name", "Zolkiewska_1942"),
        ("file name", "IM0001"), ("file name", "notes"),
    }  # fmt: skip


def command(cwd, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "intake.phi_scan", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_command_ends_with_one_where_something_was_found(handed_over, tmp_path, repository):
    results = tmp_path / "results"
    results.mkdir()
    (results / "a.csv").write_text("a\n1\n")
    clean = command(repository, results, "--source", handed_over, "--only")
    assert clean.returncode == 0, clean.stderr
    assert "nothing found" in clean.stdout
    assert "Too short or common" in clean.stdout
    (results / "a.csv").write_text("a\nPHI-0010-0010\n")
    leaking = command(repository, results, "--source", handed_over, "--only")
    assert leaking.returncode == 1
    assert "results/a.csv" in leaking.stdout
    assert "(0010,0010)" in leaking.stdout
    assert "PHI-0010" not in leaking.stdout + leaking.stderr
    assert "Traceback" not in leaking.stderr


def options(*paths, against=None, source=None, only=True):
    from argparse import Namespace

    return Namespace(paths=list(paths), against=against, source=source, only=only)


def test_linkage_is_a_source_too(tmp_path, capsys):
    linkage = tmp_path / "linkage.json"
    linkage.write_text(json.dumps({"identity": {"id": {"(0010,0020)": [CANARY]}}}))
    assert identities_of_linkage(linkage) == [ID]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.txt").write_text(CANARY)
    with refusal("phi-found", match="1 places in 1 files"):
        main(options(tmp_path / "results", against=linkage))
    assert CANARY not in capsys.readouterr().out


def test_snakemakes_folder_is_searched_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / ".snakemake" / "log").write_text(CANARY)
    (tmp_path / "results").mkdir()
    linkage = tmp_path / "linkage.json"
    linkage.write_text(json.dumps({"identity": {"id": {"(0010,0020)": [CANARY]}}}))
    with refusal("phi-found", match="1 places"):
        main(options(tmp_path / "results", against=linkage, only=False))
    main(options(tmp_path / "results", against=linkage))
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("[]", "another kind"), ("{", "another kind"),
     ('{"identity": [1]}', "another kind")],
)  # fmt: skip
def test_what_is_no_linkage_is_told(tmp_path, content, message):
    linkage = tmp_path / "linkage.json"
    if content is not None:
        linkage.write_text(content)
    with refusal("linkage-invalid", StudyError, match=message):
        main(options(tmp_path, against=linkage))


def test_scan_must_know_what_to_search_for(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.json").write_text('{"identity": {"id": {"(0010,0020)": ["0001"]}}}')
    with refusal("phi-source-missing", StudyError):
        main(options(tmp_path))
    with refusal("phi-source-empty", StudyError):
        main(options(tmp_path, against=tmp_path / "a.json"))
    with refusal("phi-source-not-a-folder", StudyError):
        main(options(tmp_path, source=[tmp_path / "none"]))
    (tmp_path / "a.json").write_text('{"identity": {"id": {"(0010,0020)": ["PHI-CANARY"]}}}')
    with refusal("phi-target-missing", StudyError):
        main(options(tmp_path / "none", against=tmp_path / "a.json"))


def test_damaged_results_end_with_an_error(tmp_path):
    (tmp_path / "a.json").write_text('{"identity": {"id": {"(0010,0020)": ["PHI-CANARY"]}}}')
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a.gz").write_bytes(DAMAGED["gzip"])
    with refusal("phi-files-unread"):
        main(options(tmp_path / "r", against=tmp_path / "a.json"))
