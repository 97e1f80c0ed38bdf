"""What a test asks of a refusal: the code of its rule, which stays when the sentence changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from pipeline.core.errors import VertebromicsError


def codes_of(error: BaseException) -> set[str]:
    """Return the code of an error of ours, or those of each mistake that it tells."""
    several = getattr(error, "errors", [error])
    return {code for one in several if (code := getattr(one, "code", None))}


@contextlib.contextmanager
def refusal(
    code: str, kind: type[VertebromicsError] = VertebromicsError, *, match: str | None = None
) -> Iterator[pytest.ExceptionInfo]:
    """Look that the block raises an error of ours with a code, as `pytest.raises` does.

    Parameters
    ----------
    code : str
        Code of the rule; of several mistakes told at once, that of one.
    kind : type, optional
        Class of the error: it decides who goes on.
    match : str, optional
        Expression for what the code does not say: the value found, the file, the remedy. Empty:
        the code says it all.
    """
    with pytest.raises(kind, match=match or None) as told:
        yield told
    assert code in codes_of(told.value), f"{codes_of(told.value)} instead of {code}: {told.value}"
