"""The search for identity: every planted leak is found, and nothing is found where nothing is."""

from __future__ import annotations

import base64
import bz2
import datetime
import gzip
import html
import io
import json
import lzma
import os
import pickle
import sqlite3
import struct
import subprocess
import sys
import tarfile
import urllib.parse
import zipfile
import zlib

import nibabel
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pydicom.examples
import pytest
import SimpleITK as sitk
from anyascii import anyascii
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.identity.chance import Model, bits_needed, inside_run
from intake.identity.identities import Identity, of_folder, of_header
from intake.identity.patterns import Search, patterns_of
from intake.identity.variants import date_forms, forms
from intake.phi_scan import identities_of_linkage, main, scan, summary
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal

CANARY = "PHI-CANARY-0010-0010"
NAME = Identity("name", "(0010,0010)", "Żółkiewska^Bronisława=欧阳^小冬=오양^소동")
BIRTH = Identity("date", "(0010,0030)", "19500203")
UID = Identity("uid", "(0020,000D)", "1.3.12.2.1107.5.1.4.7331.30000011223344556677")
ID = Identity("id", "(0010,0020)", CANARY)
HOSPITAL_NUMBER = Identity("id", "(0010,0020)", "00731942")
IDENTITIES = [NAME, BIRTH, UID, ID, HOSPITAL_NUMBER]


@pytest.fixture(scope="module")
def search() -> Search:
    return Search(patterns_of(IDENTITIES)[0])


def found(folder, search) -> set[tuple[str, str]]:
    outcome = scan([folder], search)
    assert not outcome.unreadable
    return {(leak.kind, leak.tag) for leak in outcome.leaks}


