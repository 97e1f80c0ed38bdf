"""Fingerprints of the code and files a result depends on, blind to comments, form and wording.

A rule that calls ``python -m pipeline.extract`` does not notice an edited module, and one that
watches a file's time re-runs a night's work for a comment. A rule's ``params`` and a store's keys
therefore carry the fingerprint of their code: a hash over the syntax trees of a module and of
everything of this project that it imports, however deep. A compiled module counts by its C sources.
Texts that only people read do not count, nor modules without a value (`words_in_code`).
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import file_hash
from pipeline.running import words_in_code
from pipeline.running.readings_of_code import Reading, Readings, beside_compiled
from pipeline.running.words_in_code import VALUE_FREE, called, drop_words

#: Top-level packages of this project; what else is imported is pinned by the lock file.
PROJECT_PACKAGES = ("pipeline", "segmentation", "models", "deployment", "intake", "demo", "proofs")

#: Name of a package's compiled module, and of the folder beside it that holds its C sources.
COMPILED_MODULE, COMPILED_SOURCES = "_kernels", "native"

_ROOT = Path(__file__).resolve().parents[2]

_READINGS = Readings(beside_compiled(__file__), [Path(__file__), Path(words_in_code.__file__)])


def code_fingerprint(module: str, root: Path | None = None) -> str:
    """Return a hash of the code that importing `module` brings in from this project.

    Comments, docstrings, line breaks, positions and sentences of errors, findings, logs and help
    do not change it; a changed constant, default, function or import does, in the module itself or
    in any project module it imports, directly or through others. Imports inside functions count.
    Nothing is executed.

    Parameters
    ----------
    module : str
        Dotted name, such as ``"pipeline.extraction"`` (a package means its ``__init__``).
    root : pathlib.Path, optional
        Folder that holds the packages; the one this module was loaded from by default.

    Returns
    -------
    str
        SHA-256 in hexadecimal. It is comparable between runs of one Python version, since a
        syntax tree's printed form changes with Python.

    Raises
    ------
    VertebromicsError
        If the project has no such module, or one of its modules cannot be parsed.
    """
    root = root or _ROOT
    digest = hashlib.sha256()
    for name in project_modules(module, root):
        digest.update(f"{name} {_parsed(*_located(name, root))[0]}\n".encode())
    return digest.hexdigest()


def project_modules(module: str, root: Path | None = None) -> tuple[str, ...]:
    """Return the sorted names of `module` and all project modules that it imports.

    Packages on the way count as modules, since Python runs their ``__init__`` too. Modules without
    a value, and what only they import, do not count. Parameters are those of `code_fingerprint`.
    """
    root = root or _ROOT
    if _find(module, root) is None:
        raise VertebromicsError(
            "A code fingerprint needs a module of this project",
            found=module,
            remedy=f"name one below {', '.join(PROJECT_PACKAGES)}",
            code="fingerprint-module-foreign",
        )
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        for part in _with_parents(name):
            free = part != module and not VALUE_FREE.isdisjoint(_with_parents(part))
            if part in seen or free or _find(part, root) is None:
                continue
            seen.add(part)
            waiting.extend(_parsed(*_located(part, root))[1])
    return tuple(sorted(seen))


def files_fingerprint(paths: Iterable[str | Path]) -> str:
    """Return a hash over the names and contents of files that code reads, such as templates.

    Parameters
    ----------
    paths : iterable of path-like
        Files; their order does not matter, and of their paths only the last part counts.
    """
    entries = sorted((Path(path).name, file_hash(path)) for path in paths)
    return hashlib.sha256(repr(entries).encode()).hexdigest()


def _located(module: str, root: Path) -> tuple[str, Path, int, int]:
    """Return what `_parsed` caches by: an edited file has another time or size."""
    path = _find(module, root)
    if path is None:  # every caller has looked before
        raise VertebromicsError(
            "A code fingerprint needs an existing module",
            found=module,
            code="fingerprint-module-missing",
        )
    states = [file.stat() for file in _files(path)]
    return (
        module,
        path,
        max(state.st_mtime_ns for state in states),
        sum(state.st_size for state in states),
    )


def _files(path: Path) -> list[Path]:
    """Return the module's file, or the C sources of a compiled one."""
    return sorted(path.glob("*.[ch]")) if path.is_dir() else [path]


@cache
def _parsed(module: str, path: Path, _mtime: int, _size: int) -> Reading:
    """Return the hash of one module's code and the project names that it imports."""
    if path.is_dir():
        code = [(file.name, _c_code(file.read_text(encoding="utf-8"))) for file in _files(path)]
        return hashlib.sha256(repr(code).encode()).hexdigest(), frozenset()
    content, is_package = path.read_bytes(), path.name == "__init__.py"
    if not path.is_relative_to(_ROOT):
        return _read(content, module, is_package=is_package)
    name = f"{module} {path.name}"
    return _READINGS.of(name, content, lambda: _read(content, module, is_package=is_package))


def _read(content: bytes, module: str, *, is_package: bool) -> Reading:
    """Read the text of a module."""
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        raise VertebromicsError(
            "Every module of the project must be valid Python",
            found=error.msg,
            where=f"{module}, line {error.lineno}",
            code="module-not-python",
        ) from None
    imports = frozenset(_imports(tree, module, is_package=is_package))
    drop_words(tree)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports


def _find(module: str, root: Path) -> Path | None:
    """Return where a module's code lies; of the code that runs, that is looked up once."""
    return _find_own(module) if root == _ROOT else _find_below(module, root)


@cache
def _find_own(module: str) -> Path | None:
    return _find_below(module, _ROOT)


def _find_below(module: str, root: Path) -> Path | None:
    parts = module.split(".")
    if parts[0] not in PROJECT_PACKAGES:
        return None
    base = root.joinpath(*parts)
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            return path
    sources = base.with_name(COMPILED_SOURCES)
    if parts[-1] == COMPILED_MODULE and sources.is_dir():
        return sources
    return None


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _imports(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[str]:
    """Yield every project name that `tree` may import; names that are no module do no harm."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _import_base(node, module, is_package=is_package)
            # `from package import name` may mean a module or something defined in the package.
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            names = [
                argument.value
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PROJECT_PACKAGES)


def _import_base(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    """Return the absolute name of the package or module that a ``from`` import names."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*parts, node.module] if node.module else parts)


def _c_code(text: str) -> str:
    """Return C source without comments and with single spaces; line ends stay for directives."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
