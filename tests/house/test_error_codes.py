"""Every error of ours carries the code of its rule; a code says one rule, and a rule has one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core import errors
from pipeline.core.problems import ManyProblemsError
from pipeline.study.options.bad_inputs import codes_without_row, read_sections, rows_of
from pipeline.study.options.error_codes import PROGRAM, said_by, said_in
from tests.support.refusals import refusal

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

#: Codes of one rule that several places say in words of their own.
FAMILIES = {
    *("cell-blank", "cell-not-allowed", "column-missing", "ct-of-unknown-kind"),
    *("decision-curve-range", "demo-blocks-too-few", "demo-patients-count", "dense-material"),
    *("fold-without-both-outcomes", "label-names-unreadable", "level-not-a-vertebra"),
    *("level-unknown-to-model", "linkage-invalid", "mask-empty", "model-reader-unknown"),
    *("names-over-numbers", "option-names-no-predictor", "parameter-file-missing"),
    *("parameter-file-not-yaml", "path-with-braces", "processes-too-few", "region-lost-on-grid"),
    *("regression-without-predictor", "series-not-in-folder", "spline-of-a-category"),
    *("split-column-blank", "split-column-unnamed", "split-part-without-outcome"),
    *("split-sites-unknown", "structure-ambiguous", "study-name-invalid"),
    *("test-of-numbers-unknown", "training-one-outcome"),
    *("volume-not-scalar-3d", "volume-unreadable", "worker-ended"),
}

#: Errors of several mistakes, each of which has its code.
OF_SEVERAL = {"ManyProblemsError", "ReportError"}

#: Keywords that a call of `Problems.add` has at least one of.
OF_PROBLEMS = {"found", "where", "remedy", "code"}


def own_errors(trees: dict[str, ast.Module]) -> set[str]:
    """Return the names of the classes that descend from `VertebromicsError`."""
    bases = {
        node.name: {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {errors.VertebromicsError.__name__}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def without_code(tree: ast.AST, kinds: set[str]) -> Iterator[int]:
    """Yield the lines of errors and problems without a code that can be read from the source."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = {each.arg: each.value for each in node.keywords}
        added = (
            name == "add" and isinstance(node.func, ast.Attribute) and given.keys() & OF_PROBLEMS
        )
        if (name in kinds or added) and not is_code(given.get("code")):
            yield node.lineno


def is_code(node: ast.AST | None) -> bool:
    """Return whether an expression is a literal code, one of some, or one that is handed on."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.IfExp):
        return is_code(node.body) and is_code(node.orelse)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        return all(map(is_code, node.value.values))
    return getattr(node, "id", getattr(node, "attr", "")) == "code"


@pytest.fixture(scope="module")
def trees(repository: Path) -> dict[str, ast.Module]:
    return {
        path.relative_to(repository).as_posix(): ast.parse(path.read_bytes())
        for package in PROGRAM
        for path in sorted((repository / package).rglob("*.py"))
    }


def test_every_error_names_its_rule_by_a_code(trees: dict[str, ast.Module]) -> None:
    """Else: give it `code="what-is-wrong"`, the code of the same rule where there is one."""
    kinds = own_errors(trees) - OF_SEVERAL
    assert {"StudyError", "GridMismatchError", "DamagedError"} <= kinds
    found = [f"{name}:{line}" for name, tree in trees.items() for line in without_code(tree, kinds)]
    assert found == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("raise StudyError('It is', found=1)", [1]),
        ("raise StudyError('It is', code=name)", [1]),
        ("raise errors.StudyError('It is', code=f'{name}-missing')", [1]),
        ("problems.add('It is', where='x')", [1]),
        ("raise StudyError('It is', code='it-is')", []),
        ("raise StudyError(error.rule, code=error.code)", []),
        ("problems.add('It is', code='a-b' if x else 'c-d')", []),
        ("names.add('It is'); raise ValueError('It is')", []),
    ],
)
def test_an_error_without_a_code_is_seen(code: str, lines: list[int]) -> None:
    assert list(without_code(ast.parse(code), {"StudyError"})) == lines


def test_every_code_has_a_row_in_which_a_user_finds_it() -> None:
    """Else: write its row into docs/bad_inputs.yaml, where its reader looks, and `make options`.

    What only a call in Python can meet goes into the section of `kind: python`.
    """
    assert codes_without_row(rows_of(read_sections())) == []


def test_a_code_without_a_row_is_seen() -> None:
    rows = rows_of(read_sections())
    assert codes_without_row([row for row in rows if row.code != "gantry-tilt"]) == ["gantry-tilt"]
    assert "ct-failed" in codes_without_row([])


def test_codes_are_in_kebab_case() -> None:
    assert [one for one in said_in() if not KEBAB.fullmatch(one.code)] == []


def test_a_code_says_one_rule() -> None:
    """Else: give the other rule a code of its own, or one code two ways to say one rule."""
    texts: dict[str, set[str]] = {}
    for one in said_in():
        texts.setdefault(one.code, set()).add(one.text)
    several = {code for code, of in texts.items() if len(of - {""}) > 1}
    assert several == FAMILIES, {code: texts.get(code) for code in several ^ FAMILIES}


def test_a_rule_has_one_code() -> None:
    codes: dict[str, set[str]] = {}
    for one in said_in():
        # What is said before and after a value tells rules apart; a value alone tells nothing.
        if one.kind == "error" and one.text.strip(". "):
            codes.setdefault(one.text, set()).add(one.code)
    assert {text: of for text, of in codes.items() if len(of) > 1} == {}


def test_errors_and_findings_share_no_code() -> None:
    of = {
        kind: {one.code for one in said_in() if one.kind == kind} for kind in ("error", "finding")
    }
    assert of["error"] & of["finding"] == set()
    assert len(of["error"]) > 600
    assert len(of["finding"]) > 50


@pytest.mark.parametrize(
    ("source", "code", "severity", "text"),
    [
        ("raise CaseError(f'At most {n:g}.', code='at-most')", "at-most", "error", "At most ..."),
        ("RULE = 'It ' 'is'\nraise StudyError(RULE, code='it-is')", "it-is", "error", "It is"),
        ("refuse(bad, 'name', 'It is', code='it-is')", "it-is", "error", "It is"),
        ("Finding('a-b', 'warning', f'{n} of it', 'mend it')", "a-b", "warning", "... of it"),
        ("Finding('a-b', border, 'It is')", "a-b", "", "It is"),
        ("raise StudyError('; '.join(told), code='a-b')", "a-b", "error", ""),
    ],
)
def test_codes_are_read_from_the_source(source: str, code: str, severity: str, text: str) -> None:
    (said,) = said_by(source, "one.py")
    assert (said.code, said.severity, said.text) == (code, severity, text)


def test_a_choice_of_codes_is_read_with_its_texts() -> None:
    source = """