SPELLINGS = {
    "MÜLLERSTEIN^HÄNSEL": [
        "Muellerstein", "Mullerstein", "MUELLERSTEIN, HAENSEL", "Haensel Muellerstein",
        "H. Mullerstein", "hanselmuellerstein", "Mu\u0308llerstein",
    ],
    "MUELLERSTEIN^HAENSEL": ["Müllerstein", "Hänsel Müllerstein", "HÄNSEL_MÜLLERSTEIN"],
    "SØRENSENGAARD^ÅSELIN": ["Soerensengaard", "Sorensengard", "Aaselin Soerensengaard", "Åselin"],
    "O'SHAUGHNESSYAN^BRÍDGETTA": [
        "OShaughnessyan", "O’Shaughnessyan", "O Shaughnessyan", "o_shaughnessyan",
        "OʼShaughnessyan",
        "Oʻshaughnessyan", "O`Shaughnessyan", "Bridgetta O´Shaughnessyan", "O-Shaughnessyan",
    ],
    "MEIERFELD-SCHULZEFELD^ANNALOTTE": [
        "Meierfeld_Schulzefeld", "MeierfeldSchulzefeld", "Meierfeld Schulzefeld",
        "Meierfeld‐Schulzefeld",
        "Schulzefeld", "Annalotte Meierfeld", "Schulzefeld-Meierfeld",
    ],
    "VAN DER QUASTENBERG^PIETERLING": [
        "vanderQuastenberg", "van_der_Quastenberg", "Pieterling van der Quastenberg", "Quastenberg",
        "VanDer Quastenberg", "Quastenberg, van der",
    ],
    "ZHANG WEI MING": [
        "Zhang Weiming", "zhang_weiming", "Wei Ming Zhang", "WEIMING ZHANG", "Zhang, Wei-Ming",
        "zhangweiming",
        "张伟明", "張偉明", "Zhāng Wěimíng",
    ],
    "张^伟明": ["Zhang Weiming", "Weiming Zhang", "張偉明", "Zhang Wei Ming"],
    "KANARYA^İLKIŞIK": ["ilkisik kanarya", "İlkışık", "Ilkışık KANARYA"],
    "ŁÓŻKOWIAK^WAŁDEK": ["Lozkowiak", "lozkowiak_waldek", "Łózkowiak"],
    "NGUYỄN^VĂN ÁNHĐỨC": ["Nguyen Van Anhduc", "Anhduc Nguyen", "nguyenvananhduc"],
    "오양^소동": ["Oyang Sodong", "Sodong Oyang", "O-yang So-dong"],
    "박^지훈민": ["Park Jihunmin", "Pak Chihunmin", "Bak Jihunmin", "Jihunmin Park"],
    "ЩЕРБАКОВИН^ЮРИЙКА": ["Shcherbakovin", "Scherbakovin", "Щербаковин", "Yurika Shcherbakovin"],
    "CANARYMANN^ANNA^BELLA^DR^JR": [
        "Dr. Anna Canarymann", "Bella Anna Canarymann", "Canarymann Bella", "ANNABELLACANARYMANN",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("header", "text"), [(header, one) for header, many in SPELLINGS.items() for one in many]
)
def test_names_are_found_in_other_spellings(tmp_path, header, text):
    search = Search(patterns_of([Identity("name", "(0010,0010)", header)])[0])
    for around in (f"a {text} b", f'{{"x":"{text}_L1.nii"}}'):
        (tmp_path / "a.txt").write_text(around, encoding="utf-8")
        assert found(tmp_path, search) == {("name", "(0010,0010)")}, around
    for inside in (f"x{text}x" if text.isascii() and len(text) < 8 else "x", "muffler", "zhan gwe"):
        (tmp_path / "a.txt").write_text(inside, encoding="utf-8")
        assert found(tmp_path, search) == set()


OTHER = {
    "id": ("HOSP77142X1", ["HOSP-77142-X1", "hosp 77142 x1", "HOSP_77142.X1", "Hosp-77142X1"]),
    "plain id": ("00731942", ["0073-1942", "0073 1942", "00-73-19-42"]),
    "id with separators": ("H-77/142.X1", ["H77142X1", "H 77142 X1", "h_77_142_x1"]),
    "date": (
        "19580310",
        ["10. März 1958", "10 mars 1958", "10 de marzo de 1958", "10 марта 1958", "10 Mart 1958",
         "10. Maerz 1958", "March 10th, 1958", "10th of March 1958", "1958 Mar 10", "10.MRZ.1958",
         "10 03 1958", "10. 3. 1958", "1958 03 10", "昭和33年3月10日", "一九五八年三月十日",
         "10 marca 1958", "1958-MAR-10", "10/mar/1958"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [(kind.split()[-1] if "id" in kind.split() else kind.split()[0], value, one)
     for kind, (value, many) in OTHER.items() for one in many],
)  # fmt: skip
def test_ids_and_dates_are_found_in_other_spellings(tmp_path, kind, value, text):
    kind = "date" if kind == "date" else "id"
    search = Search(patterns_of([Identity(kind, "t", value)])[0])
    (tmp_path / "a.txt").write_text(f"a {text} b", encoding="utf-8")
    assert found(tmp_path, search) == {(kind, "t")}


NOT_THESE = {
    "decimals": "0073.1942 and 73.1942, 7319.42",
    "cells": "0073,1942\n0073;1942",
    "another day": "11. März 1958, 10 April 1958, March 1958, 10 words 1958",
    "part of a word": "Unmüllersteinlich",
    "other letters": "HOSP-77142-X2",
    "model": "the model, the miller, a below and the seeler of it",
}


@pytest.mark.parametrize("text", NOT_THESE.values(), ids=NOT_THESE)
def test_other_texts_are_no_spelling(tmp_path, text):
    some = [
        Identity("name", "x", one) for one in ("MUELLERSTEIN^A", "MODELL^B", "Beelow^C", "Sealer^D")
    ]
    some += [Identity("id", "x", "00731942"), Identity("id", "x", "HOSP77142X1")]
    some.append(Identity("date", "x", "19580310"))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert found(tmp_path, Search(patterns_of(some)[0])) == set()


def test_other_spellings_in_other_encodings(tmp_path):
    search = Search(patterns_of([Identity("name", "x", "MUELLERSTEIN^HAENSEL")])[0])
    for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-32-le"):
        text = (
            "of Hänsel Müllerstein" if encoding[3:6] not in ("-16", "-32") else "Hansel Mullerstein"
        )
        (tmp_path / "a.txt").write_bytes(text.encode(encoding))
        assert found(tmp_path, search) == {("name", "x")}, encoding


TEXTS = {
    "as it is": "欧阳^小冬",
    "given first": "小冬 欧阳",
    "family alone": "欧阳",
    "without separator": "欧阳小冬",
    "romanised": f"{anyascii('欧阳')} {anyascii('小冬')}",
    "romanised, lower case": f"{anyascii('欧阳')}_{anyascii('小冬')}".lower(),
    "Latin": "Żółkiewska",
    "Latin, capitals": "ŻÓŁKIEWSKA, BRONISŁAWA",
    "without accents": "Bronislawa Zolkiewska",
    "decomposed": "Z\u0307o\u0301łkiewska",
    "phonetic": "오양 소동",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_names_are_found_in_every_form(tmp_path, search, text):
    (tmp_path / "a.txt").write_text(f"patient {text} was here", encoding="utf-8")
    assert ("name", "(0010,0010)") in found(tmp_path, search)


DATES = [
    "19500203", "1950-02-03", "03.02.1950", "03/02/1950", "02/03/1950", "3.2.1950", "1950/2/3",
    "1950年2月3日", "1950年02月03日", "3 February 1950", "Feb 3, 1950", "03-Feb-1950",
]  # fmt: skip


@pytest.mark.parametrize("text", DATES)
def test_dates_are_found_in_every_form(tmp_path, search, text):
    (tmp_path / "a.csv").write_text(f"a,b\n1,{text}\n", encoding="utf-8")
    assert found(tmp_path, search) == {("date", "(0010,0030)")}


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)))
@settings(max_examples=50)
def test_every_form_of_a_date_is_searched(day):
    texts = forms(Identity("date", "t", f"{day:%Y%m%d}"))
    assert {f"{day:%Y-%m-%d}", f"{day:%d.%m.%Y}", f"{day:%m/%d/%Y}"} <= texts
    assert set(date_forms(day)) <= texts


ENCODED = {
    "UTF-8": lambda text: text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 big endian": lambda text: text.encode("utf-16-be"),
    "GB18030": lambda text: text.encode("gb18030"),
    "Shift-JIS": lambda text: text.replace("欧阳^小冬", "三船^敏郎").encode("shift_jis"),
    "Latin-1": lambda text: text.replace("欧阳^小冬", "Müßiggänger^Jörg").encode("latin-1"),
    "percent": lambda text: urllib.parse.quote(text).encode(),
    "percent, twice": lambda text: urllib.parse.quote(urllib.parse.quote(text)).encode(),
    "percent of GB18030": lambda text: urllib.parse.quote(text.encode("gb18030")).encode(),
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "Python bytes": lambda text: repr(text.encode()).encode(),
    "octal": lambda text: "".join(f"\\{one:03o}" for one in text.encode()).encode(),
    "entities": lambda text: "".join(f"&#{ord(one)};" for one in text).encode(),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(one):x};" for one in text).encode(),
    "named entities": lambda text: text.replace(
        "欧阳^小冬", "M&uuml;&szlig;igg&auml;nger^J&ouml;rg"
    ).encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "hex, capitals": lambda text: text.encode("gb18030").hex().upper().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, shifted": lambda text: base64.b64encode(b"?" + text.encode() + b"!"),
    "base64, shifted twice": lambda text: base64.b64encode(b"??" + text.encode() + b"!!"),
    "base64 of GB18030": lambda text: base64.b64encode(b"x" + text.encode("gb18030") + b"yz"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode("utf-16-le")),
}


