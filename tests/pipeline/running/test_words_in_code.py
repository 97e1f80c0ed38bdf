"""Rewording what people read changes no fingerprint, and no branch depends on such words."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.words_in_code import VALUE_FREE, drop_words, words_in

STAGES = (
    *("pipeline.ingest", "segmentation.masks", "pipeline.resample", "pipeline.extract"),
    *("models.selection", "models.train", "models.evaluate"),
)

PACKAGES = ("pipeline", "segmentation", "models", "deployment", "intake")


def kept(code: str) -> str:
    tree = ast.parse(code)
    drop_words(tree)
    return ast.dump(tree)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "raise CaseError('It is', found=x, remedy='do')",
            "raise CaseError('Is it', remedy='try')",
        ),
        ("raise ValueError(f'{x} is')", "raise ValueError('no')"),
        ("wrong.add('It is', found=3, remedy='do')", "wrong.add('Is it', found=4)"),
        ("wrong.add('It is', found=3, code='a')", "wrong.add('It is', found=3, code='b')"),
        ("raise self._bad('It', x)", "raise self._bad('It', x, code='it-is')"),
        ("def bad(rule, x=1):\n    return 1", "def bad(rule, x=1, *, code: str):\n    return 1"),
        ("logger.info('%s done', x)", "logger.info('done: %s', x)"),
        ("Finding('a', 'error', 'It is', 'do')", "Finding('a', 'error', f'{x} is', 'try')"),
        ("Finding('a', 'error', 'It is')", "Finding('a', 'error', message='Is it')"),
        ("p.add_argument('x', type=int, help='one')", "p.add_argument('x', type=int, help='two')"),
        ("x: int = option(3, 'one', ge=1)", "x: int = option(3, 'two', 'why', unit='mm')"),
        ("x = Column(TEXT, 'one', unit='mm')", "x = Column(TEXT, 'two', null='never')"),
        ("NOTE: Words = 'one'", "NOTE: Words = 'two'"),
        ("NOTES: tuple[Words, ...] = ('one',)", "NOTES: tuple[Words, ...] = ('two', 'one')"),
        ("SAID: dict[str, Words] = {'a': 'one'}", "SAID: dict[str, Words] = {'a': 'two'}"),
        ("def note(x) -> Words:\n    return 'one'", "def note(x) -> Words:\n    return f'{x}'"),
        ("def f():\n    'Do.'\n    return 1", "def f():\n    return 1"),
    ],
)
def test_words_are_dropped(before: str, after: str) -> None:
    assert kept(before) == kept(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("raise CaseError('It is')", "raise StudyError('It is')"),
        ("names.add('one')", "names.add('two')"),
        ("numbers.log(2)", "numbers.log(3)"),
        ("logger.setLevel(1)", "logger.setLevel(2)"),
        ("Finding('a', 'error', 'It is')", "Finding('b', 'error', 'It is')"),
        ("Finding('a', 'error', 'It is')", "Finding('a', 'warning', 'It is')"),
        ("Finding('a', 'error', 'It', about='ct')", "Finding('a', 'error', 'It', about='mask')"),
        ("Finding(code='a', severity='error')", "Finding(code='b', severity='error')"),
        ("table(rows, code=('one',))", "table(rows, code=('two',))"),
        ("def f(x, code):\n    return 1", "def f(x):\n    return 1"),
        ("p.add_argument('x', type=int)", "p.add_argument('x', type=float)"),
        ("x: int = option(3, 'how many')", "x: int = option(4, 'how many')"),
        ("x = Column(TEXT, 'one')", "x = Column(NUMBER, 'one')"),
        ("x = Column(TEXT, 'one')", "y = Column(TEXT, 'one')"),
        ("p.add_argument('--x', default=1)", "p.add_argument('--x', default=2)"),
        ("NAME: str = 'one'", "NAME: str = 'two'"),
        ("SAID: dict[Words, str] = {'a': 'one'}", "SAID: dict[Words, str] = {'a': 'two'}"),
        ("def note(x=1) -> Words:\n    return 'one'", "def note(x=2) -> Words:\n    return 'one'"),
        # A name bound inside an argument is used outside of it.
        ("raise CaseError(y := 1)", "raise CaseError(y := 2)"),
    ],
)
def test_what_decides_something_stays(before: str, after: str) -> None:
    assert kept(before) != kept(after)


@pytest.fixture(scope="module")
def copied(tmp_path_factory, repository: Path) -> Path:
    root = tmp_path_factory.mktemp("reworded")
    for package in PACKAGES:
        shutil.copytree(
            repository / package,
            root / package,
            ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.yaml", "*.j2"),
        )
    return root


def fingerprints(root: Path) -> dict[str, str]:
    return {stage: code_fingerprint(stage, root) for stage in STAGES}


def edited(root: Path, module: str, before: str, after: str) -> dict[str, str]:
    """Return the stages' fingerprints with one sentence or number of a module changed."""
    path = root / module
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{module} does not hold {before!r}"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    try:
        return fingerprints(root)
    finally:
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("pipeline/core/files.py", "give the rule more memory"),
        ("pipeline/core/findings.py", "report it with this job's log"),
        ("pipeline/tables/schemas/images/ingest.py", "reconstruction kernel"),
        ("pipeline/tables/schemas/images/ingest.py", "where the CT could not be read"),
        ("pipeline/core/findings.py", "%s: ended by the machine"),
        ("segmentation/regions/region_checks.py", "of the region are gas"),
        ("models/transformers/univariate.py", '"""'),
    ],
)
def test_a_reworded_remedy_log_line_or_docstring_recomputes_nothing(
    copied: Path, module: str, sentence: str
) -> None:
    said_otherwise = f"{sentence} In other words: "
    assert edited(copied, module, sentence, said_otherwise) == fingerprints(copied)