A, B = 'It is {}', 2
NO = 'It is not {}'
def f(x):
    if x:
        rule = 'One is'
    else:
        rule = 'Two are'
    problems.add(rule, code='one-is' if x else 'two-are', where=x)
    problems.add(NO.format(x), code={NO: 'is-not'}[NO], where=x)
"""
    said = {one.code: one.text for one in said_by(source, "one.py")}
    assert said == {"one-is": "One is", "two-are": "Two are", "is-not": "It is not ..."}


def matching_sentences(tree: ast.AST, kinds: set[str]) -> Iterator[int]:
    """Yield the lines in which a test asks for an error of ours by its sentence alone."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != "raises":
            continue
        asked = [name for each in node.args[:1] for name in names_in(each)]
        if kinds.intersection(asked) and any(each.arg == "match" for each in node.keywords):
            yield node.lineno


def names_in(node: ast.AST) -> list[str]:
    """Return the names of the classes that an expression lists."""
    several = node.elts if isinstance(node, ast.Tuple) else [node]
    return [getattr(each, "id", getattr(each, "attr", "")) for each in several]


def test_tests_ask_for_codes_not_for_sentences(
    repository: Path, trees: dict[str, ast.Module]
) -> None:
    """Else: `with refusal("the-code", Kind, match="the value or file that must be named")`."""
    kinds = own_errors(trees) | {"Exception"}
    found = [
        f"{path.relative_to(repository)}:{line}"
        for path in sorted((repository / "tests").rglob("*.py"))
        for line in matching_sentences(ast.parse(path.read_bytes()), kinds)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("with pytest.raises(StudyError, match='It is'): f()", [1]),
        ("with pytest.raises((OSError, errors.StudyError), match='It'): f()", [1]),
        ("with pytest.raises(StudyError) as told: f()", []),
        ("with pytest.raises(ValueError, match='It is'): f()", []),
        ("with refusal('it-is', StudyError, match='3'): f()", []),
    ],
)
def test_a_sentence_that_a_test_asks_for_is_seen(code: str, lines: list[int]) -> None:
    assert list(matching_sentences(ast.parse(code), {"StudyError"})) == lines