@pytest.mark.parametrize("encode", ENCODED.values(), ids=ENCODED.keys())
def test_names_are_found_in_every_encoding(tmp_path, encode):
    names = [Identity("name", "(0010,0010)", one)
             for one in ("欧阳^小冬", "三船^敏郎", "Müßiggänger^Jörg")]  # fmt: skip
    search = Search(patterns_of(names)[0])
    (tmp_path / "a.bin").write_bytes(b"before " + encode("欧阳^小冬") + b" after")
    assert found(tmp_path, search)


def png(chunk: bytes, data: bytes) -> bytes:
    def one(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = one(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = one(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + one(chunk, data) + pixels + one(b"IEND", b"")


def zipped(text: bytes, *, name: str = "a.txt", comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, text)
        opened.comment = comment
    return stream.getvalue()


def tarred(text: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as opened:
        member = tarfile.TarInfo("a")
        member.size = len(text)
        opened.addfile(member, io.BytesIO(text))
    return stream.getvalue()


def written(write) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def sqlite(text: str) -> bytes:
    with sqlite3.connect(":memory:") as opened:
        opened.execute("CREATE TABLE t (a TEXT, b BLOB)")
        opened.execute("INSERT INTO t VALUES ('x', ?)", (gzip.compress(text.encode()),))
        return opened.serialize()


def gzip_named(name: bytes) -> bytes:
    packed = gzip.compress(b"nothing")
    return packed[:3] + b"\x08" + packed[4:10] + name + b"\0" + packed[10:]


def nifti(text: bytes) -> bytes:
    header = bytearray(352)
    header[:4] = struct.pack("<i", 348)
    header[148 : 148 + len(text)] = text
    header[108:112] = struct.pack("<f", 352)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + bytes(100))


CONTAINERS = {
    "text": lambda text: text.encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip, file name": lambda text: gzip_named(text.encode()),
    "gzip in gzip": lambda text: gzip.compress(gzip.compress(text.encode())),
    "two gzip members": lambda text: gzip.compress(b"a") + gzip.compress(text.encode()),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "zip": lambda text: zipped(text.encode()),
    "zip, member's name": lambda text: zipped(b"", name=text),
    "zip, comment": lambda text: zipped(b"", comment=text.encode()),
    "gzip in zip": lambda text: zipped(gzip.compress(text.encode())),
    "tar.gz": lambda text: tarred(text.encode()),
    "xlsx": lambda text: written(lambda s: pd.DataFrame({"a": [text]}).to_excel(s, index=False)),
    "Parquet": lambda text: written(pd.DataFrame({"a": [text], "f": [0.5]}).to_parquet),
    "Parquet, column": lambda text: written(pd.DataFrame({text: [0.5]}).to_parquet),
    "Parquet, packed bytes": lambda text: written(
        pd.DataFrame({"a": [gzip.compress(text.encode())]}).to_parquet
    ),
    "PNG tEXt": lambda text: png(b"tEXt", b"Title\0" + text.encode()),
    "PNG zTXt": lambda text: png(b"zTXt", b"Title\0\0" + zlib.compress(text.encode())),
    "PNG iTXt": lambda text: png(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(text.encode())),
    "PNG eXIf": lambda text: png(b"eXIf", b"II*\0" + text.encode()),
    "JPEG EXIF": lambda text: b"\xff\xd8\xff\xe1\0\x50Exif\0\0" + text.encode() + b"\xff\xda\0",
    "HTML": lambda text: f"<p>{html.escape(text)}</p>".encode(),
    "HTML, broken line": lambda text: text.replace("^", "\n  ").encode(),
    "HTML, picture": lambda text: (
        b'<img src="data:image/png;base64,'
        + base64.b64encode(png(b"zTXt", b"Title\0\0" + zlib.compress(text.encode())))
        + b'">'
    ),
    "HTML, packed data": lambda text: (
        b"<script>d='" + base64.b64encode(gzip.compress(b"x" * 99 + text.encode())) + b"'</script>"
    ),
    "base64 in lines": lambda text: base64.encodebytes(gzip.compress(b"x" * 99 + text.encode())),
    "SVG": lambda text: f'<svg><title>{text}</title></svg>'.encode(),
    "SQLite": sqlite,
    "NumPy": lambda text: written(lambda s: np.save(s, np.array([text, "b"]))),
    "npz": lambda text: written(lambda s: np.savez_compressed(s, a=np.array([text]))),
    "pickle": lambda text: pickle.dumps({"a": text}),
    "pickle, protocol 0": lambda text: pickle.dumps({"a": text}, protocol=0),
    "NIfTI": lambda text: nifti(text.encode()),
    "PDF": lambda text: (
        b"%PDF-1.4\nstream\n" + zlib.compress(text.encode()) + b"\nendstream"
    ),
}  # fmt: skip


def nifti_file(*, before: bytes = b"", behind: bytes = b"", version: int = 1) -> bytes:
    """Return a NIfTI file of 4 x 5 x 6 voxels of 16 bits with bytes in an extension, and behind."""
    voxels = np.arange(120, dtype="<i2")
    image = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    made = image(voxels.reshape(4, 5, 6), np.eye(4))
    if before:
        made.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", before))
    return made.to_bytes() + behind


def nrrd_file(line: bytes = b"", behind: bytes = b"", encoding: bytes = b"raw") -> bytes:
    pack = {b"raw": bytes, b"gzip": gzip.compress}[encoding]
    head = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 6\nencoding: " + encoding + b"\n"
    return head + line + b"\n" + pack(np.arange(120, dtype="<i2").tobytes() + behind)


def dicom_file(behind: bytes) -> bytes:
    header = pydicom.dcmread(pydicom.examples.get_path("ct"))
    header.PixelData = header.PixelData + behind + b" " * (len(behind) % 2)
    return written(header.save_as)


def parquet_with(text: bytes) -> bytes:
    table = pa.table({"a": [1]}).replace_schema_metadata({"b": text})
    return written(lambda stream: pq.write_table(table, stream))


def workbook(text: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.append([1])
    book.properties.creator = text
    return written(book.save)


TAILS = {
    "NIfTI, behind the voxels": lambda text: nifti_file(behind=b"by " + text),
    "NIfTI-2, behind the voxels": lambda text: nifti_file(behind=b"by " + text, version=2),
    "NIfTI.gz, behind the voxels": lambda text: gzip.compress(nifti_file(behind=b"by " + text)),
    "NIfTI, an extension": lambda text: nifti_file(before=b"by " + text),
    "NRRD, behind the voxels": lambda text: nrrd_file(behind=b"by " + text),
    "NRRD, packed with them": lambda text: nrrd_file(behind=b"by " + text, encoding=b"gzip"),
    "NRRD, a key": lambda text: nrrd_file(b"operator:=" + text + b"\n"),
    "NRRD, a comment": lambda text: nrrd_file(b"# " + text + b"\n"),
    "DICOM, behind the pixels": lambda text: dicom_file(b"by " + text),
    "PNG, behind the picture": lambda text: png(b"tEXt", b"T\0x") + b"by " + text,
    "JPEG, behind the picture": lambda text: b"\xff\xd8\xff\xda\0\0\xff\xd9by " + text,
    "xlsx, its author": lambda text: workbook(text.decode()),
    "Parquet, its metadata": parquet_with,
}  # fmt: skip


@pytest.mark.parametrize("value", ["Canary", "欧阳", "00731942"])
@pytest.mark.parametrize("pack", TAILS.values(), ids=TAILS.keys())
def test_short_values_are_found_where_files_hold_more_than_their_array(tmp_path, pack, value):
    one = [Identity("name", "t", "Canary^Anna"), NAME, HOSPITAL_NUMBER]
    (tmp_path / "a").write_bytes(pack(value.encode()))
    assert found(tmp_path, Search(patterns_of(one)[0]))


@pytest.mark.parametrize("value", ["欧阳^小冬", CANARY], ids=["name", "id"])
@pytest.mark.parametrize("pack", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_values_are_found_in_every_container(tmp_path, search, pack, value):
    (tmp_path / "a").write_bytes(pack(value))
    assert found(tmp_path, search)


@pytest.mark.parametrize("compressed", [True, False])
def test_headers_of_volumes_are_looked_into(tmp_path, search, compressed):
    image = sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16))
    image.SetMetaData("operator", CANARY)
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"), useCompression=compressed)
    assert found(tmp_path, search) == {("id", "(0010,0020)")}


def test_voxels_are_looked_into(tmp_path, search):
    voxels = np.zeros((8, 8, 8), np.uint8)
    voxels.ravel()[:20] = np.frombuffer(CANARY.encode(), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "a.nrrd"), useCompression=True)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "b.nii.gz"))
    leaks = scan([tmp_path], search).leaks
    assert {leak.file.rsplit("/")[-1] for leak in leaks} == {"a.nrrd", "b.nii.gz"}