@pytest.mark.parametrize("module", sorted(VALUE_FREE))
def test_modules_without_a_value_change_no_fingerprint(copied: Path, module: str) -> None:
    path = Path(*module.split("."))
    files = sorted((copied / path).rglob("*.py")) or [copied / path.with_suffix(".py")]
    before = {file: file.read_text(encoding="utf-8") for file in files}
    try:
        for file, text in before.items():
            file.write_text(f"OTHER = 3\n{text}", encoding="utf-8")
        changed = fingerprints(copied)
    finally:
        for file, text in before.items():
            file.write_text(text, encoding="utf-8")
    assert changed == fingerprints(copied)


def test_a_changed_constant_recomputes_what_depends_on_it(copied: Path) -> None:
    before = fingerprints(copied)
    after = edited(copied, "pipeline/imaging/geometry.py", "VOXELS = 0.05", "VOXELS = 0.06")
    changed = {stage for stage in STAGES if after[stage] != before[stage]}
    assert changed == {
        *("pipeline.ingest", "segmentation.masks", "pipeline.resample", "pipeline.extract")
    }


def sources(repository: Path) -> Iterator[tuple[Path, ast.AST]]:
    for package in PACKAGES:
        for path in sorted((repository / package).rglob("*.py")):
            yield path, ast.parse(path.read_bytes())


#: Methods that look into a text.
_LOOKING = {"startswith", "endswith", "removeprefix", "removesuffix", "split", "find", "partition"}


def test_no_branch_depends_on_words(repository: Path) -> None:
    """What is declared as words is compared with nothing, and looked into nowhere."""
    trees = dict(sources(repository))
    words = {name for tree in trees.values() for name in words_in(tree)}
    looked = []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                parts = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _LOOKING:
                parts = [node.func.value, *node.args]
            else:
                continue
            named = {getattr(part, "id", getattr(part, "attr", None)) for part in parts}
            named |= {
                getattr(part.func, "id", getattr(part.func, "attr", None))
                for part in parts
                if isinstance(part, ast.Call)
            }
            looked += [f"{path.name}:{node.lineno} {name}" for name in named & words]
    assert looked == []


def test_no_branch_depends_on_a_message_of_a_finding(repository: Path) -> None:
    looked = []
    for path, tree in sources(repository):
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                parts = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _LOOKING:
                parts = [node.func.value]
            else:
                continue
            names = {getattr(part, "attr", None) for part in parts}
            # A warning of a library has nothing but its message to be known by.
            if names & {"message", "remedy", "sentence"} and "warning" not in ast.dump(node):
                looked.append(f"{path.name}:{node.lineno}")
    assert looked == []


def test_the_report_declares_no_words(repository: Path) -> None:
    """What the report says is its result: rewording it makes the page anew."""
    for path, tree in sources(repository / "."):
        if "reporting" in path.parts:
            assert not list(words_in(tree)), path
