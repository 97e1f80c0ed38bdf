"""One clear error for bad input: the rule, the value found, the place, the remedy."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.core.words import Words


class VertebromicsError(Exception):
    """Bad input or an impossible request, worded for the person who can mend it.

    Parameters
    ----------
    rule : str
        What was expected, as a sentence without a full stop.
    found : object, optional
        The value that breaks the rule; printed as ``Found: ...``.
    where : str, optional
        File, row and column, or case and reader, that hold the value.
    remedy : str, optional
        What to do about it.
    code : str, optional
        Stable short name of the rule in kebab case, such as ``mask-too-small``, for tests and for
        programs that read logs; a sentence may be reworded, a code stays.

    Examples
    --------
    >>> print(VertebromicsError("A mask must hold at least 30 voxels", found=12, where="S001 A"))
    A mask must hold at least 30 voxels. Found: 12. In: S001 A.
    """

    def __init__(
        self,
        rule: str,
        *,
        found: object = None,
        where: str | None = None,
        remedy: str | None = None,
        code: str | None = None,
    ) -> None:
        self.rule = rule.rstrip(".")
        self.found = found
        self.where = where
        self.remedy = remedy
        self.code = code
        super().__init__(self.rule)

    def __reduce__(self) -> tuple:
        # Errors cross process pools; the default would hand the keywords over as positions.
        names = ("found", "where", "remedy", "code")
        keywords: dict[str, Any] = {name: getattr(self, name) for name in names}
        return partial(type(self), **keywords), (self.rule,)

    def with_code(self) -> Words:
        """Return the sentence with its code in brackets, as logs show it."""
        return f"{self} [{self.code}]" if self.code else str(self)

    def __str__(self) -> str:
        sentences = [f"{self.rule}."]
        if self.found is not None:
            sentences.append(f"Found: {self.found}.")
        if self.where:
            sentences.append(f"In: {self.where}.")
        if self.remedy:
            sentences.append(f"Remedy: {self.remedy.rstrip('.')}.")
        return " ".join(sentences)


class StudyError(VertebromicsError):
    """The configuration or one of the study's tables is wrong; nothing can start."""


class ReportError(StudyError):
    """Several mistakes, each with its code, laid out for a screen: printed as it stands."""

    def __str__(self) -> str:
        return self.rule


class FitError(StudyError):
    """A model cannot be fitted to the rows at hand: it drops out, the other models go on."""


class DivergedError(FitError):
    """A training did not converge with these parameters; others may."""


class CaseError(VertebromicsError):
    """One scan, case or mask is wrong; the others go on (`on_bad_case`)."""


class ProgramError(VertebromicsError):
    """The program or a library failed in a way that no check foresees: no patient is blamed."""


class MachineError(VertebromicsError):
    """The machine is at fault, such as a full disk: the job ends, and no patient is blamed."""
