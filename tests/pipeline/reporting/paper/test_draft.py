"""The draft of a paper from a real small run: text, checklists, tables, figures."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pandas as pd
import pytest
import yaml
from docx import Document
from openpyxl import load_workbook

from pipeline.reporting.blocks import Section, Table
from pipeline.reporting.figures.models import roc_figure
from pipeline.reporting.paper import draft, image_methods
from pipeline.reporting.paper.checklists import (
    ABSENT,
    ANSWERED,
    AUTHORS,
    FACTS,
    PARTLY,
    answers,
    checklists,
    checklists_of,
    find,
    left_out,
    metrics_score,
)
from pipeline.reporting.paper.citations import bibtex, cited_keys, csl_json, printed_work, works
from pipeline.reporting.paper.documents import write_table
from pipeline.reporting.paper.fact import ASKED
from pipeline.reporting.paper.findings import findings
from pipeline.reporting.paper.methods import methods
from pipeline.reporting.paper.passages import GAP
from pipeline.reporting.paper.workbook import write_workbook
from pipeline.reporting.results import Optimism
from pipeline.reporting.sections.prediction.added_value import added_value_section
from pipeline.reporting.sections.prediction.models import model_labels, performance_section
from pipeline.reporting.sections.prediction.selection import selection_section
from pipeline.study.sections.reporting import Reporting
from tests.support.options import every_option

CANARY = "PHI-CANARY-0010-0010"


@pytest.fixture(scope="module")
def results(lr_results):
    return lr_results


def changed(results, **options):
    """Return results whose configuration differs, nested options as ``selection__mrmr__k``."""
    config = json.loads(json.dumps(results.study.config))
    for name, value in options.items():
        *outer, last = name.split("__")
        inner = config
        for key in outer:
            inner = inner[key]
        inner[last] = value
    return replace(results, study=replace(results.study, config=config))


def text_of(passages):
    return " ".join(text for _, some in passages for text in some)


def state_of(results, checklist, number):
    given = {answer.no: answer for answer in answers(results, checklists()[checklist])}
    return given[number].state


def test_methods_say_what_was_run_and_mark_what_is_missing(results):
    text = text_of(methods(results))
    assert "The outcome was pain of VAS 4 or more on day 3." in text
    assert "2 parameter sets a model and phase) with 3-fold cross-validation" in text
    assert f"{GAP}ethics approval and consent.]" in text
    assert "Logistic regression" in text
    # Nothing of images in a study of ready tables.
    assert "SimpleITK" not in text
    told = changed(results, reporting__ethics="approved by the committee of X (no. 1)")
    text = text_of(methods(told))
    assert "The study was approved by the committee of X (no. 1)." in text
    assert f"{GAP}ethics approval" not in text


def test_steps_that_are_off_are_not_written(results):
    assert "[@peng2005mrmr]" in text_of(methods(results))
    assert "peng2005" not in text_of(methods(changed(results, selection__mrmr__k=None)))
    assert "rebalanced" not in text_of(methods(results))
    assert "[@he2008adasyn]" in text_of(methods(changed(results, oversampling="adasyn_tomek")))


def test_results_quote_the_tables(results):
    text = text_of(findings(results))
    row = results.modelling.evaluation.metrics.query("part == 'test' and metric == 'auroc'")
    assert f"Logistic regression {row['value'].iloc[0]:.2f}" in text
    assert "from clinical data alone" in text
    # A sentence of the page says "None was declared" below its own heading.
    assert "No primary analysis was declared before the study ran" in text
    assert "None was declared" not in text


def judged_by(results, **tables):
    evaluation = replace(results.modelling.evaluation, **tables)
    return replace(results, modelling=replace(results.modelling, evaluation=evaluation))


def test_a_calibration_index_is_stated_or_why_it_is_not(results):
    table = results.modelling.evaluation.metrics.copy()
    of_index = (table["metric"] == "ici") & (table["part"] == "test")
    table.loc[of_index, ["value", "low", "high"]] = [0.0412, 0.02, 0.1]
    text = text_of(findings(judged_by(results, metrics=table)))
    assert "Its integrated calibration index was 0.041 (0.020 to 0.100)." in text
    table.loc[of_index, ["value", "low", "high"]] = float("nan")
    table.loc[of_index, "method"] = "undefined: too few units"
    changed_results = judged_by(results, metrics=table)
    text = text_of(findings(changed_results))
    assert "index could not be computed (too few units)." in text
    tables = {block.name: block for block in performance_section(changed_results).all_blocks()
              if isinstance(block, Table)}  # fmt: skip
    caption = tables["metrics-probabilities"].caption
    assert caption.endswith("Not defined: Integrated calibration index (too few units).")


def test_a_gain_is_stated_with_its_limit(results):
    curve = results.modelling.evaluation.decision_curve.copy()
    own = curve["model"] == "lr"
    at = curve["threshold"].round(2)
    curve.loc[own, "gain"] = at[own].between(0.2, 0.4) * 0.01
    curve.loc[own, "gain_low"] = at[own].between(0.25, 0.3) * 0.01
    text = text_of(findings(judged_by(results, decision_curve=curve)))
    assert (
        "at threshold probabilities of 0.20 to 0.40; the lower 95% limit of this gain was" in text
    )
    assert "above zero at 0.25 to 0.30 (limits at each threshold alone)." in text
    curve.loc[own, "gain_low"] = -0.01
    text = text_of(findings(judged_by(results, decision_curve=curve)))
    assert "above zero at none of them, so that the gain may be due to chance" in text
    curve.loc[own, "gain"] = 1e-15  # of rounding
    text = text_of(findings(judged_by(results, decision_curve=curve)))
    assert "exceeded that of treating all or nobody at no threshold probability" in text


def test_simulated_data_are_said_first(results):
    assert methods(results)[0].heading == "Study design and patients"
    told = changed(results, notice="All patients are synthetic.", simulated_reader="B")
    first = methods(told)[0]
    assert first.heading == "Note on the data"
    assert "All patients are synthetic." in first.paragraphs
    assert "The masks of reader B were made by a computer" in first.paragraphs[1]


def test_scanners_are_named_by_manufacturer_and_model(results):
    read = pd.DataFrame({
        "status": ["ok"] * 4, "manufacturer": ["Maker", "Maker", "Maker", None],
        "scanner": ["Swift 64", "Swift 64", None, None], "station": ["CT-WEST-1"] * 4,
    })  # fmt: skip
    text = image_methods.acquisition_text(replace(results, imaging=SimpleNamespace(ingest=read)))
    assert text == "scanners: Maker Swift 64 (2) and Maker (1)"


def validated(results, nested):
    """Return results with an AUROC in nested folds, and one of 0.7 corrected for optimism."""
    entry = results.modelling.nested["lr"]
    corrected = pd.DataFrame({"metric": ["auroc"], "corrected": [0.7]})
    modelling = replace(
        results.modelling,
        nested={"lr": replace(entry, info=entry.info | {"auroc": nested})},
        optimism={"lr": Optimism(corrected, {})},
    )
    return replace(results, modelling=modelling)


@pytest.mark.parametrize("search", ["full", "reduced", "fixed"])
def test_internal_validation_repeats_what_it_repeated(results, search):
    both = changed(validated(results, 0.7), nested__search=search, optimism__search="full")
    text = text_of(methods(both))
    said = {
        "full": "Internal validation repeated the whole procedure in nested cross-validation",
        "reduced": "repeated the whole procedure, searching fewer sets of parameters in nested",
        "fixed": "repeated selection and fit with the parameters of the final model in cross",
    }
    assert said[search] in text
    alone = "Internal validation repeated the whole procedure in a bootstrap correction"
    assert (alone in text) is (search != "full")


def test_corrected_figures_that_the_report_would_not_quote_are_not_quoted(results):
    quoted = "After correction for optimism it was"
    assert quoted in text_of(findings(validated(results, 0.65)))
    withheld = text_of(findings(validated(results, 0.55)))
    assert quoted not in withheld
    assert "Results corrected for optimism exceed it too far to be quoted for Logistic" in withheld


def test_every_cited_work_is_known(results):
    keys = cited_keys([text_of(methods(changed(results, oversampling="adasyn_tomek")))])
    assert set(keys) <= set(works())
    for key in works():
        assert printed_work(key).endswith(".")
    assert bibtex(["delong1988"]).startswith("@article{delong1988,\n  author = {DeLong, Elizabeth")
    item = csl_json(["riley2020size"])[0]
    assert item["issued"] == {"date-parts": [[2020]]}
    assert {"literal": "et al."} in item["author"]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("clear", 58),
        ("metrics", 30),
        ("tripod_ai", 52),
        ("claim_2024", 44),
        ("strobe", 34),
        ("rqs2", 42),
    ],
)
def test_items_are_whole_and_ask_for_known_facts(name, count):
    data = checklists()[name].data
    assert len(data["items"]) == count
    assert len({item["item"] for item in data["items"]}) == count
    assert all(data[key] for key in ("source", "licence", "version", "cite"))
    assert data["cite"] in works()
    options = {f"{ASKED}{option}" for option, _ in every_option(Reporting)}
    for item in data["items"]:
        assert item["authors"], item
        assert set(item.get("facts", [])) <= {*FACTS, *options}, item


def test_what_could_not_be_read_is_named():
    assert any(name.startswith("PROBAST") for name in left_out())


def test_the_weights_of_metrics_are_those_of_its_tool():
    weights = [item["weight"] for item in checklists()["metrics"].data["items"]]
    # The tool prints three decimals, whose sum is 1 but for rounding.
    assert sum(weights) == pytest.approx(1, abs=0.005)


def test_half_of_the_items_of_clear_need_no_author(results):
    given = answers(results, checklists()["clear"])
    assert sum(answer.state in (ANSWERED, PARTLY) for answer in given) >= 25
    for answer in given:
        assert bool(answer.value) == (answer.state in (ANSWERED, PARTLY)), answer
        assert bool(answer.file) == bool(answer.value), answer
        assert bool(answer.authors) == (answer.state != ANSWERED), answer


@pytest.mark.parametrize(
    ("checklist", "number", "before", "after", "options"),
    [
        ("metrics", "15", ANSWERED, ABSENT, {"selection__mrmr__k": None}),
        ("metrics", "14", ANSWERED, ABSENT, {"selection__ccc__threshold": None}),
        ("metrics", "18", ANSWERED, PARTLY, {"mode": "as_published"}),
        ("metrics", "27", ABSENT, ANSWERED, {"split__design": "by_site"}),
        ("metrics", "26", ANSWERED, ABSENT, {"split__design": "by_site"}),
        ("metrics", "4", AUTHORS, ANSWERED, {"reporting__centres": 3}),
        ("metrics", "4", AUTHORS, ABSENT, {"reporting__centres": 1}),
        ("clear", "11", AUTHORS, PARTLY,
         {"eligibility": [{"label": "adults", "formula": "age >= 18"}]}),
        ("clear", "8", AUTHORS, ANSWERED, {"reporting__ethics": "approved"}),
        ("clear", "32", ANSWERED, ABSENT, {"scaling__method": "none"}),
        ("clear", "18", PARTLY, ANSWERED, {"reporting__outcome_window": "day 3"}),
        ("claim_2024", "4", ABSENT, ANSWERED,
         {"primary": {"model": "lr", "part": "test", "metric": "auroc"}}),
        ("rqs2", "32", AUTHORS, ABSENT, {"reporting__design": "retrospective"}),
    ],
)  # fmt: skip
def test_an_answer_flips_when_its_fact_does(results, checklist, number, before, after, options):
    assert state_of(results, checklist, number) == before
    assert state_of(changed(results, **options), checklist, number) == after


def test_an_answer_flips_when_the_result_is_gone(results):
    assert state_of(results, "clear", "42") == ANSWERED
    info = {"status": "not_compared", "reason": "the study has no clinical candidate"}
    added = replace(results.modelling.added_value, info=info)
    without = replace(results, modelling=replace(results.modelling, added_value=added))
    assert state_of(without, "clear", "42") == ABSENT
    # Without a model the run shows nothing of its split: it may have been made elsewhere.
    assert state_of(replace(results, modelling=None), "clear", "15") == AUTHORS


def test_the_score_of_metrics_is_a_range(results):
    checklist = checklists()["metrics"]
    score = metrics_score(results, checklist)
    assert 0 < score.low < score.high < 100
    assert {"2", "5", "28"} <= set(score.open)
    # 17 is of end-to-end networks alone.
    assert not {"1", "14", "17", "26", "27"} & set(score.open)
    # What the run shows as not done lowers both ends; what is told closes the range from above.
    worse = metrics_score(changed(results, selection__mrmr__k=None), checklist)
    assert worse.low < score.low
    assert worse.high < score.high
    one = metrics_score(changed(results, reporting__centres=1), checklist)
    assert one.high < score.high
    assert one.low == pytest.approx(score.low)


def test_conditions_switch_items_off(results):
    checklist = checklists()["metrics"]
    manual = metrics_score(changed(results, reporting__segmentation="manual"), checklist)
    data = json.loads(json.dumps(checklist.data))
    data["items"] = [item for item in data["items"] if item["item"] not in ("9", "17")]
    by_hand = metrics_score(
        changed(results, reporting__segmentation="manual"), replace(checklist, data=data)
    )
    assert (manual.low, manual.high) == pytest.approx((by_hand.low, by_hand.high))


def test_a_fact_that_does_not_exist_is_refused(results):
    with pytest.raises(KeyError, match="nothing"):
        find(results, "nothing")


def test_which_checklists_a_study_gets(results):
    keys = [checklist.key for checklist in checklists_of(results)]
    assert keys == ["clear", "metrics", "rqs2", "tripod_ai", "claim_2024"]


@pytest.fixture(scope="module")
def folder(lr_study, results):
    out = lr_study / "paper"

    def some(results):
        """Build three sections of the report: all would draw for a minute."""
        return [build(results) for build in (selection_section, added_value_section, _roc_alone)]

    with mock.patch.object(draft, "build_sections", some):
        draft.write_draft(results, out)
    return out


def _roc_alone(results):
    evaluation, labels = results.modelling.evaluation, model_labels(results)
    roc_figure(evaluation.roc, dict.fromkeys(labels, 0.8), labels)
    return Section("roc", "ROC")


def test_the_folder_holds_what_a_journal_takes(folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"text.docx", "text.md", "references.bib", "references.json"} <= names
    assert {"tables/tables.xlsx", "tables/added-value.docx", "checklists/checklists.xlsx"} <= names
    assert {"checklists/clear.docx", "checklists/probast_ai_facts.docx"} <= names
    for end in (".svg", ".pdf", "-300dpi.png", "-600dpi.png"):
        assert f"figures/roc-one-column{end}" in names
        assert f"figures/roc-two-columns{end}" in names
        assert f"figures/funnel-two-columns{end}" in names
    # Two panels side by side would not be readable in one column.
    assert not any(name.startswith("figures/funnel-one-column") for name in names)


def test_nothing_in_the_folder_names_a_person(folder):
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as inside:
                content = b"".join(inside.read(name) for name in inside.namelist())
        assert CANARY.encode() not in content, path


def test_figures_have_the_size_and_the_fonts_of_print(folder):
    for column, inches in (("one-column", 3.5), ("two-columns", 7.2)):
        for dpi in (300, 600):
            content = (folder / "figures" / f"roc-{column}-{dpi}dpi.png").read_bytes()
            width = struct.unpack(">I", content[16:20])[0]
            assert width == pytest.approx(inches * dpi, abs=2)
        pdf = (folder / "figures" / f"roc-{column}.pdf").read_bytes()
        assert b"/FontFile2" in pdf
        svg = (folder / "figures" / f"roc-{column}.svg").read_text(encoding="utf-8")
        assert "<text" not in svg


def test_a_legend_leaves_one_column_to_the_curves(results):
    """Beside them it would take most of the column: they get at least half of the copy's width."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pipeline.reporting.figures import printing

    shares = []

    def files(drawing: Figure) -> dict:
        drawing.draw_without_rendering()
        axis: Axes = drawing.axes[0]
        shares.append(axis.get_position().width)
        (legend,) = drawing.legends
        assert legend.get_window_extent().width <= drawing.bbox.width
        return {}

    labels = model_labels(results)
    roc = results.modelling.evaluation.roc
    with printing.keeping_copies(), mock.patch.object(printing, "_files", files):
        roc_figure(roc, dict.fromkeys(labels, 0.8), labels)
    two, one = shares
    assert one > 0.7
    assert one > two