def test_noise_holds_nothing(tmp_path, search):
    noise = np.random.default_rng(0).integers(0, 256, 12_000_000, dtype=np.uint8).tobytes()
    (tmp_path / "noise").write_bytes(noise)
    table = pd.DataFrame(np.random.default_rng(0).normal(0, 1e6, (300, 100)))
    table.columns = [f"f{number}" for number in range(100)]
    table.to_csv(tmp_path / "table.csv")
    table.to_parquet(tmp_path / "table.parquet")
    (tmp_path / "text").write_bytes(base64.b64encode(noise[:1_500_000]))
    (tmp_path / "hex").write_bytes(noise[:1_500_000].hex().encode())
    assert found(tmp_path, search) == set()


def many_patients(count: int = 150, seed: int = 0) -> list[Identity]:
    """Return names of 4 to 8 letters, ids of 6 to 9 digits and days of `count` drawn patients."""
    rng = np.random.default_rng(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def word(length):
        return "".join(rng.choice(list(letters), length)).title()

    drawn = []
    for _ in range(count):
        name = f"{word(rng.integers(4, 9))}^{word(rng.integers(4, 9))}"
        number = "".join(map(str, rng.integers(1, 10, rng.integers(6, 10))))
        drawn += [Identity("name", "n", name), Identity("id", "i", number)]
        drawn.append(Identity("date", "d", f"{rng.integers(1930, 2000)}0{rng.integers(1, 10)}11"))
    return drawn


def smooth_ct(rng, shape=(40, 256, 256)) -> np.ndarray:
    """Return soft tissue as a CT of 16 bits has it: 50 HU, noise of 6 HU that neighbours share."""
    noise = rng.normal(0, 12, shape)
    for axis in range(3):
        noise = (noise + np.roll(noise, 1, axis)) / 2
    return np.rint(60 + 2 * noise).astype("<i2")


def test_chance_brings_no_alarm_at_the_size_of_a_study(tmp_path):
    """Voxels of 8, 16 and 32 bits, packed bytes, base64, hashes and tables of measurements."""
    rng = np.random.default_rng(3)
    search = Search(patterns_of(many_patients())[0])
    ct = smooth_ct(rng)
    noise = rng.integers(0, 256, 8_000_000, dtype=np.uint8).tobytes()
    (tmp_path / "ct.nrrd").write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 256 256 40\nencoding: raw\n\n" + ct.tobytes()
    )
    np.save(tmp_path / "grey.npy", np.clip(ct, 0, 255).astype(np.uint8))
    np.save(tmp_path / "crop.npy", ct.astype(np.float32) / 7)
    (tmp_path / "noise").write_bytes(noise)
    (tmp_path / "page.html").write_bytes(
        b"<img src='data:;base64," + base64.b64encode(noise) + b"'>"
    )
    digests = [noise[at : at + 32].hex() for at in range(0, 640_000, 32)]
    (tmp_path / "digests.txt").write_text("\n".join(digests))
    table = pd.DataFrame(rng.lognormal(13, 1, (300, 300)))
    table.columns = [f"f{number}" for number in range(300)]
    table.to_csv(tmp_path / "table.csv")
    table.round().to_parquet(tmp_path / "whole.parquet")
    assert found(tmp_path, search) == set()


