"""Contrast and tube current of headers: words of a short list, and no text of a header."""

from __future__ import annotations

import pandas as pd
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from intake.handover.reading.facts import facts_of
from intake.handover.writing.cleaning import clean_dicom
from pipeline.core.keeping.store import Store
from pipeline.imaging.ct_options import CtChecks
from pipeline.imaging.dicom.dicom_contrast import PHASES_OF_CONTRAST, contrast_of, contrast_phase_of
from pipeline.imaging.sources import source_files
from pipeline.ingest import ingest_scans
from pipeline.tables.schemas.images.ingest import Ingest
from tests.pipeline.imaging.dicom.test_dicom_multiframe import group, joined, write_enhanced
from tests.support.dicom_files import CANARY, edit, load, write_series

NAMES = ("tube_current_ma", "contrast", "contrast_phase")


def facts(folder) -> tuple:
    held = load(folder)[0].facts
    return tuple(held[name] for name in NAMES)


def header(**attributes) -> Dataset:
    one = Dataset()
    for keyword, value in attributes.items():
        setattr(one, keyword, value)
    return one


def coded() -> Sequence:
    return Sequence([header(CodeValue="C-B0322", CodeMeaning=CANARY)])


STATED = {
    "nothing": ({}, None),
    "an agent": ({"ContrastBolusAgent": "Omnipaque 350"}, "given"),
    "whatever stands there": ({"ContrastBolusAgent": CANARY}, "given"),
    "a blank": ({"ContrastBolusAgent": " ", "ContrastBolusVolume": "0"}, None),
    "unknown": ({"ContrastBolusAgent": "UNKNOWN"}, None),
    "none": ({"ContrastBolusAgent": "None"}, "not given"),
    "without": ({"ContrastBolusAgent": "ohne KM"}, "not given"),
    "none with a route": ({"ContrastBolusAgent": "NO", "ContrastBolusRoute": "IV"}, "not given"),
    "a blank agent and a volume": (
        {"ContrastBolusAgent": "", "ContrastBolusVolume": "80"}, "given",
    ),
    "a route of none": ({"ContrastBolusRoute": "NONE"}, "not given"),
    "a route": ({"ContrastBolusRoute": "IV"}, "given"),
    "a code": ({"ContrastBolusAgentSequence": coded()}, "given"),
}  # fmt: skip


@pytest.mark.parametrize("what", STATED)
def test_contrast_is_what_the_header_states(what):
    attributes, expected = STATED[what]
    assert contrast_of(header(**attributes)) == expected
    # The intake parts series by the same word, so that an agent called NONE is native there too.
    ct = header(Modality="CT", Rows=8, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", **attributes)
    ct.file_meta = Dataset()
    assert facts_of(ct).contrast is (expected == "given")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abdomen ARTERIAL 1.0", "arterial"),
        ("WS portal-venous B70s", "venous"),
        ("portovenöse Phase", "venous"),
        ("Spine_delayed", "delayed"),
        ("LWS nativ", "native"),
        ("Non-Contrast Spine", "native"),
        ("L-spine with and without contrast", None),
        ("arterial and venous", None),
        ("intravenous contrast", None),
        ("cardiac art 70%", None),
        (f"{CANARY} Natividad", None),
    ],
)
def test_a_phase_is_a_word_of_a_list(text, expected):
    assert contrast_phase_of(header(SeriesDescription=text)) == expected


def test_the_coded_phase_goes_before_words_and_contradictions_are_none():
    both = header(ContrastBolusAgentPhase="PORTAL_VENOUS", SeriesDescription="arterial")
    assert contrast_phase_of(both) == "venous"
    both.ContrastBolusAgentPhase = "POST_CONTRAST"
    assert contrast_phase_of(both) is None
    native = header(SeriesDescription="native", ContrastBolusAgent="Omnipaque")
    assert contrast_phase_of(native) is None
    assert contrast_phase_of(header(SeriesDescription="venous", ContrastBolusAgent="none")) is None


def test_a_classic_series_states_the_median_current_and_words(tmp_path):
    write_series(tmp_path / "without")
    assert facts(tmp_path / "without") == (None, None, None)
    folder = tmp_path / "with"
    words = {"ContrastBolusAgent": CANARY, "SeriesDescription": f"{CANARY} venous"}
    write_series(folder, XRayTubeCurrent=200, **words)
    edit(folder, 1, XRayTubeCurrent=380)
    edit(folder, 2, XRayTubeCurrent=0)  # no current: not stated
    edit(folder, 3, XRayTubeCurrent=260)
    edit(folder, 4, XRayTubeCurrent=240)
    assert facts(folder) == (240.0, "given", "venous")
    edit(folder, 5, ContrastBolusAgent="NONE")
    assert facts(folder) == (240.0, None, "venous")


