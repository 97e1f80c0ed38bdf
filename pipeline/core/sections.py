"""Options as typed sections: frozen dataclasses whose fields carry unit, reason and bounds.

A stage opens a study that was checked and frozen before it ran, and makes of it the sections that
it reads (`section_of`): plain objects, which load in no time. pydantic reads the same classes by
the two methods of `Rule`; it is loaded only where a configuration is checked
(`pipeline.study.options.acceptance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing

Section = TypeVar("Section")

RULE, SECTION, SECTIONS, NAMED = "rule", "section", "sections", "named"
"""Keys of a field's metadata: its `Rule`, the class of a section, that of a list of sections, that
of sections by name."""


@dataclass(frozen=True)
class Rule:
    """What is said of an option, or of a part of its value, besides its type and default.

    Attributes
    ----------
    description : str
        What it is, in a few words; errors quote it.
    reason : str
        Comment of config/default.yaml: what the values mean, and why the default is what it is.
    unit : str
        Unit of a number.
    remedy : str
        Sentence that an error about it ends with.
    accepts : str
        What it accepts, in words, where that is more than one type.
    heading : str
        Heading of config/default.yaml that begins before it.
    replaced : bool
        Whether a later file replaces a mapping as a whole instead of key by key.
    required : bool
        Whether a study has to give it.
    unique : bool
        Whether a list may name nothing twice.
    bounds : mapping
        ``ge, gt, le, lt, pattern, min_length, max_length``, as pydantic calls them.
    """

    description: str = ""
    reason: str = ""
    unit: str = ""
    remedy: str = ""
    accepts: str = ""
    heading: str = ""
    replaced: bool = False
    required: bool = False
    unique: bool = False
    bounds: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict]) -> dict:
        """Add the bounds to what pydantic makes of the type."""
        schema: Any = handler(source)
        (schema["schema"] if schema["type"] == "nullable" else schema).update(self.bounds)
        if not self.unique:
            return schema
        from pydantic_core import PydanticCustomError, core_schema

        def named_once(values: list) -> list:
            if any(value in values[:place] for place, value in enumerate(values)):
                raise PydanticCustomError("unique", "names something twice")
            return values

        held: Any = core_schema.no_info_after_validator_function(named_once, schema)
        return held

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict]) -> dict:
        """Add the words to what pydantic writes of the type."""
        written = handler(schema)
        words = ("description", "unit", "reason", "remedy", "accepts")
        said = {word: getattr(self, word) for word in words if getattr(self, word)}
        return said | written | ({"uniqueItems": True} if self.unique else {})


def option(default: object, description: str, reason: str = "", **rules: Any) -> Any:
    """Return the field of one option.

    Parameters
    ----------
    default : object
        Its value where nobody states another; ``dataclasses.MISSING`` where somebody has to.
    description, reason : str
        As in `Rule`.
    **rules : object
        Other attributes of `Rule`, and bounds.
    """
    own = {field.name for field in fields(Rule)}
    bounds = {name: value for name, value in rules.items() if name not in own}
    kept = {name: value for name, value in rules.items() if name in own}
    metadata = {RULE: Rule(description, reason, bounds=bounds, **kept)}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def section(kind: type, description: str, reason: str = "", **rules: Any) -> Any:
    """Return the field of a section, whose class is `kind`; parameters are those of `option`."""
    metadata = {RULE: Rule(description, reason, **rules), SECTION: kind}
    return field(default_factory=kind, metadata=metadata)


def optional_section(kind: type, description: str, reason: str = "", **rules: Any) -> Any:
    """Return the field of a section that a study may have, None where it has not."""
    metadata = {RULE: Rule(description, reason, **rules), SECTION: kind}
    return field(default=None, metadata=metadata)


def sections(kind: type, description: str, reason: str = "", **rules: Any) -> Any:
    """Return the field of a list of sections, empty by default."""
    metadata = {RULE: Rule(description, reason, **rules), SECTIONS: kind}
    return field(default_factory=list, metadata=metadata)


def named_sections(kind: type, description: str, reason: str = "", **rules: Any) -> Any:
    """Return the field of sections by name, None where there are none.

    The field's type is a mapping whose keys are the names; its values are of `kind`.
    """
    metadata = {RULE: Rule(description, reason, **rules), NAMED: kind}
    return field(default=None, metadata=metadata)


def taken(kind: type) -> Any:
    """Return a field of a class for `part_of`: a section of the configuration, of class `kind`."""
    return field(metadata={SECTION: kind})


def taken_list(kind: type) -> Any:
    """Return a field of a class for `part_of`: a list of sections of class `kind`."""
    return field(metadata={SECTIONS: kind})


def taken_by_name(kind: type) -> Any:
    """Return a field of a class for `part_of`: sections of class `kind` by name, or None."""
    return field(metadata={NAMED: kind})


def rule_of(one: Field) -> Rule:
    """Return what is said of a field."""
    return one.metadata[RULE]


def default_of(one: Field) -> Any:
    """Return the default of a field, None where it has none."""
    if one.default_factory is not MISSING:
        return one.default_factory()
    return None if one.default is MISSING else one.default


def replaced_options(kind: type, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the places of the mappings that a later file replaces as a whole."""
    for one in fields(kind):
        here = (*path, one.name)
        if rule_of(one).replaced:
            yield here
        elif SECTION in one.metadata:
            yield from replaced_options(one.metadata[SECTION], here)


