"""People who do not exist, and the search for them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from intake.identity.byte_search import Search
from intake.phi_scan import scan
from pipeline.imaging.dicom.dicom_identity import Identity

CANARY = "PHI-CANARY-0010-0010"
NAME = Identity("name", "(0010,0010)", "Żółkiewska^Bronisława=欧阳^小冬=오양^소동")
BIRTH = Identity("date", "(0010,0030)", "19500203")
UID = Identity("uid", "(0020,000D)", "1.3.12.2.1107.5.1.4.7331.30000011223344556677")
ID = Identity("id", "(0010,0020)", CANARY)
HOSPITAL_NUMBER = Identity("id", "(0010,0020)", "00731942")
IDENTITIES = [NAME, BIRTH, UID, ID, HOSPITAL_NUMBER]


def found(folder: Path, search: Search) -> set[tuple[str, str]]:
    """Return kind and tag of what is found in a folder, each file of which can be read."""
    outcome = scan([folder], search)
    assert not outcome.unreadable
    return {(leak.kind, leak.tag) for leak in outcome.leaks}


def zipped(text: bytes, *, name: str = "a.txt", comment: bytes = b"") -> bytes:
    """Return an archive of one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, text)
        opened.comment = comment
    return stream.getvalue()
