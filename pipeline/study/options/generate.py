"""Write what is made of the program: default.yaml, schema.json, pages of options, columns, errors.

``make options`` runs it after a class of an option or of a table was changed, or the sentence of an
error; a test holds the files to them.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path

import yaml

from pipeline.core import command
from pipeline.core.files import whole_file
from pipeline.core.installed.own_files import PACKAGES
from pipeline.core.sections import SECTION, default_of, rule_of
from pipeline.study.options.bad_inputs import bad_inputs_page
from pipeline.study.options.study_options import Options
from pipeline.study.options.typed import json_schema
from pipeline.study.options.words import wanted
from pipeline.tables.schemas.pages import columns_page

COMMENTS_AT, WIDTH = 30, 118
"""Column at which comments of default.yaml begin, and where its lines end at the latest."""

HEAD = """\
# Every option of a study, with its unit and the reason for its default.
# A study's own file states only what differs; `protocol:` puts a published preset in between
# (order: this file < config/protocols/<protocol>.yaml < the study's file < --config on the
# command line). Paths are relative to the folder in which snakemake runs; paths inside a table are
# relative to that table.
# Made by `make options` from the classes in pipeline/study/sections: change it there.
"""

PAGE = """\
# Options

Every option of a study, as `config/default.yaml` has it. A study's own file states only what
differs. An option that is written with a dot is one of a section: `split.folds` is `folds` below
`split`. This page is made by
`make options` from the classes in `pipeline/study/sections` and `pipeline/study/options`.
"""


def default_yaml() -> str:
    """Return the text of config/default.yaml."""
    return HEAD + "\n" + "\n".join(_lines_of(Options, 0)) + "\n"


def schema_json() -> str:
    """Return the text of config/schema.json."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def options_page() -> str:
    """Return the text of docs/options.md."""
    schema, lines = json_schema(), [PAGE]
    title = "study"
    for one in fields(Options):
        rule = rule_of(one)
        if rule.heading or not lines[1:]:
            lines += ["", f"## {_title(rule.heading or title)}", "", *_TABLE]
        lines += _rows(one, schema["properties"][one.name], "")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


_TABLE = ("| option | default | unit | accepts | why |", "|---|---|---|---|---|")


def _title(heading: str) -> str:
    return heading[0].upper() + heading[1:]


def _rows(one: Field, schema: dict, outer: str) -> Iterator[str]:
    rule, name = rule_of(one), outer + one.name
    kind = one.metadata.get(SECTION)
    if kind is None or default_of(one) is None:
        default = "" if rule.required else f"`{_value(default_of(one))}`"
        accepts = schema.get("accepts") or wanted(schema, _keyword(schema))
        why = rule.reason or rule.description
        yield _row(f"`{name}`", default, rule.unit, accepts, why)
    else:
        yield _row(f"**`{name}`**", "", "", "", rule.reason or rule.description)
    for inner in fields(kind) if kind is not None else ():
        yield from _rows(inner, schema["properties"][inner.name], f"{name}.")


def _keyword(schema: dict) -> str:
    return "pattern" if "pattern" in schema else "minItems" if "minItems" in schema else ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _lines_of(kind: type, depth: int) -> Iterator[str]:
    for one in fields(kind):
        rule = rule_of(one)
        if rule.heading:
            yield ""
            yield f"# --- {rule.heading} ".ljust(100, "-")
        inner: type | None = one.metadata.get(SECTION)
        whole = inner is not None and default_of(one) is not None
        value = "" if whole else f" {_value(default_of(one))}"
        yield from _commented(f"{'  ' * depth}{one.name}:{value}", rule.reason)
        if inner is not None and whole:
            yield from _lines_of(inner, depth + 1)


def _commented(entry: str, comment: str) -> Iterator[str]:
    """Yield the lines of one option, its comment beside it and below."""
    if not comment:
        yield entry
        return
    at = max(COMMENTS_AT, len(entry) + 1)
    rest = textwrap.wrap(
        comment,
        WIDTH - COMMENTS_AT - 2,
        initial_indent=" " * (at - COMMENTS_AT),
        break_on_hyphens=False,
        break_long_words=False,
    )
    yield f"{entry.ljust(at)}# {rest[0].strip()}"
    yield from (f"{' ' * COMMENTS_AT}# {line}" for line in rest[1:])


def _value(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def write_all(folder: Path) -> list[Path]:
    """Write all files that are made of the program into a checkout.

    Parameters
    ----------
    folder : path
        Top of the checkout.

    Returns
    -------
    list of path
        Files whose text is another than before.
    """
    changed = []
    for name, text in made().items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        with whole_file(path) as beside:
            beside.write_text(text, encoding="utf-8")
        changed.append(path)
    return changed


def made() -> dict[str, str]:
    """Return path within the checkout -> text of every file that is made of the program."""
    return {
        "config/default.yaml": default_yaml(),
        "config/schema.json": schema_json(),
        "docs/options.md": options_page(),
        "docs/columns.md": columns_page(),
        "docs/bad_inputs.md": bad_inputs_page(),
    }


def main(options: argparse.Namespace) -> None:
    """Write the files and name those that changed."""
    for path in write_all(options.checkout):
        print(f"written: {path.relative_to(options.checkout)}")


if __name__ == "__main__":
    arguments = command.parser("pipeline.study.options.generate", __doc__)
    arguments.add_argument(
        "--checkout", type=Path, default=PACKAGES, help="top of the checkout (default: this one)"
    )
    command.run(main, arguments)
