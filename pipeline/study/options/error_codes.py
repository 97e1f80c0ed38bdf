"""Which codes the program's errors and findings carry, and in which words: read from its source.

An error tells the rule that was broken and its code (`pipeline.core.errors`), a `Finding` its code,
severity and message (`pipeline.core.findings`). Tests match codes, and docs/bad_inputs.md takes its
words from here, so that a sentence stands in one place. Nothing is executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from pipeline.core.installed.own_files import PACKAGES

PROGRAM = ("pipeline", "segmentation", "models", "deployment", "intake", "demo", "proofs")
"""Packages that tell errors or findings."""

FILLED = "..."
"""What an f-string or a sum inserts into a text."""

Names = dict[str, list[str]]
"""Name of a variable or constant -> the texts that are given to it."""


@dataclass(frozen=True)
class Said:
    """A code at one place of the source.

    Attributes
    ----------
    code : str
        In kebab case.
    kind : {'error', 'finding'}
        What carries it.
    severity : str
        ``error``, ``warning`` or ``info``; empty where the source decides it as it runs.
    text : str
        What is said with it; `FILLED` for what is inserted, empty where it is put together
        elsewhere.
    place : str
        File and line.
    remedy : str
        What is advised with it, in the same way; of two, both.
    """

    code: str
    kind: str
    severity: str
    text: str
    place: str
    remedy: str = ""


@cache
def said_in(root: Path = PACKAGES) -> tuple[Said, ...]:
    """Return every code of the program, in the order of the files and of their lines.

    Parameters
    ----------
    root : pathlib.Path, optional
        Folder that holds the packages.
    """
    files = [path for name in PROGRAM for path in sorted((root / name).rglob("*.py"))]
    return tuple(
        said
        for path in files
        for said in said_by(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    )


def texts_of(code: str) -> list[str]:
    """Return the texts that are said with a code, each once, in the order of their places."""
    return list(dict.fromkeys(one.text for one in said_in() if one.code == code and one.text))


def remedies_of(code: str, message: str) -> list[str]:
    """Return what is advised with one sentence of a code, each once, in the order of places."""
    told = [one for one in said_in() if one.code == code and one.remedy]
    meant = [one for one in told if may_be(message, one.text)] or told
    return list(dict.fromkeys(one.remedy for one in meant))


def may_be(stated: str, text: str) -> bool:
    """Return whether a row's words are a part of a sentence, `text`, with or without its values.

    Examples
    --------
    >>> may_be("A CT must have at least 2 slices", "A CT must have at least ... slices")
    True
    >>> may_be("no more than ...", "A CT must have at least ... slices")
    False
    """
    said = ".*".join(map(re.escape, stated.split(FILLED)))
    filled = ".*".join(map(re.escape, text.split(FILLED)))
    return bool(re.search(said, text)) or bool(re.match(filled, stated))


def said_by(source: str, name: str) -> Iterator[Said]:
    """Yield the codes of one module; `name` is its file."""
    if "code=" not in source and "Finding(" not in source:
        return
    module = ast.parse(source)
    everywhere = _given(module.body)
    helpers = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    seen: set[ast.AST] = set()
    # Inner functions come before those that hold them: their names are the nearer ones.
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    for scope in [*reversed(functions), module]:
        nodes = list(ast.walk(scope))
        calls = [
            node
            for node in nodes
            if isinstance(node, ast.Call) and _tells(node) and node not in seen
        ]
        seen.update(calls)
        names = everywhere | _given(nodes) if calls else {}
        for call in calls:
            for code, severity, text in _codes(call, names):
                kind = "finding" if _called(call) in _OF_FINDINGS else "error"
                place, remedy = f"{name}:{call.lineno}", _remedy(call, names, helpers)
                yield Said(code, kind, severity, _plain(text), place, remedy)


_OF_FINDINGS = ("Finding", "from_exception")


def _tells(call: ast.Call) -> bool:
    return _called(call) in _OF_FINDINGS or any(each.arg == "code" for each in call.keywords)


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _remedy(call: ast.Call, names: Names, helpers: dict[str, ast.FunctionDef]) -> str:
    """Return the remedy of a call, also one that its function, of the same module, gives."""
    given = _argument(call, "remedy", helpers)
    if given is None and _called(call) == "Finding" and len(call.args) > _REMEDY:
        given = call.args[_REMEDY]
    if given is None and (helper := helpers.get(_called(call))):
        inner = (node for node in ast.walk(helper) if isinstance(node, ast.Call))
        given = next((found for each in inner if (found := _argument(each, "remedy", {}))), None)
    return "; or: ".join(dict.fromkeys(_plain(text) for text in _texts(given, names) if text))


def _argument(call: ast.Call, name: str, helpers: dict[str, ast.FunctionDef]) -> ast.expr | None:
    """Return what a call gives for a parameter, by keyword or by its place."""
    named = next((each.value for each in call.keywords if each.arg == name), None)
    if named is not None or not (helper := helpers.get(_called(call))):
        return named
    parameters = [each.arg for each in helper.args.args if each.arg != "self"]
    at = parameters.index(name) if name in parameters else len(call.args)
    return call.args[at] if at < len(call.args) else None


_REMEDY = 3
"""Place of the remedy among the arguments of a `Finding`."""


def _plain(text: str) -> str:
    return (
        text
        if text.endswith(FILLED) and not text.endswith(FILLED + ".")
        else text.removesuffix(".")
    )


def _codes(call: ast.Call, names: Names) -> Iterator[tuple[str, str, str]]:
    name = _called(call)
    given = {each.arg: each.value for each in call.keywords}
    if name == "Finding":
        code, severity, message = (
            given.get(each, call.args[at] if at < len(call.args) else None)
            for at, each in enumerate(("code", "severity", "message"))
        )
        for one in _texts(code, names):
            kinds = _texts(severity, names)
            kind = kinds[0] if len(kinds) == 1 else ""
            yield from ((one, kind, text) for text in _texts(message, names) or [""])
    elif name == "from_exception":
        yield from ((one, "error", "") for one in _texts(call.args[1], names))
    elif "code" in given and not isinstance(given["code"], ast.Tuple):
        arguments = [*call.args[:1], given.get("rule"), *call.args[1:]]
        rules = (_texts(each, names) for each in arguments if each is not None)
        rule = next((texts for texts in rules if any(" " in text for text in texts)), [])
        for one, text in _paired(given["code"], rule, names):
            yield one, "error", text


def _paired(code: ast.expr, rule: list[str], names: Names) -> Iterator[tuple[str, str]]:
    """Yield the codes of a call with their texts: as many codes as texts belong together."""
    if isinstance(code, ast.Subscript) and isinstance(code.value, ast.Dict):
        for key, value in zip(code.value.keys, code.value.values, strict=True):
            for one in _texts(value, names):
                texts = _texts(key, names) or [""]
                yield from ((one, text.replace("{}", FILLED)) for text in texts)
        return
    literal = isinstance(code, ast.Constant | ast.IfExp)
    codes = _texts(code, names) if literal else []
    if len(codes) == len(rule) > 1:
        yield from zip(codes, rule, strict=True)
    elif len(codes) == 1:
        yield from ((codes[0], text) for text in rule or [""])
    else:
        yield from ((one, "") for one in codes)


def _texts(node: ast.AST | None, names: Names) -> list[str]:
    """Return the texts that an expression may be; none where only running tells."""
    match node:
        case ast.Constant(value=str(text)):
            found = [text]
        case ast.JoinedStr(values=parts):
            filled = [(_texts(part, names) or [FILLED])[0] for part in parts]
            found = ["".join(filled).replace(FILLED * 2, FILLED)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            sides = (_texts(side, names) or [FILLED] for side in (left, right))
            found = ["".join(pair) for pair in product(*sides)]
        case ast.Name(id=name):
            found = names.get(name, [])
        case ast.Subscript(value=inner):
            found = _texts(inner, names)
        case ast.BoolOp(op=ast.Or(), values=[*_, last]):
            # What is advised where nothing nearer is found.
            found = _texts(last, names)
        case ast.IfExp(body=one, orelse=other):
            found = [*_texts(one, names), *_texts(other, names)]
        case ast.Dict(values=several) | ast.List(elts=several) | ast.Tuple(elts=several):
            found = [text for each in several for text in _texts(each, names)]
        case ast.Call(func=ast.Attribute(value=inner, attr="format")):
            found = [text.replace("{}", FILLED) for text in _texts(inner, names)]
        case _:
            found = []
    return found


def _given(statements: Iterable[ast.AST]) -> Names:
    """Return the texts that assignments among `statements` give to names."""
    found: Names = {}
    for node in statements:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).extend(_texts(node.value, {}))
    return found