def test_currents_of_other_units_and_damaged_ones(tmp_path):
    write_series(tmp_path, XRayTubeCurrentInuA=150_000.0)
    assert facts(tmp_path) == (150.0, None, None)
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        del one.XRayTubeCurrentInuA
        one.add_new("ContrastBolusVolume", "LO", "CANARY")  # no CT is refused for it
        one.add_new("XRayTubeCurrent", "LO", "CANARY")
        one.save_as(path)
    assert facts(tmp_path) == (None, None, None)


def test_an_enhanced_ct_states_them_by_frame(tmp_path):
    write_enhanced(tmp_path / "one")
    one = pydicom.dcmread(tmp_path / "one")
    shared = one.SharedFunctionalGroupsSequence[0]
    agents = [
        header(ContrastBolusAgentNumber=1, ContrastBolusAgentAdministered="NO"),
        header(
            ContrastBolusAgentNumber=2,
            ContrastBolusAgentAdministered="YES",
            ContrastBolusAgentPhase="ARTERIAL",
        ),
    ]
    shared.ContrastBolusUsageSequence = Sequence(agents)
    currents = [100.0, 120.0, 140.0, 160.0, 300.0, 320.0]
    for frame, current in zip(one.PerFrameFunctionalGroupsSequence, currents, strict=True):
        frame.update(joined(group("CTExposureSequence", XRayTubeCurrentInmA=current)))
    one.save_as(tmp_path / "one")
    assert facts(tmp_path) == (150.0, "given", "arterial")
    copy = tmp_path / "copy"
    copy.mkdir()
    clean_dicom(tmp_path / "one", copy / "one", lambda uid: "2.25.1", lambda name, number: name)
    assert facts(copy) == (150.0, "given", "arterial")
    shared.ContrastBolusUsageSequence = Sequence(agents[:1])
    one.ContrastBolusAgentSequence = coded()  # of the examination; this frame had none
    one.save_as(tmp_path / "one")
    assert facts(tmp_path / "one") == (150.0, "not given", None)


KEPT = {
    "agent": ({"ContrastBolusAgent": CANARY}, ("given", None)),
    "none": ({"ContrastBolusAgent": "none"}, ("not given", None)),
    "route": ({"ContrastBolusRoute": CANARY}, ("given", None)),
    "description": (
        {"ContrastBolusAgent": "Dr. Canary", "SeriesDescription": f"{CANARY} arterial"},
        ("given", "arterial"),
    ),
    "native": ({"SeriesDescription": "Canary native"}, (None, "native")),
    "no term": ({"ContrastBolusAgentPhase": "CANARY"}, (None, None)),
    "nothing": ({}, (None, None)),
}  # fmt: skip


@pytest.mark.parametrize("what", KEPT)
def test_a_copy_without_identity_states_the_same_in_fixed_words(tmp_path, what):
    attributes, expected = KEPT[what]
    write_series(tmp_path / "a", slices=4, XRayTubeCurrent=210, **attributes)
    (tmp_path / "b").mkdir()
    number = iter(range(1, 99))
    for path in source_files(tmp_path / "a"):
        place = next(number)
        clean_dicom(
            path, tmp_path / "b" / f"{place}.dcm",
            lambda uid: f"2.25.{sum(uid.encode())}", lambda name, number: name,
        )  # fmt: skip
    assert facts(tmp_path / "a") == facts(tmp_path / "b") == (210.0, *expected)
    for path in source_files(tmp_path / "b"):
        assert b"CANARY" not in path.read_bytes().upper()


def test_no_text_of_the_header_reaches_table_or_store(tmp_path):
    write_series(
        tmp_path / "dicom", XRayTubeCurrent=200, ContrastBolusAgent=CANARY,
        ContrastBolusRoute=CANARY, ContrastBolusAgentSequence=coded(),
        ContrastBolusAgentPhase="CANARY", SeriesDescription=f"{CANARY} venous",
    )  # fmt: skip
    store = Store(tmp_path / "store")
    scans = pd.DataFrame(
        {"scan_id": ["s"], "patient_id": "p", "image": str(tmp_path / "dicom"), "series": None}
    )
    table = ingest_scans(scans, store, CtChecks().__dict__)
    assert table.loc[0, list(NAMES)].tolist() == [200.0, "given", None]
    assert "CANARY" not in table.to_csv()
    held = [path for path in store.root.rglob("*") if path.is_file()]
    assert held
    for path in held:
        assert b"CANARY" not in path.read_bytes()
    assert set(Ingest.contrast_phase.values) == set(PHASES_OF_CONTRAST)
