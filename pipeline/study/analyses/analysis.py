"""What an analysis brings: plain data, by which options, rules and report find its parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.problems import Problems


@dataclass(frozen=True)
class Analysis:
    """One thing that can be asked of a study's tables.

    Its stages are the modules that its rules call. Its sections of the report are bound in
    `pipeline.reporting.analysis_sections`.

    Attributes
    ----------
    name : str
        A noun, as in the option `analyses`; its section of options is called so too.
    meaning : str
        What it is, in a few words, for the page of options.
    rules : tuple of str
        Files of `pipeline/rules`, without ``.smk``, that the Snakefile includes where it runs.
    reads : mapping
        Rule -> the options that its stage reads, with dots.
    results : tuple of str
        What the report waits for, relative to the study's folder; the files of each model are added
        by the rules.
    options : type or None
        Class of its section; None where its options are sections of their own.
    description, reason : str
        Of that section, as in `pipeline.core.sections.Rule`.
    clinical_only : bool
        Whether a clinical table and its dictionary are enough, and needed.
    needs_outcome : bool
        Whether it is of the study's outcome.
    check : callable or None
        ``check(config, problems)`` adds what else it lacks.
    asked : callable or None
        ``asked(config)`` gives what the report waits for besides, in this configuration.
    """

    name: str
    meaning: str
    rules: tuple[str, ...]
    reads: Mapping[str, tuple[str, ...]]
    results: tuple[str, ...] = ()
    options: type | None = None
    description: str = ""
    reason: str = ""
    clinical_only: bool = False
    needs_outcome: bool = False
    check: Callable[[Mapping[str, Any], Problems], None] | None = field(default=None)
    asked: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = field(default=None)

    def runs(self, analyses: Collection[str], *, outcome: bool) -> bool:
        """Return whether a study with a clinical table comes to it.

        Parameters
        ----------
        analyses : collection of str
            The option of this name.
        outcome : bool
            Whether the study has an outcome.
        """
        return self.name in analyses and (outcome or not self.needs_outcome)

    def results_of(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the report of a study waits for."""
        return self.results if self.asked is None else (*self.results, *self.asked(config))