def unchecked_raises(tree: ast.AST) -> Iterator[int]:
    """Yield the lines in which a test asks for an exception and for nothing of what it says.

    A class that the test itself defines and raises says all by its name.
    """
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        read = {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        asked = [item for node in ast.walk(function) if isinstance(node, ast.With)
                 for item in node.items]  # fmt: skip
        for item in asked:
            call, name = item.context_expr, getattr(item.optional_vars, "id", None)
            if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") != "raises":
                continue
            named = [each for argument in call.args[:1] for each in names_in(argument)]
            matched = any(each.arg == "match" for each in call.keywords)
            if not matched and name not in read and not own.issuperset(named):
                yield call.lineno


def test_tests_look_at_what_an_exception_says(repository: Path) -> None:
    """Else: `refusal("the-code", Kind)`, or `match=` for an exception of a library.

    Of several codes: `pytest.raises(Kind) as told`, and `told.value.code in {...}`.
    """
    found = {
        f"{path.relative_to(repository)}:{line}"
        for path in sorted((repository / "tests").rglob("*.py"))
        for line in unchecked_raises(ast.parse(path.read_bytes()))
    }
    assert found == set()


#: Functions of tests that look at the words of our errors alone, many cases at once: this list only
#: gets shorter.
BY_WORDS = {
    "tests/deployment/test_studies.py::refused",
    "tests/intake/test_register_identity.py::refusals_of_tables",
    "tests/intake/test_register_disk.py::test_a_full_disk_ends_the_registration_and_it_goes_on_later",
    "tests/models/regression/test_model_file.py::test_files_that_are_none_are_told",
    "tests/models/regression/test_model_file.py::test_what_is_wrong_with_a_model_is_told",
    "tests/models/regression/test_regress.py::test_commands_without_what_they_need_are_told",
    "tests/models/regression/test_regress.py::test_what_cannot_be_fitted_is_told",
    "tests/models/test_freeze_sites.py::test_a_hostile_file_is_refused",
    "tests/pipeline/imaging/test_ct_doors.py::test_commands_and_notebooks_refuse_in_the_same_words",
    "tests/pipeline/imaging/test_volumes.py::test_a_damaged_file_is_refused_without_its_path",
    "tests/pipeline/running/workers/test_parallel.py::"
    "test_the_first_failing_task_is_told_whoever_fails_first",
    "tests/pipeline/study/test_config.py::problem",
    "tests/pipeline/study/test_options.py::told",
    "tests/pipeline/tables/test_counted_words.py::told",
    "tests/pipeline/tables/test_counted_words.py::"
    "test_judge_has_the_same_guard_and_its_remedies_work",
    "tests/pipeline/tables/test_identifying_tables.py::refused_cases",
    "tests/pipeline/test_check_everything.py::check",
    "tests/pipeline/test_validate.py::problem",
    "tests/remedies/table_doors.py::refused",
}
READ_CODES = {"code", "codes_of", "has_code", "with_code"}


def by_words(tree: ast.AST, kinds: set[str]) -> Iterator[str]:
    """Yield the functions that ask for an error of ours, and nowhere for its code."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        nodes = list(ast.walk(function))
        asked = {
            name
            for node in nodes
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "raises"
            for argument in node.args[:1]
            for name in names_in(argument)
        }
        read = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}
        if asked & kinds and not read & READ_CODES:
            yield function.name


def test_tests_ask_for_the_codes_of_our_errors(
    repository: Path, trees: dict[str, ast.Module]
) -> None:
    """Else: `refusal("the-code", Kind)`, or a column of codes among the cases."""
    kinds = own_errors(trees)
    found = {
        f"{path.relative_to(repository)}::{name}"
        for path in sorted((repository / "tests").rglob("*.py"))
        for name in by_words(ast.parse(path.read_bytes()), kinds)
    }
    assert found == BY_WORDS


def test_a_test_that_looks_at_words_alone_is_seen() -> None:
    source = "def one():\n  with pytest.raises(StudyError) as told: f()\n  assert 'x' in {}"
    assert list(by_words(ast.parse(source.format("str(told)")), {"StudyError"})) == ["one"]
    assert list(by_words(ast.parse(source.format("told.value.code")), {"StudyError"})) == []
    assert list(by_words(ast.parse(source.format("str(told)")), {"CaseError"})) == []


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("with pytest.raises(StudyError): f()", [2]),
        ("with pytest.raises((OSError, KeyError)) as told: f()", [2]),
        ("with a(), pytest.raises(KeyError): f()", [2]),
        ("with pytest.raises(KeyError, match='x'): f()", []),
        ("with pytest.raises(StudyError) as told: f()\n  assert told.value.code == 'x'", []),
        ("with pytest.raises(Stopped): f()", []),
        ("with refusal('it-is'): f()", []),
    ],
)
def test_an_exception_that_nobody_looks_at_is_seen(body: str, lines: list[int]) -> None:
    tree = ast.parse(f"def test_it():\n  {body}\nclass Stopped(BaseException): pass")
    assert list(unchecked_raises(tree)) == lines


def test_a_refusal_is_matched_by_its_code() -> None:
    with refusal("it-is") as told:
        raise errors.StudyError("It is", found=3, code="it-is")
    assert told.value.found == 3
    with refusal("it-is", errors.StudyError, match="Found: 3"):
        raise ManyProblemsError("all", [errors.StudyError("It is", found=3, code="it-is")])
    with pytest.raises(AssertionError, match="instead of it-is"), refusal("it-is"):
        raise errors.StudyError("It is", code="it-was")
    with pytest.raises(errors.CaseError) as other, refusal("it-is", errors.StudyError):
        raise errors.CaseError("It is", code="it-is")
    assert other.value.code == "it-is"
