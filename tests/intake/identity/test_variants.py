"""Spellings of a name, an id and a date: each is found, and other texts are none."""

from __future__ import annotations

import base64
import datetime
import json
import urllib.parse

import pytest
from anyascii import anyascii
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.identity.byte_search import Search
from intake.identity.variants import date_forms, forms
from pipeline.imaging.dicom.dicom_identity import Identity
from tests.support.identities import (
    found,
)

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
    search = Search([Identity("name", "(0010,0010)", header)])
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
    search = Search([Identity(kind, "t", value)])
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
    assert found(tmp_path, Search(some)) == set()


def test_other_spellings_in_other_encodings(tmp_path):
    search = Search([Identity("name", "x", "MUELLERSTEIN^HAENSEL")])
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
    search = Search(names)
    (tmp_path / "a.bin").write_bytes(b"before " + encode("欧阳^小冬") + b" after")
    assert found(tmp_path, search)
