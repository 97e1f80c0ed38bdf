"""Files within files: what they hold is searched, and what they hold by chance is no alarm."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import lzma
import pickle
import sqlite3
import struct
import tarfile
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

from intake.identity.byte_search import Search
from intake.phi_scan import scan
from pipeline.imaging.dicom.dicom_identity import Identity
from tests.support.identities import (
    CANARY,
    HOSPITAL_NUMBER,
    NAME,
    found,
    zipped,
)


def png(chunk: bytes, data: bytes) -> bytes:
    def one(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = one(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = one(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + one(chunk, data) + pixels + one(b"IEND", b"")


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
    assert found(tmp_path, Search(one))


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