PLANTED = "Kanarienvogel Synthetica"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("kind", ["zeros", "noise", "ct", "grey"])
def test_a_name_among_voxels_is_found(tmp_path, kind, encoding):
    rng = np.random.default_rng(5)
    data = {
        "zeros": np.zeros(400_000, np.uint8),
        "noise": rng.integers(0, 256, 4_000_000, dtype=np.uint8),
        "ct": smooth_ct(rng, (8, 128, 128)).view(np.uint8).ravel(),
        "grey": np.clip(smooth_ct(rng, (8, 128, 128)), 0, 255).astype(np.uint8).ravel(),
    }[kind].copy()
    planted = Identity("name", "x", "KANARIENVOGEL^SYNTHETICA")
    search = Search(patterns_of([*many_patients(20), planted])[0])
    np.save(tmp_path / "a.npy", data)
    assert found(tmp_path, search) == set()
    text = np.frombuffer(PLANTED.encode(encoding), np.uint8)
    data[1000 : 1000 + len(text)] = text
    np.save(tmp_path / "a.npy", data)
    assert found(tmp_path, search) == {("name", "x")}


def test_grey_values_that_are_six_digits_by_chance_are_told_as_such(tmp_path):
    rng = np.random.default_rng(1)
    voxels = np.rint(rng.normal(40, 15, 40_000)).astype("<i2")
    voxels[500:506] = [ord(one) for one in "731942"]
    np.save(tmp_path / "a.npy", voxels)
    search = Search(patterns_of([*many_patients(30), Identity("id", "x", "731942")])[0])
    outcome = scan([tmp_path], search)
    assert not outcome.leaks
    assert outcome.chance > 0
    assert "matches in binary data are what chance brings" in summary(outcome, 1, [])


