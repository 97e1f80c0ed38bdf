"""Works that the draft cites: numbered in the text, and as BibTeX and CSL-JSON.

A sentence cites a work by its key in brackets, ``[@delong1988]``, as pandoc does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_CITED = re.compile(r"\[@([a-z0-9]+(?:; @[a-z0-9]+)*)\]")

_BIBTEX_TYPES = {"article-journal": "article", "paper-conference": "inproceedings"}

#: Name that stands for all further authors.
_OTHERS = "et al."


@cache
def works() -> dict[str, dict[str, Any]]:
    """Return every work by its key."""
    path = Path(__file__).with_name("references.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def cited_keys(texts: Iterable[str]) -> list[str]:
    """Return the keys of what texts cite, in the order of their first mention.

    >>> cited_keys(["A [@b2000; @a1999].", "B [@a1999]."])
    ['b2000', 'a1999']
    """
    found = [key for text in texts for group in _CITED.findall(text) for key in _keys(group)]
    return list(dict.fromkeys(found))


def numbered(text: str, keys: list[str]) -> str:
    """Return a text with numbers in place of keys.

    >>> numbered("A [@b2000; @a1999].", ["b2000", "a1999"])
    'A [1,2].'
    """
    return _CITED.sub(
        lambda match: f"[{','.join(str(keys.index(key) + 1) for key in _keys(match[1]))}]", text
    )


def _keys(group: str) -> list[str]:
    return [key.strip().removeprefix("@") for key in group.split(";")]


def printed_work(key: str) -> str:
    """Return a work as a reference list prints it, in the style of Vancouver."""
    work = works()[key]
    names = [_printed_name(*name) for name in work["author"]]
    parts = [f"{', '.join(names)}.".replace("..", "."), f"{work['title']}.", f"{work['journal']}."]
    where = str(work["year"])
    if "volume" in work:
        where += f";{work['volume']}" + (f"({work['issue']})" if "issue" in work else "")
    if "page" in work:
        where += f":{work['page']}"
    parts.append(f"{where}.")
    if "doi" in work:
        parts.append(f"doi:{work['doi']}.")
    return " ".join(parts)


def _printed_name(family: str, given: str) -> str:
    initials = "".join(part[0] for part in given.replace("-", " ").split())
    return f"{family} {initials}".strip()


def bibtex(keys: Iterable[str]) -> str:
    """Return works as BibTeX, UTF-8 as biber and today's BibTeX styles read it."""
    entries = []
    for key in keys:
        work = works()[key]
        names = " and ".join(
            "others" if family == _OTHERS else f"{family}, {given}"
            for family, given in work["author"]
        )
        fields = {"author": names, "title": f"{{{work['title']}}}"}
        container = "journal" if work["type"] == "article-journal" else "booktitle"
        fields[container] = work["journal"]
        fields["year"] = str(work["year"])
        for name, own in (("volume", "volume"), ("number", "issue"), ("pages", "page")):
            if own in work:
                fields[name] = work[own].replace("-", "--") if name == "pages" else work[own]
        if "doi" in work:
            fields["doi"] = work["doi"]
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        entries.append(f"@{_BIBTEX_TYPES[work['type']]}{{{key},\n{body}\n}}")
    return "\n\n".join(entries) + "\n" if entries else ""


def csl_json(keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return works as CSL-JSON."""
    items = []
    for key in keys:
        work = works()[key]
        item: dict[str, Any] = {"id": key, "type": work["type"], "title": work["title"]}
        item["author"] = [
            {"literal": family} if family == _OTHERS else {"family": family, "given": given}
            for family, given in work["author"]
        ]
        item["container-title"] = work["journal"]
        item["issued"] = {"date-parts": [[work["year"]]]}
        item |= {name: work[name] for name in ("volume", "issue", "page") if name in work}
        if "doi" in work:
            item["DOI"] = work["doi"]
        items.append(item)
    return items