def test_the_text_numbers_its_works_and_marks_its_gaps(folder):
    document = Document(str(folder / "text.docx"))
    text = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert "[@" not in text
    assert re.search(r"^1\. .+\.$", text, flags=re.M)
    marked = [
        run.text
        for paragraph in document.paragraphs
        for run in paragraph.runs
        if run.font.highlight_color is not None
    ]
    assert marked
    assert all(run.startswith(GAP) and run.endswith("]") for run in marked)
    assert "[@" in (folder / "text.md").read_text(encoding="utf-8")


def test_tables_have_three_lines_and_a_head_on_every_page(tmp_path):
    shown = pd.DataFrame({"Model": ["LR", "RF"], "AUROC": ["0.80", None]})
    write_table(tmp_path / "t.docx", "A caption", shown, ["AUROC"], [3, 1])
    document = Document(str(tmp_path / "t.docx"))
    table = document.tables[0]
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["Model", "AUROC"], ["LR", "0.80"], ["RF", ""]
    ]  # fmt: skip
    xml = table._tbl.xml
    assert xml.count('<w:top w:val="single"') == 2
    assert xml.count('<w:bottom w:val="single"') == 4
    assert "w:tblHeader" in xml
    assert xml.count("<w:cantSplit") == 3
    assert 'w:left w:val="single"' not in xml