WORDS_OF_FORMATS = ("Creator", "Library", "Field", "Block", "Page", "Strong", "Small", "Anchor",
                    "Helvetica", "Geneva", "Avant", "Fisher", "Encoding", "Superior", "Legend",
                    "Hausdorff", "Severity", "Execute")  # fmt: skip


def write_as_programs_do(folder) -> None:
    """Write what libraries and this program write, with nobody's name in it."""
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("agg")
    folder.mkdir()
    table = pd.DataFrame({"case_id": ["P001"], "reader": ["A"], "hausdorff95_mm": [1.5]})
    table.to_parquet(folder / "plain.parquet")
    table.set_index("case_id").to_parquet(folder / "index.parquet")
    figure, axes = plt.subplots()
    axes.plot([0, 1], label="one")
    axes.legend()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(folder / "1.svg")
    figure.savefig(folder / "1.png")
    plt.close(figure)
    sitk.WriteImage(sitk.Image([4, 4, 4], sitk.sitkInt16), str(folder / "1.nrrd"), True)
    finding = json.dumps([{"severity": "warning", "message": "m", "remedy": "r"}])
    pd.DataFrame({"findings": [finding]}).to_csv(folder / "findings.csv")
    (folder / "1.html").write_text(
        "<p>Fisher&#39;s exact test <strong>2</strong> <small>3</small></p>"
    )


