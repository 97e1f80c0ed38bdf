"""Pages of the site that are made from the program as it is built (a hook of mkdocs).

The start page, the changelog and the guide to contributing are files of the repository. The pages
of commands and of modules come from the commands' own help and from docstrings.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from pipeline.core.started_as import NAME_VARIABLE
from pipeline.running.one_command import PARTS
from tests.support.commands import run_here

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipeline", "segmentation", "models", "deployment", "intake", "demo", "proofs")

#: Files beside the folder docs that are pages of the site.
COPIED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made: copies, commands and modules."""
    made = {page: _copied(ROOT / name) for name, page in COPIED.items()}
    made["reference/commands.md"] = "\n".join(_commands())
    made["reference/modules.md"] = "\n".join(_modules())
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write a page of GitHub's Markdown so that mkdocs shows it as GitHub does."""
    return _outside(_spaced_lists(markdown), page.file.src_uri)


def _copied(path: Path) -> str:
    """Return a page of the root, with links as from the folder docs."""
    text = path.read_text(encoding="utf-8").replace("](docs/", "](")
    for name, page in COPIED.items():
        text = text.replace(f"]({name})", f"]({page})")
    return re.sub(r"\]\((?![a-z]+:|#)([^)#]+)", _from_the_root, text)


def _from_the_root(match: re.Match[str]) -> str:
    target = match.group(1)
    own = (ROOT / "docs" / target).exists() or target in COPIED.values()
    return match.group(0) if own else f"](../{target}"


def _outside(markdown: str, name: str) -> str:
    """Turn links to files of the repository that are no pages into their paths."""

    def path_of(match: re.Match[str]) -> str:
        text, target = match.groups()
        for page in (COPIED[target],) if target in COPIED else ():
            return f"[{text}]({page})"
        if not (ROOT / target).exists():
            raise PluginError(f"{name}: link to {target}, which is not in the repository.")
        return f"{text} (`{target}`)" if target not in text else text

    return re.sub(r"(?<!!)\[([^\]]*)\]\(\.\./([^)#]+)[^)]*\)", path_of, markdown)


def _spaced_lists(markdown: str) -> str:
    """Set a blank line before each list and table that follows a paragraph at once."""
    lines: list[str] = []
    code = False
    for line in markdown.splitlines():
        before = lines[-1] if lines else ""
        starts = re.match(r"([-*]|\d+\.) ", line)
        paragraph = before and not re.match(r"([-*]|\d+\.) |\s", before)
        if not code and starts and paragraph:
            lines.append("")
        code ^= line.startswith("```")
        lines.append(line)
    return "\n".join(lines)


def _commands() -> Iterator[str]:
    """Yield the page of commands: purpose, example and help of each."""
    yield "# Commands\n\n`vertebromics --help` lists them.\n"
    yield from ("| command | purpose |", "|---|---|")
    yield from (
        f"| [`{name}`](#vertebromics-{name}) | {part.does} |" for name, part in PARTS.items()
    )
    for name, part in PARTS.items():
        yield f"\n## vertebromics {name}\n\n{part.does[0].upper()}{part.does[1:]}.\n"
        yield f"```bash\nvertebromics {name} {part.example}\n```\n"
        yield f"```text\n{_help_of(name)}\n```"


def _help_of(name: str) -> str:
    """Return what a command prints for ``--help``, with every import shared with its neighbours."""
    environment = {NAME_VARIABLE: f"vertebromics {name}", "COLUMNS": "90"}
    with mock.patch.dict(os.environ, environment):
        ended = run_here(PARTS[name].module, "--help")
    if ended.returncode or not ended.stdout.strip():
        raise PluginError(f"vertebromics {name} --help failed: {ended.stderr}")
    return ended.stdout.strip()


def _modules() -> Iterator[str]:
    """Yield the page of modules: the first sentence of each docstring, by room."""
    yield "# Modules\n\nEach room (folder) with its modules, in the words of their docstrings.\n"
    for room in sorted({path.parent for path in _sources()}):
        yield f"\n## {'.'.join(room.relative_to(ROOT).parts)}\n"
        yield f"{_purpose(room / '__init__.py')}\n"
        names = [path for path in _sources() if path.parent == room and path.stem != "__init__"]
        yield from (f"- `{path.stem}`: {_purpose(path)}" for path in names)


def _sources() -> list[Path]:
    found = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return sorted(path for path in found if "data" not in path.relative_to(ROOT).parts)


def _purpose(path: Path) -> str:
    """Return the first paragraph of a module's docstring in one line."""
    if not path.exists():
        return ""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n", 1)[0].split()).replace("<", "&lt;").replace("|", "\\|")