def test_numbers_stay_numbers_and_no_text_is_a_formula(tmp_path):
    table = pd.DataFrame(
        {"n": [1, 2], "x": [0.5, float("nan")], "flag": [True, False], "s": ["=1+1", "a"]}
    )
    write_workbook(tmp_path / "t.xlsx", {"a/b": table, "a-b": table})
    book = load_workbook(tmp_path / "t.xlsx")
    assert book.sheetnames == ["a-b", "a-b 2"]
    rows = [[cell.value for cell in row] for row in book["a-b"].iter_rows()]
    assert rows == [["n", "x", "flag", "s"], [1, 0.5, "yes", "'=1+1"], [2, None, "no", "a"]]


def test_a_study_of_images_is_described_by_its_parameters(repository):

    path = repository / "radiomics_params" / "ge2025.yaml"
    parameters = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "1 × 1 × 1 mm by cubic B-splines" in image_methods.resampling_text(parameters)
    assert image_methods.discretisation_text(parameters).endswith("with a width of 25.")
    assert "sigma 1, 3, 5 mm" in image_methods.image_types_text(parameters)
    assert "standard deviation 100, values beyond 3" in image_methods.preprocessing_text(parameters)
    bare = {"setting": {"binCount": 32}}
    assert "32 bins" in image_methods.discretisation_text(bare)
    assert "stayed in HU" in image_methods.preprocessing_text(bare)
    assert image_methods.resampling_text(bare) == "Images were not resampled."