@pytest.mark.parametrize("word", WORDS_OF_FORMATS)
def test_a_person_called_like_a_word_of_a_format_is_no_alarm_there_and_one_elsewhere(
    tmp_path, word
):
    search = Search(patterns_of([Identity("name", "(0010,0010)", f"{word}^Canaryne")])[0])
    write_as_programs_do(tmp_path / "clean")
    outcome = scan([tmp_path / "clean"], search)
    assert not outcome.leaks, summary(outcome, 1, [])
    texts = (f"drawn by {word} in March", word, f'{{"surgeon": "{word}"}}', f"P001,{word},1",
             f"<td>{word}</td>", f"{word}, Canaryne", f"segment {word} L1")  # fmt: skip
    for text in texts:
        (tmp_path / "leak.txt").write_text(text)
        assert scan([tmp_path / "leak.txt"], search).leaks, text
    pd.DataFrame({"surgeon": [word], "x": [1]}).to_parquet(tmp_path / "leak.parquet")
    assert scan([tmp_path / "leak.parquet"], search).leaks
    pd.DataFrame({f"seen_by_{word}": [1]}).to_parquet(tmp_path / "leak.parquet")
    assert scan([tmp_path / "leak.parquet"], search).leaks


def test_an_own_word_stays_it_where_tags_and_line_breaks_are_taken_out(tmp_path):
    search = Search(patterns_of([Identity("name", "x", "Fisher^Canaryne")])[0])
    (tmp_path / "a.html").write_text("<td>a</td><td>Fisher's exact test</td><td>b</td>")
    assert not scan([tmp_path], search).leaks
    (tmp_path / "a.html").write_text("<td>Fisher's exact test</td><td>Fis<b>her</b> came</td>")
    assert scan([tmp_path], search).leaks


def test_four_letters_in_base64_are_no_name_and_in_a_path_they_are(tmp_path):
    search = Search(patterns_of([*many_patients(30), Identity("name", "x", "Kern^Test")])[0])
    run = base64.b64encode(np.random.default_rng(2).bytes(90)).decode()
    (tmp_path / "a.html").write_text(f"src='{run}/KerN+{run}'")
    assert found(tmp_path, search) == set()
    for text in (
        "/data/hospital/images/of/Kern/and/others/of/the/same/ward",
        "a Kern b", f"{run} Kern",
    ):  # fmt: skip
        (tmp_path / "a.html").write_text(text)
        assert found(tmp_path, search) == {("name", "x")}, text


def test_a_column_of_ids_is_found_among_measurements(tmp_path):
    ids = [f"7{number:05d}" for number in range(31942, 31992)]
    search = Search(patterns_of([Identity("id", "x", one) for one in ids])[0])
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"energy": np.round(rng.lognormal(13, 0.3, 50))})
    table.loc[7, "energy"] = float(ids[3])
    table.to_parquet(tmp_path / "a.parquet")
    assert found(tmp_path, search) == set()
    table["who"] = [float(one) for one in ids]
    table.to_parquet(tmp_path / "a.parquet")
    assert found(tmp_path, search) == {("id", "x")}


@given(st.integers(1, 10**7), st.integers(1, 10**12))
def test_less_than_one_scan_in_a_thousand_has_a_chance_hit(needles, size):
    bits = bits_needed(needles, size)
    assert needles * size * 2**-bits <= 1.001e-3


def test_bits_are_those_of_the_data():
    rng = np.random.default_rng(0)
    noise = Model(rng.integers(0, 256, 1_000_000, dtype=np.uint8).tobytes().lower())
    assert 54 < noise.bits(b"synthetic") <= 9 * 8  # two cases a letter
    tissue = Model(smooth_ct(rng, (8, 128, 128)).tobytes().lower())
    digits = "731942".encode("utf-16-le")
    assert tissue.bits(digits) < 36 < noise.bits(digits)
    assert not inside_run(b"a word of letters", 2, 6)


