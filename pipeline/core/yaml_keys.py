"""YAML in which a key given twice is an error: the later one would win without a word."""

from __future__ import annotations

import yaml


class UniqueKeys(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, except that a key given twice is an error."""

    def construct_mapping(self, node, deep=False):
        """Return a mapping, or raise `yaml.constructor.ConstructorError` for a repeated key."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