def test_a_sentence_gets_more_of_the_page_than_a_code(tmp_path):
    shown = pd.DataFrame({"Code": ["ZQFB"], "In plain words": ["how far grey values differ " * 4]})
    write_table(tmp_path / "long.docx", "A caption", shown)
    code, words = (cell.width for cell in Document(tmp_path / "long.docx").tables[0].rows[1].cells)
    assert words == pytest.approx(3 * code, rel=0.01)
    write_table(tmp_path / "short.docx", "A caption", shown.assign(**{"In plain words": "far"}))
    code, words = (cell.width for cell in Document(tmp_path / "short.docx").tables[0].rows[1].cells)
    assert words == code


def test_printed_tables_carry_the_notice(tmp_path):
    table = Table("one", "A caption.", pd.DataFrame({"Model": ["LR"]}))
    for place, notice in (("plain", None), ("noted", "All patients are synthetic.")):
        draft._write_tables([table], tmp_path / place, notice)
    told = {
        place: " ".join(each.text for each in Document(tmp_path / place / "one.docx").paragraphs)
        for place in ("plain", "noted")
    }
    assert "A caption. All patients are synthetic." in told["noted"]
    assert "synthetic" not in told["plain"]


def test_checklists_say_the_notice_first(results):
    checklist = checklists_of(results)[0]
    told = changed(results, notice="All patients are synthetic.")
    assert draft.checklist_notes(told, checklist)[0] == "All patients are synthetic."
    assert draft.checklist_notes(results, checklist)[0].startswith("Items: ")
