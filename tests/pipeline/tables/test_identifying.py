"""Columns that say who the patients are are refused at every door, and no value is quoted."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tables.identifying.checks import (
    NOT_SHOWN,
    column_kind,
    header_kind,
    is_pseudonym,
    shown,
    shown_id,
    shown_path,
)
from pipeline.tables.identifying.dates import has_date

CANARY = "PHI-CANARY-0010-0010"

HEADERS = {
    "name": [
        "Name, Vorname", "Nachname", "VORNAME", "PatientName", "patient_name", "Nom, Prénom",
        "Apellidos", "Cognome e Nome", "Achternaam", "Fornavn", "Sukunimi", "Nazwisko", "Příjmení",
        "Ad Soyad", "Họ và tên", "Фамилия", "ФИО", "姓名", "患者姓名", "氏名", "환자명", "Surname",
        "Last name", "First Name (given)", "initials", "Vor- und Nachname",
        "Pat.-Name", "Patient's name",
    ],
    "birth": [
        "geb. am", "Geb.-Datum", "D.O.B.", "DoB", "Geburtsdatum", "DOB", "Date of Birth",
        "birth_date",
        "PatientBirthDate", "Date de naissance", "Né(e) le", "Fecha de nacimiento",
        "Data di nascita", "Geboortedatum", "Fødselsdato", "Födelsedatum", "Data urodzenia",
        "Doğum Tarihi", "Ngày sinh", "Дата рождения", "出生日期", "生年月日", "생년월일",
    ],
    "id": [
        "MRN", "Hospital No.", "Fallnummer", "Fall-Nr.", "Aufnahmenummer", "Accession Number",
        "Krankenversichertennummer", "Codice fiscale", "PESEL", "Personnummer", "住院号", "病歷號",
        "身份证号", "患者番号", "등록번호", "СНИЛС",
    ],
    "contact": ["Telefon", "E-Mail", "Straße", "PLZ", "home_address", "电话", "地址", "Zip Code"],
}  # fmt: skip

ORDINARY = [
    "name_of_implant", "surname_of_device", "first_name_of_drug", "poids_de_naissance",
    "Handy_grip",
    "implant_name", "BMI", "age", "sex", "surgeon", "level", "birth_weight",
    "number_of_levels", "hospital", "hospital_days", "initial_height", "capacity",
    "case_mix", "id", "patient_id", "case_id", "scan_id", "site", "reader", "enrolment",
    "days_from_surgery", "date_of_nothing", "T_score", "cement_ml", "smoker", "ASA", "NRS", "cpr",
    "native_phase", "nif", "ipp", "original_firstorder_Mean", "Telefonica", "streetlevel", "DXA",
    "data", "zipper", "Adipositas", "Imec", "nomogram", "Enamel", "vornamentlich", "geburtlich",
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "header"), [(kind, one) for kind, many in HEADERS.items() for one in many]
)
def test_headers_that_identify_are_known(kind, header):
    assert header_kind(header) == kind


@pytest.mark.parametrize("header", ORDINARY)
def test_ordinary_headers_are_none(header):
    assert header_kind(header) is None


DATES = [
    "1958-03-10", "1958/3/10", "10.03.1958", "10. 3. 1958", "10/03/1958", "3/10/1958", "10-3-1958",
    "10 03 1958", "10. März 1958", "10 March 1958", "March 10, 1958", "10th of March 1958",
    "10-Mar-58", "10MAR1958", "1958 Mar 10", "10 de marzo de 1958", "1er mars 1958",
    "10 marzo 1958", "10 марта 1958", "10 Mart 1958", "10 marca 1958", "1958年3月10日",
    "一九五八年三月十日", "1958년 3월 10일", "昭和33年3月10日", "S33.3.10", "10/03/2501",
    "1958-03-10T00:00:00", "op 3.2.1950, good", "March 1958", "１９５８年３月１０日",
]  # fmt: skip


@pytest.mark.parametrize("text", DATES)
def test_a_date_in_any_notation_is_one(text):
    assert has_date(text)
    assert column_kind("x", ["L1", text]) == "date"
    assert shown(text) == NOT_SHOWN


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)), st.sampled_from("-/. "))
def test_every_day_is_a_date(day, mark):
    for order in ((day.year, day.month, day.day), (day.day, day.month, day.year)):
        assert has_date(mark.join(map(str, order)))
    assert has_date(f"{day:%d %B %Y}")
    assert has_date(f"{day:%b %d, %Y}")


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-10_000, 10_000_000))
def test_numbers_are_no_dates(value, whole):
    assert not has_date(repr(value))
    assert not has_date(str(whole))
    assert shown(f"{value:.4f}") == f"{value:.4f}"


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("op", ["3/10/58", "11/12/60", "1/2/59"]),
        ("op", ["19580310", "19591224", "19600101"]),
        ("OP-Datum", ["43831", "43999", "44001"]),
        ("x", ["2019-05", "2020-06", "2020-07"]),
    ],
)
def test_columns_of_short_dates_are_known_together(header, values):
    assert column_kind(header, values) == "date"


PERSONAL = {
    "family, given": (
        "name",
        "x",
        ["Canaryman, Synthetica", "Testfrau, Exempla", "Von Probe, Ida"],
    ),
    "DICOM": ("name", "x", ["CANARYMANN^SYNTHETICA", "L1"]),
    "a title": ("name", "surgeon", ["Dr. Canarymann", "B"]),
    "given names": ("name", "x", ["Anna C.", "Peter C.", "Maria C.", "Hans C."]),
    "Chinese": ("name", "x", ["张金丝雀", "王雀", "李金丝"]),
    "below `Name`": ("name", "Name", [CANARY + " a", CANARY + " b"]),
    "hospital numbers": ("id", "Patienten-ID", ["07300001", "07300002"]),
    "leading zeros": ("id", "x", ["0073001", "0073002", "0073003"]),
    "with letters": ("id", "x", ["H-7300001", "H-7300002", "H-7300003"]),
    "UID": ("uid", "x", ["1.2.826.0.1.3680043.10.999.77.1"]),
    "mail": ("contact", "x", ["canary@example.org"]),
}


@pytest.mark.parametrize(("kind", "header", "values"), PERSONAL.values(), ids=PERSONAL)
def test_columns_are_known_by_their_values(kind, header, values):
    assert column_kind(header, values) == kind


CLINICAL = {
    "surgeon": ["A", "B", "C"] * 20,
    "operator": ["Surgeon A", "Surgeon B", "Surgeon C"] * 4,
    "implant": ["Alpha Expander", "Beta Jack", "Gamma Balloon"] * 5,
    "diagnosis": ["Burst fracture", "Wedge fracture", "Split"] * 9,
    "severity": ["严重", "轻度", "高血压"] * 9,
    "AO": ["A3.1.2", "B2", "C"],
    "ICD": ["S32.0", "M80.8", "S22.0"],
    "levels": ["L1", "T12", "L1-L2", "L1/L2"],
    "platelets": ["250000", "300000", "123456"],
    "cells": ["4500000", "5100000", "4900000"],
    "days to date of surgery": ["12345", "9999", "6000"],
    "ratio": ["1/2", "3/4", "2 of 3", "4 out of 12"],
    "volume": ["12345678.5", "20190503.25", "19580310.75"],
    "software": ["1.2.3", "v2.0", "3.1.0"],
    "number": ["1", "2", "3"],
    "name": ["A1", "B2", "C3"],
    "site": ["Berlin", "Paris", "Florence"] * 9,
    "note": ["May be 20", "good", "see report"],
    "id": ["P001", "P002", "P003"],
}


@pytest.mark.parametrize(("header", "values"), CLINICAL.items(), ids=CLINICAL)
def test_ordinary_columns_are_none(header, values):
    assert column_kind(header, values) is None


def test_ids_are_quoted_where_they_are_codes():
    for code in ("P001", "sub-07", "S001-ct1-L1", "Lipo-017_0", "x y", "b", "12"):
        assert is_pseudonym(code)
        assert shown_id(code) == code
    for bad in ("Canarymann", "CANARY01", "0073194", "1958-03-10", "Kanarienvögel", CANARY):
        assert shown_id(bad) == NOT_SHOWN
    assert shown_path("masks/P001_L1_A.nii.gz") == "masks/P001_L1_A.nii.gz"
    assert "anary" not in shown_path("masks/Canarymann_L1.nii.gz")


@pytest.mark.parametrize(
    "header", ["phone_interview", "street_drugs", "email_consent", "address_change"]
)
def test_a_header_that_pairs_a_contact_with_a_thing_is_no_contact(header):
    assert header_kind(header) is None


@pytest.mark.parametrize("header", ["N° dossier", "URN", "Nº Historia", "NHS"])
def test_more_headers_of_hospital_numbers(header):
    assert header_kind(header) == "id"


def test_findings_are_no_people():
    found = ["Diabetes, Hypertension", "Infection, Deep", "Asthma, Copd", "None, Other"]
    assert column_kind("comorbidities", found) is None
    people = ["Canary, Anna", "Canary; Berta", "Canary, Carl (1950)", "Canary, Dora"]
    assert column_kind("remark", people) == "name"


# Variants of the same signs: what must be known, and what must not.


def cells(values: str | list[str]) -> list[str]:
    return values if isinstance(values, list) else values.split("|")


MORE_PEOPLE = {
    "plain numbers": ("id", "x", [str(73194001 + 7919 * n) for n in range(12)]),
    "plain numbers of seven": ("id", "hospital_ref", [str(7319401 + 79 * n) for n in range(5)]),
    "plain numbers of ten digits": ("id", "KIS", [str(7319400001 + 7919 * n) for n in range(5)]),
    "initial": ("name", "x", "A. Canarymann|B. Testfrau|C. Probe|D.-E. Muster"),
    "initial after": ("name", "operator_note", (
        "Canarymann A.|Testfrau, B.|Probe C.|Muster D."
    )),
    "semicolon": ("name", "x", "Canarymann;Anna|Testfrau;Peter|Probe;Maria"),
    "semicolon2": ("name", "x", "Canarymann;Synthetica|Testfrau;Exempla|Probe;Ida"),
    "lower": ("name", "x", (
        "canarymann, anna|testfrau, peter|probe, synthetica|muster, exempla"
    )),
    "year": ("name", "x", (
        "Canarymann, Anna (1950)|Testfrau, Exempla (1951)|Probe, Ida (1960)"
    )),
    "surnames": ("name", "x", (
        "Müller|Schmidt|Canarymann|Testfrau|Novak|Johnson|Probeberg|Weber|Kowalski|"
        "Muster"
    )),
    "phones": ("contact", "x", "+49 170 1234567|0170/1234567|(030) 123456-7"),
    "upper comma": ("name", "x", "CANARYMANN, ANNA|TESTFRAU, PETER|PROBE, IDA"),
    "Name, Vorname, Gewicht": ("name", "Name, Vorname, Gewicht", (
        "Canarymann, Anna, 70|Testfrau, Peter, 80|Probe, Ida, 60"
    )),
    "name weight2": ("name", "Name, Vorname, Gewicht", (
        "Canarymann, Anna|Testfrau, Peter|Probe, Ida"
    )),
    "case no": ("id", "Case No.", "7300001|7300002"),
}  # fmt: skip

NOBODY = {
    "volumes": ("volume_mm3", [str(1500000 + 3571 * n) for n in range(20)]),
    "volumes of a liver": ("liver", [str(1500000 + 3571 * n) for n in range(20)]),
    "energy": ("original_firstorder_Energy", [str(15000000 + 3571 * n) for n in range(20)]),
    "vendors": ("vendor", (
        "Siemens Healthineers|Canon Medical|GE Healthcare|Philips Healthcare|"
        "Fujifilm Medical|Hitachi Medical|United Imaging|Toshiba Medical|"
        "Neusoft Medical|Shimadzu Corporation"
    )),
    "vendors1": ("vendor", (
        "Siemens|Philips|Canon|Fujifilm|Hitachi|Toshiba|Neusoft|Shimadzu|Hologic|"
        "Samsung"
    )),
    "inf": ("x", "Infection, Deep|Infection, Superficial|Haematoma, Acute"),
    "dia": ("x", (
        "Diabetes, Hypertension|Asthma, Diabetes|Cholecystitis, Acute|"
        "Lymphoma, Follicular"
    )),
    "dia lower": ("x", "diabetes, hypertension|asthma, copd|none, other"),
    "cn": ("诊断", "高血压|黄疸|白内障|马尾综合征|石膏固定"),
    "cn2": ("x", "高血压病|金葡菌感染|胡桃夹征|万古霉素"),
    "lot": ("lot", "A123456|B123457|C999999"),
    "lot2": ("implant_lot_no", "A123456|B123457|C999999"),
    "serial": ("screw_serial", "12345678|12345679|22345679"),
    "towns": ("town", (
        "Berlin|Paris|Florence|Hamburg|London|Madrid|Lisbon|Vienna|Prague"
    )),
    "drugs": ("drug", (
        "Zoledronate|Alendronate|Denosumab|Teriparatide|Romosozumab|Ibandronate|"
        "Raloxifene|Risedronate"
    )),
    "cells": ("cells", "4500123|5100456|4900789|5000111"),
    "diagnoses": ("diagnosis", (
        "Osteoporosis|Myeloma|Metastasis|Trauma|Infection|Haemangioma|Spondylitis|"
        "Osteomyelitis|Lymphoma|Kyphosis"
    )),
    "comments": ("note", "Good|Improved|Unchanged|Worse|Excellent|Fair|Poor|Lost"),
    "approach": ("approach", "Left, Anterior|Right, Posterior|Left, Posterior"),
    "levels": ("levels", "L1, L2|T12, L1|L3, L4"),
    "E coli": ("pathogen", "S. aureus|E. coli|K. pneumoniae|P. aeruginosa"),
    "muscles": ("muscle", (
        "Psoas|Multifidus|Erector|Quadratus|Trapezius|Latissimus|Rhomboid|Gluteus|"
        "Iliacus"
    )),
    "countries": ("country", (
        "Germany|France|Spain|Italy|Poland|Norway|Sweden|Finland|Denmark|Iran|Pakistan|"
        "Jordan"
    )),
    "models": ("scanner", (
        "Somatom Force|Aquilion One|Revolution CT|Ingenuity Core|Optima Prime|"
        "Discovery Wide|Brilliance Big|Scenaria View"
    )),
    "comma words": ("treatment", "Rest, Brace|Brace, Exercise|Surgery, Brace"),
    "cities comma": ("place", "Berlin, Germany|Paris, France|Rome, Italy"),
    "colors": ("c", "Red|Green|Brown|White|Black|Gray|Pink|Blue"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "header", "values"), MORE_PEOPLE.values(), ids=MORE_PEOPLE)
def test_people_in_other_spellings_are_known(kind, header, values):
    assert column_kind(header, cells(values)) == kind


@pytest.mark.parametrize(("header", "values"), NOBODY.values(), ids=NOBODY)
def test_makers_findings_places_and_measurements_are_nobody(header, values):
    assert column_kind(header, cells(values)) is None


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        *[("birth", one) for one in ("Geburtsjahr", "Birth year", "Year of birth", "YOB", "出生年",
                                     "Année de naissance", "DOB (dd/mm)", "patientdob")],
        *[("name", one) for one in ("namepatient", "patientlastname", "lastnamepatient", "PtName",
                                    "First names", "GP name", "联系人", "Name (Patient)")],
        *[("id", one) for one in ("UR number", "UR No", "Aufnahme-Nr.", "KG-Nr", "MR No.", "NHS",
                                  "N° dossier", "X-ray no", "med rec no", "Aktenzeichen")],
        *[("contact", one) for one in ("Mobile No", "Tel.-Nr.", "PLZ/Ort", "patient_phone",
                                       "phone (home)", "Straße, Nr")],
    ],
)  # fmt: skip
def test_headers_in_other_spellings_are_known(kind, header):
    assert header_kind(header) == kind


@pytest.mark.parametrize("header", ["Case No.", "ID No", "Pat-Nr", "record number", "accession"])
def test_numbers_of_cases_are_known_by_their_length(header):
    assert column_kind(header, ["7300001", "7300002", "7300009"]) == "id"
    assert column_kind(header, ["1", "2", "3"]) is None


@pytest.mark.parametrize(
    "header",
    [
        "phone_interview",
        "street_drugs",
        "email_consent",
        "address_change",
        "name_of_implant",
        "surgeon",
        "birth_weight",
        "surname_of_device",
        "first_name_of_drug",
        "poids_de_naissance",
        "Handy_grip",
        "initials_reader",
        "case",
        "case_id",
        "patient_id",
        "subject",
        "hospital",
        "site",
        "center",
        "reader",
        "age",
        "sex",
        "weight",
        "email_sent",
        "telephone_followup",
        "phone_call_done",
        "mobile_bearing",
        "mobility",
        "mobile",
        "street_access",
        "home_exercise",
        "zip_line",
        "address_of_pain",
        "contact_sport",
        "contact",
        "urn_type",
        "number_of_levels",
        "record_complete",
        "case_number_of_screws",
        "date_known",
        "tel_aviv_score",
        "nominal",
        "nombre_de_vis",
        "nom_implant",
        "numero_vertebre",
        "nr_screws",
        "birth_order",
        "birth_country",
        "place",
        "name_brand",
        "namedrug",
        "brand_name",
        "drug_name",
        "product name",
        "implant_name",
        "study_name",
        "file_name",
        "filename",
        "image_name",
        "mask_name",
        "feature_name",
        "software name",
        "hospital_name",
        "phone_survey",
        "address_bias",
        "x_ray_number_of_views",
        "MRI no",
        "ID",
        "nhs_hospital",
        "accession_to_care",
        "postcode_deprivation",
        "deprivation_index",
        "zip_income",
        "insurance_type",
        "insurance",
        "mobile_phone_use",
        "smartphone",
        "email_reminder",
        "physician",
        "family_history",
        "family history",
        "first_name_bias",
        "original_firstorder_Mean",
        "Year",
        "year of surgery",
        "op_year",
        "initial_pain",
        "initial",
        "initials_pain",
        "last_visit",
        "name",
        "names",
    ],
)
def test_more_ordinary_headers_are_none(header):
    assert header_kind(header) is None
