"""YAML as people write it: what PyYAML takes without a word, and does harm, is an error here.

A key given twice would let the later one win; an alias within aliases can grow a small file beyond
all memory; a number beyond a computer's numbers ends in a traceback much later.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

MOST_BYTES = 500_000
"""Bytes of a file; the largest example of this project has 5,000."""
MOST_PARTS = 200_000
"""Keys and values, those counted anew that aliases repeat."""
MERGE = "tag:yaml.org,2002:merge"
"""The key ``<<``, whose mapping's keys the others override."""
MOST_DEPTH = 40
"""Levels of lists and mappings within one another; the deepest option lies at 5."""
DEEP = f"more than {MOST_DEPTH} levels within one another"
LESS = "write out what the options need, and remove the rest"
NUMBER = "put it in quotes if it is text, or write a number that the option can take"


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, not deeper than `MOST_DEPTH`."""

    def fetch_flow_collection_start(self, token: object) -> None:
        """Begin a list or mapping in brackets, unless too many are open: each costs the next."""
        if self.flow_level > MOST_DEPTH:
            raise RecursionError
        super().fetch_flow_collection_start(token)


def read_yaml(data: bytes) -> Any:
    """Return what a file of YAML holds.

    Parameters
    ----------
    data : bytes
        The file; UTF-8, with or without a byte order mark.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, repeats a key, or holds what no option can be: a date that does not exist,
        a number beyond all numbers, more parts or levels than a configuration has.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    if len(data) > MOST_BYTES:
        raise _error(f"{len(data):,} bytes, of at most {MOST_BYTES:,}", None, LESS)
    loader = _Loader(data.decode("utf-8-sig"))
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        value = loader.construct_document(node)
    except RecursionError:
        raise _error(DEEP, None, LESS) from None
    finally:
        loader.dispose()
    return value


def _check_size(root: yaml.Node) -> None:
    """Raise `yaml.YAMLError` for too many parts or levels, and for values that cannot be."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size_of(node: yaml.Node, depth: int) -> int:
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node)
            return 1
        if id(node) in open_nodes:
            raise _error("an alias that holds itself", node, "remove the alias (`*name`) there")
        if depth > MOST_DEPTH:
            raise _error(DEEP, node, LESS)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            if isinstance(node, yaml.MappingNode):
                _check_keys(node)
            parts = (
                [part for pair in node.value for part in pair]
                if isinstance(node, yaml.MappingNode)
                else node.value
            )
            total = 1
            for part in parts:
                total += size_of(part, depth + 1)
                if total > MOST_PARTS:
                    raise _error(f"more than {MOST_PARTS:,} keys and values", node, LESS)
            open_nodes.discard(id(node))
            sizes[id(node)] = total
        return sizes[id(node)]

    size_of(root, 0)


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _error(
                "a list or a mapping stands in place of a key",
                key_node,
                "write one word before the colon",
            )
        if key_node.tag == MERGE:
            continue
        _check_scalar(key_node)
        key = yaml.constructor.SafeConstructor().construct_object(key_node)
        if key in seen:
            raise _error(f"the key {key!r} is given twice", key_node, "remove one of the two")
        seen.add(key)


def _check_scalar(node: yaml.ScalarNode) -> None:
    kind = node.tag.rpartition(":")[2]
    if kind not in ("int", "float", "timestamp"):
        return
    shown = node.value if len(node.value) <= 40 else f"{node.value[:30]}..."
    try:
        value = yaml.constructor.SafeConstructor().construct_object(node)
    except (ValueError, OverflowError, AttributeError, yaml.YAMLError):
        words = {"timestamp": "date", "int": "whole number", "float": "number"}[kind]
        raise _error(
            f"{shown} is no {words} (put text in quotes)",
            node,
            f"put it in quotes if it is text, or correct the {words}",
        ) from None
    if kind == "timestamp":
        return
    too_small = value == 0 and re.match("[^eE]*[1-9]", node.value) is not None
    if isinstance(value, float) and (too_small or not math.isfinite(value)):
        raise _error(f"{shown} is no number that can be computed with", node, NUMBER)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise _error(f"{shown} is beyond the whole numbers of a computer", node, NUMBER)


def yaml_words(error: Exception) -> str:
    """Return what PyYAML says in one line, without the name that it gives to a text."""
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "in ").removesuffix(" ^")


def yaml_remedy(error: Exception, other: str) -> str:
    """Return what to do about a file that is no YAML: `other`, unless the error says it itself."""
    return getattr(error, "remedy", None) or other


class _WrongYamlError(yaml.constructor.ConstructorError):
    """What YAML allows and no option can be, with what to do about it."""

    def __init__(self, words: str, mark: yaml.Mark | None, remedy: str) -> None:
        super().__init__(None, None, words, mark)
        self.remedy = remedy


def _error(words: str, node: yaml.Node | None, remedy: str) -> yaml.YAMLError:
    return _WrongYamlError(words, None if node is None else node.start_mark, remedy)