def section_of(kind: type[Section], values: Mapping) -> Section:
    """Return a section of a frozen study as an object of its class.

    Nothing is checked but the names: a study is checked before it is frozen.

    Parameters
    ----------
    kind : type
        Class of the section.
    values : mapping
        All its options, as the frozen study has them.

    Raises
    ------
    StudyError
        If an option is missing or is none of this section: another version froze the study.
    """
    known = fields(kind)  # type: ignore[arg-type]
    differing = {one.name for one in known} ^ set(values)
    if differing:
        found = f"more or less: {listing(sorted(map(str, differing)))}"
        raise _of_another_version(found, f"section {kind.__name__.lower()}")
    return _made(kind, values)


def part_of(kind: type[Section], values: Mapping) -> Section:
    """Return what somebody reads of a frozen study, as an object of a class of their own.

    Parameters
    ----------
    kind : type
        Dataclass whose fields are options of a study or, made by `taken`, sections of it.
    values : mapping
        The frozen study's configuration, or a section of it.

    Raises
    ------
    StudyError
        If an option is missing, or a section is not of this version: another version froze it.
    """
    missing = [one.name for one in fields(kind) if one.name not in values]  # type: ignore[arg-type]
    if missing:
        raise _of_another_version(f"none named {listing(missing)}", "the configuration")
    return _made(kind, values)


def _made(kind: type[Section], values: Mapping) -> Section:
    known = fields(kind)  # type: ignore[arg-type]
    return kind(**{one.name: _typed(one, values[one.name]) for one in known})


def _of_another_version(found: str, where: str) -> StudyError:
    return StudyError(
        "A frozen study must have the options of this version",
        found=found,
        where=where,
        remedy="run snakemake, or python -m pipeline.validate, on its configuration",
        code="study-of-another-version",
    )


def _typed(one: Field, value: Any) -> Any:
    if value is not None and SECTION in one.metadata:
        kind = one.metadata[SECTION]
        return (_entry_of if any(map(is_stated, fields(kind))) else section_of)(kind, value)
    if SECTIONS in one.metadata:
        return [_entry_of(one.metadata[SECTIONS], each) for each in value]
    if value is not None and NAMED in one.metadata:
        return {name: _entry_of(one.metadata[NAMED], each) for name, each in value.items()}
    return value


def _entry_of(kind: type[Section], values: Mapping) -> Section:
    """Return a section that people write, such as a scale: what it leaves out has its default.

    The default options hold no such section that its own would be added to, so that it is frozen
    as it is written.
    """
    left_out = [one for one in fields(kind) if one.name not in values and not is_stated(one)]  # type: ignore[arg-type]
    return section_of(kind, {one.name: default_of(one) for one in left_out} | dict(values))


def is_stated(one: Field) -> bool:
    """Return whether a field has no default: somebody has to state it."""
    return one.default is MISSING and one.default_factory is MISSING