@pytest.mark.parametrize(
    "word",
    ["RTstruct", "RTSTRUCT", "Axial", "ORIGINAL PRIMARY", "MONOCHROME2", "CLOSED_PLANAR", "BINARY",
     "HFS", "Structure Set"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["text", "path", "private", "id", "institution"])
def test_words_of_dicom_are_no_identity(kind, word):
    patterns, left_out = patterns_of([Identity(kind, "t", word)])
    assert not patterns
    assert len(left_out) == 1


def test_names_that_are_words_of_dicom_are_searched(tmp_path):
    search = Search(patterns_of([Identity("name", "x", "Sharp^Synthetica")])[0])
    (tmp_path / "a.txt").write_text("of Sharp")
    assert found(tmp_path, search)
    assert patterns_of([Identity("name", "x", "Li^Wu")])[0]


@pytest.mark.parametrize(
    "text",
    [
        "a number 0.19500203 or 119500203 or 3.19500203e5",
        "file 10073194255.csv",
        "1.3.12.2.1107.5.1.4.7331.300000112233445566778",
        "a mark of grace, the patient's head",
        "1950-02-13",
    ],
)
def test_parts_of_numbers_and_common_words_are_no_leak(tmp_path, search, text):
    (tmp_path / "a.txt").write_text(text)
    assert found(tmp_path, search) == set()


def test_time_of_day_is_no_leak_in_a_timestamp_of_the_run(tmp_path):
    search = Search(patterns_of([Identity("time", "(0008,0030)", "134502.250000")])[0])
    (tmp_path / "a.log").write_text(
        "2026-01-02 13:45:02,123 INFO\n[Fri Jan  2 13:45:02 2026]\n2026-01-02T13:45:02\n"
    )
    assert found(tmp_path, search) == set()
    for text in ("study at 13:45:02", "134502.250000", "t=134502"):
        (tmp_path / "b.log").write_text(text)
        assert found(tmp_path, search) == {("time", "(0008,0030)")}


STAMPS = {
    "a line of a log": ("2020-01-31 13:42:18,250 INFO begun", set()),
    "a log of Snakemake": ("Date: 2020-01-31 13:42:18", set()),
    "its name": ("2020-01-31T134218.659220.snakemake.log", set()),
    "with the time of the header": ("2020-01-31 13:42:17,250", {"date"}),
    "a date alone": ("scanned 2020-01-31", {"date"}),
    "a date in another form": ("31.01.2020 13:42:18", {"date"}),
    "of another day": ("2020-02-01 13:42:18", {"date"}),
}


@pytest.mark.parametrize(("text", "kinds"), STAMPS.values(), ids=STAMPS.keys())
def test_the_day_of_the_run_is_no_leak_in_its_timestamps(tmp_path, text, kinds):
    identities = [Identity("date", "x", day) for day in ("20200131", "20200201")]
    identities.append(Identity("time", "x", "134217"))
    (tmp_path / "a.log").write_text(text)
    day = datetime.datetime(2020, 1, 31, 12, tzinfo=datetime.UTC).timestamp()
    os.utime(tmp_path / "a.log", (day, day))
    leaks = scan([tmp_path / "a.log"], Search(patterns_of(identities)[0])).leaks
    assert {leak.kind for leak in leaks} == kinds


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
    patterns, left_out = patterns_of([Identity(kind, "t", value)])
    assert not patterns
    assert len(left_out) == 1


def test_short_names_are_searched_together(tmp_path):
    search = Search(patterns_of([Identity("name", "(0010,0010)", "Li^Wei")])[0])
    (tmp_path / "a.txt").write_text("of Li Wei, in li_wei.csv")
    (tmp_path / "b.txt").write_text("the reliability of weights")
    assert [leak.file.rsplit("/")[-1] for leak in scan([tmp_path], search).leaks] == ["a.txt"]


def test_long_texts_are_found_by_their_lines(tmp_path):
    text = "Called from the ward. Dr. Knöterich asks for a copy.\n" + "x" * 300
    search = Search(patterns_of([Identity("text", "(0020,4000)", text)])[0])
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
    search = Search(patterns_of(of_header(header))[0])
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
    search = Search(patterns_of(of_header(header))[0])
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
