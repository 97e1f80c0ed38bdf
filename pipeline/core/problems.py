"""Many mistakes in one answer: whoever mends a table wants all of them at once."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from functools import partial

from pipeline.core.errors import StudyError

SHOWN = 20
"""Problems an error prints; more than a screenful is not read."""


class ManyProblemsError(StudyError):
    """Several mistakes in one answer; each has a code, all of them together have none.

    Parameters
    ----------
    what : str
        What was checked.
    errors : list of StudyError
        Each mistake.
    """

    def __init__(self, what: str, errors: list[StudyError]) -> None:
        self.what, self.errors = what, errors
        lines = [f"  {number}. {error}" for number, error in enumerate(errors[:SHOWN], 1)]
        hidden = len(errors) - SHOWN
        if hidden > 0:
            lines.append(f"  ... and {hidden} more")
        super().__init__(f"There are {len(errors)} problems in {what}\n" + "\n".join(lines))

    def __reduce__(self) -> tuple:
        return partial(type(self), self.what), (self.errors,)


def each_of(error: StudyError) -> list[StudyError]:
    """Return the mistakes that an error tells, one by one."""
    return list(error.errors) if isinstance(error, ManyProblemsError) else [error]


class Problems:
    """Collects what is wrong with one configuration or table.

    Parameters
    ----------
    what : str
        What is checked, such as ``the table cases (cases.csv)``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.errors: list[StudyError] = []

    def add(
        self,
        rule: str,
        *,
        found: object = None,
        where: str | None = None,
        remedy: str | None = None,
        code: str | None = None,
    ) -> None:
        """Note one problem; the arguments are those of `VertebromicsError`."""
        self.errors.append(StudyError(rule, found=found, where=where, remedy=remedy, code=code))

    def __bool__(self) -> bool:
        return bool(self.errors)

    def raise_if_any(self) -> None:
        """Raise one `StudyError` that tells all problems, or do nothing where there are none."""
        if not self.errors:
            return
        if len(self.errors) == 1:
            raise self.errors[0]
        raise ManyProblemsError(self.what, self.errors)

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Note the mistakes of one check instead of ending with it, so that the next one runs.

        What was noted already is not told again: two checks may read the same table.
        """
        try:
            yield
        except StudyError as error:
            known = {str(noted) for noted in self.errors}
            self.errors += [each for each in each_of(error) if str(each) not in known]


def listing(values: Iterable, shown: int = 10) -> str:
    """Return `values` as a comma-separated list that stops after `shown` and says how many more.

    Examples
    --------
    >>> listing(["a", "b", "c"], shown=2)
    'a, b and 1 more'
    """
    words = [str(value) for value in values]
    more = len(words) - shown
    return ", ".join(words) if more <= 0 else f"{', '.join(words[:shown])} and {more} more"


def suggestion(word: object, known: Iterable[str]) -> str | None:
    """Return ``perhaps `x` is meant`` for the nearest of `known`, or None if nothing is near."""
    known = list(known)
    lower = {name.lower(): name for name in reversed(known)}
    wanted = str(word).lower()
    near = difflib.get_close_matches(wanted, lower, n=1)
    begun = [name for name in lower if len(wanted) > 2 and name.startswith(wanted)]
    if not near and len(begun) == 1:
        near = begun  # an abbreviation, such as `preop`
    return f"perhaps `{lower[near[0]]}` is meant" if near else None
