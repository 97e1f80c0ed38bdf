"""What of a module's code only people read: sentences of errors, findings, logs and help.

Rewording them makes no other number, so that a fingerprint of code leaves them out
(`pipeline.running.fingerprint`), and a better remedy costs nobody a night of extraction. What a
table says of a file in words keeps the old sentence until the table is made anew.

Code says by its form what is a sentence: the arguments of an error class, of a logger's methods and
of `Problems.add`, and the `code` that a function hands on to them; message and remedy of a
`Finding`; what an `option` or a `Column` says of itself; the `Look` of a model, and how a metric is
`Printed`; help of a command line; and what is annotated as `Words` (`pipeline.core.words`), a
constant or what a function returns. No branch may depend on any of them
(tests/pipeline/running/test_words_in_code.py looks for such branches).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: Modules whose every line is about words, progress or housekeeping, and none about a value; of a
#: package, all its modules. Stages read the frozen study, whatever the defaults of the options are.
VALUE_FREE = frozenset(
    {
        "pipeline.core.installed.job_environment",
        "pipeline.core.leftovers",
        "pipeline.running.readings_of_code",
        "pipeline.running.progress",
        "pipeline.running.words_in_code",
        "pipeline.study.analyses",
        "pipeline.study.options",
        "pipeline.study.sections",
        "pipeline.tables.handed_in_options",
        "pipeline.tables.split_options",
    }
)

#: Keywords that a call of `Problems.add` has at least one of.
_OF_PROBLEMS = frozenset({"found", "where", "remedy"})

_LOGGERS = frozenset({"logger", "logging"})
_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})

#: What names the rule that an error tells.
_CODE = "code"

#: Methods that describe a command line, and the keywords of theirs that are words.
_OF_COMMANDS = frozenset({"ArgumentParser", "add_argument", "add_argument_group", "add_parser"})
_HELP = frozenset({"help", "description", "epilog", "metavar", "title"})

#: What a `Finding` decides by; the rest of its arguments are words.
_FINDING = "Finding"
_FACTS_OF_FINDING = ("code", "severity")
_WORDS_OF_FINDING = frozenset({"message", "remedy"})

#: What says how a thing looks in figures and is called in tables: it makes no number.
_LOOKS = frozenset({"Look", "Printed"})

#: What describes an option, or a column of a table: of it a stage knows the first argument alone,
#: the default, or the type.
_DESCRIPTIONS = frozenset({"option", "Column"})


def drop_words(tree: ast.AST) -> None:
    """Remove from a module's syntax tree, in place, what only people read.

    Parameters
    ----------
    tree : ast.AST
        As `ast.parse` returns it. Docstrings go too.
    """
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                statements[:] = [line for line in statements if not _is_text(line)]
        if isinstance(node, ast.Call):
            _drop_arguments(node)
        elif isinstance(node, ast.AnnAssign) and _is_words(node.annotation):
            node.value = None
        elif isinstance(node, ast.FunctionDef):
            _drop_code(node.args)
            if _is_words(node.returns):
                node.body = []


def words_in(tree: ast.AST) -> Iterator[str]:
    """Yield the names of constants and functions that a module declares to be `Words`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and _is_words(node.annotation):
            if isinstance(node.target, ast.Name):
                yield node.target.id
        elif isinstance(node, ast.FunctionDef) and _is_words(node.returns):
            yield node.name


def called(node: ast.Call) -> str | None:
    """Return the last part of the name that a call calls, None where it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def _drop_arguments(call: ast.Call) -> None:
    name = called(call)
    if name is None or any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(call)):
        return  # a name that is bound inside may be used outside
    if name in _LOOKS or _tells_an_error(name, call) or _tells_a_log(name, call):
        call.args, call.keywords = [], []
    elif name == _FINDING:
        del call.args[len(_FACTS_OF_FINDING) :]
        call.keywords = [each for each in call.keywords if each.arg not in _WORDS_OF_FINDING]
    elif name in _DESCRIPTIONS:
        call.args, call.keywords = call.args[:1], []
    elif name in _OF_COMMANDS:
        call.keywords = [each for each in call.keywords if each.arg not in _HELP]
    else:
        call.keywords = [each for each in call.keywords if not _is_code(each)]


def _is_code(given: ast.keyword) -> bool:
    """Return whether a keyword is an error's code; what prints a table has columns of that name."""
    return given.arg == _CODE and not isinstance(given.value, ast.Tuple)


def _drop_code(arguments: ast.arguments) -> None:
    """Remove the parameter by which a function takes the code of the error that it makes."""
    pairs = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    pairs = [pair for pair in pairs if pair[0].arg != _CODE]
    arguments.kwonlyargs = [parameter for parameter, _ in pairs]
    arguments.kw_defaults = [default for _, default in pairs]


def _tells_an_error(name: str, call: ast.Call) -> bool:
    if name == "add":
        return any(each.arg in _OF_PROBLEMS for each in call.keywords)
    return name[0].isupper() and name.endswith("Error")


def _tells_a_log(name: str, call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return name in _LEVELS and isinstance(owner, ast.Name) and owner.id in _LOGGERS


def _is_words(annotation: ast.AST | None) -> bool:
    """Return whether an annotation is `Words`, or a list, a tuple or values of a dict of them."""
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        parts = [each for each in getattr(inner, "elts", [inner]) if not _is_dots(each)]
        return bool(parts) and _is_words(parts[-1])
    return isinstance(annotation, ast.Name) and annotation.id == "Words"


def _is_dots(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
