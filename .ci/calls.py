"""Calls that their function cannot take, and names that a module has not, found before they run.

``python .ci/calls.py`` (part of ``make lint``): mypy over everything that is Python here, tests,
proofs, benchmarks and rules of Snakemake too, of which only what is certain counts: an argument too
many, too few or unknown, and a name that the module it is imported from does not have. A slow test,
a benchmark or a rule of an analysis that calls a changed function fails here, and not on the day
when somebody runs it. Calls of libraries are left to the tests: mypy needs three times as long
where it reads their types.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from mypy import api
from snakemake.parser import parse

PLACES = (
    *("pipeline", "segmentation", "models", "deployment", "intake", "demo", "proofs"),
    *("benchmarks", "install", "tests", "snakemake_logger_plugin_vertebromics"),
)
#: First what the others use, as the Snakefile includes them.
RULES = ("package.smk", "common.smk")
COMPILED = Path("build/calls/rules_of_snakemake.py")
OPTIONS = (
    *("--config-file", "", "--python-version", "3.11", "--explicit-package-bases"),
    *("--ignore-missing-imports", "--check-untyped-defs", "--no-site-packages"),
    *("--cache-dir", "build/calls/mypy", "--no-error-summary", "--hide-error-context"),
)
_LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): error: (?P<says>.*)  \[(?P<code>[a-z-]+)\]")


def compiled_rules(folder: Path = Path("pipeline/rules")) -> list[tuple[Path, int]]:
    """Write all rules as one module, and return of each of its lines the file and its line."""
    files = [folder / name for name in RULES]
    files += sorted(set(folder.glob("*.smk")) - set(files))
    lines: list[str] = []
    origin: list[tuple[Path, int]] = []
    count = 0
    for path in files:
        source = SimpleNamespace(get_path_or_uri=lambda secret_free, path=path: str(path))
        cache = SimpleNamespace(open=lambda one, path=path: path.open(encoding="utf-8"))
        places: dict[int, int] = {}
        text, count = parse(source, SimpleNamespace(sourcecache=cache), places, rulecount=count)
        new = text.splitlines()
        origin += [(path, places.get(number, 1)) for number in range(1, len(new) + 1)]
        lines += new
    COMPILED.parent.mkdir(parents=True, exist_ok=True)
    COMPILED.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return origin


def certain(error: re.Match) -> bool:
    """Return whether an error of mypy is one of a call or an import, and no guess."""
    if error["code"] == "attr-defined":
        compiled = '"_kernels"' in error["says"]
        return error["says"].startswith("Module ") and not compiled
    if error["code"] != "call-arg":
        return False
    # How many arguments `*pair` stands for, nobody knows before it runs.
    return not (error["says"].startswith("Too many") and _has_star(error["file"], error["line"]))


def _has_star(file: str, line: str) -> bool:
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Call)
        and node.lineno <= int(line) <= (node.end_lineno or node.lineno)
        and any(isinstance(one, ast.Starred) for one in node.args)
        for node in ast.walk(tree)
    )


def main() -> int:
    """Print what is wrong, and return the exit status."""
    origin = compiled_rules()
    told, failed, status = api.run([*OPTIONS, *PLACES, str(COMPILED)])
    errors = [match for line in told.splitlines() if (match := _LINE.fullmatch(line))]
    if status > 1 or failed:
        print(failed or told)
        return 2
    wrong = []
    for one in filter(certain, errors):
        place = f"{one['file']}:{one['line']}"
        if one["file"] == str(COMPILED):
            place = "{}:{}".format(*origin[int(one["line"]) - 1])
        wrong.append(f"{place}: {one['says']}")
    print("\n".join(wrong) or "No call that mypy can follow is wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
