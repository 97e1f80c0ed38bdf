"""Search results for anything that identifies a person; prints where it is, never what it is.

Every text of the source's DICOM headers and every name of its folders and files is searched for, in
many spellings and encodings, in file names and contents: text, gzip, zip, Parquet, pictures, HTML,
SQLite, volumes, pickles, Snakemake's own folder. Exit status 1 if anything is found, or if a file
could not be looked into (docs/privacy.md).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from intake.identity.byte_search import Match, Search
from intake.identity.byte_tables import LONG, LOWER
from intake.identity.chance import SCANS, Model, bits_needed, bits_of_text, inside_run
from intake.identity.containers import CannotOpenError, Piece, pieces_of
from intake.identity.identities import of_folder
from intake.identity.own_words import is_own
from intake.identity.unescape import inside_base64, unescaped
from pipeline.core import command
from pipeline.core.errors import StudyError, VertebromicsError
from pipeline.core.files import everything_below, read_json
from pipeline.imaging.dicom.dicom_identity import Identity

logger = logging.getLogger(__name__)

SNAKEMAKE = Path(".snakemake")

MIN_IDS, MIN_SHARE = 3, 0.2
"""Numbers of patients in one column of measurements, and their share, that make it one of ids."""

#: What follows the date in the timestamps of logs and in the names of Snakemake's logs.
_TIME_OF_DAY = re.compile(rb"[ Tt]\d\d:?\d\d:?\d\d(?!\d)")


@dataclass(frozen=True, order=True)
class Leak:
    """A place where an identity value stands, without the value.

    Attributes
    ----------
    file : str
        Path with the names that hold a value replaced by ``***``.
    kind, tag : str
        What kind of value, of which attribute.
    how : str
        Where in the file and in which encoding.
    """

    file: str
    kind: str
    tag: str
    how: str


@dataclass(frozen=True)
class Outcome:
    """What a scan found.

    Attributes
    ----------
    leaks : dict of Leak to int
        How often each was seen.
    unreadable : list of (str, str)
        File and reason.
    files, bytes : int
        How much was looked at, unpacked.
    chance : int
        Matches in binary data that chance brings (`intake.identity.chance`); they are no leaks.
    bits : float
        What a match in binary data must have not to be one.
    """

    leaks: dict[Leak, int]
    unreadable: list[tuple[str, str]]
    files: int
    bytes: int
    chance: int = 0
    bits: float = 0.0


def scan(roots: Iterable[Path], search: Search) -> Outcome:
    """Search all files below `roots`, their contents and their names.

    Parameters
    ----------
    roots : iterable of pathlib.Path
        Files and folders.
    search : Search
        What to search for.
    """
    leaks: Counter[Leak] = Counter()
    doubtful: dict[Leak, list[float]] = {}
    unreadable: list[tuple[str, str]] = []
    files = size = 0
    for root, path in _files(roots):
        clock = _days_of(path)
        shown, found = _shown(root, path, search, clock)
        leaks.update(found)
        if path.is_symlink():
            target = Piece(str(path.readlink()).encode("utf-8", "surrogateescape"), ("link",))
            leaks.update(leak for leak, _ in _leaks(target, shown, search))
            continue
        if path.is_dir():
            continue
        files += 1
        try:
            for piece in pieces_of(path):
                size += len(piece.content)
                for leak, bits in _leaks(piece, shown, search, clock):
                    if bits is None:
                        leaks[leak] += 1
                    else:
                        doubtful.setdefault(leak, []).append(bits)
        except CannotOpenError as error:
            unreadable.append((shown, str(error)))
        except OSError as error:
            unreadable.append((shown, error.strerror or type(error).__name__))
    needed, chance = bits_needed(len(search.patterns), size), 0
    for leak, each in doubtful.items():
        sure = sum(bits >= needed for bits in each)
        chance += len(each) - sure
        if sure:
            leaks[leak] += sure
    return Outcome(dict(sorted(leaks.items())), unreadable, files, size, chance, needed)


def _files(roots: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    for root in roots:
        if not root.exists():
            raise StudyError(
                "What is to be scanned must exist",
                found=root.name,
                remedy="correct its path",
                code="phi-target-missing",
            )
        yield root, root
        if root.is_dir():
            for path in everything_below(root):
                yield root, path


def _days_of(path: Path) -> frozenset[bytes]:
    """Return the day on which a file was written, here and in UTC, as logs write it."""
    if not path.is_file() or path.is_symlink():
        return frozenset()
    written = path.stat().st_mtime
    return frozenset(
        datetime.fromtimestamp(written, zone).date().isoformat().encode() for zone in (UTC, None)
    )


def _leaks(
    piece: Piece, shown: str, search: Search, clock: frozenset[bytes] = frozenset()
) -> Iterator[tuple[Leak, float | None]]:
    """Yield the leaks of a piece, each with its bits where it may be chance, else with None.

    Timestamps of the day on which its file was written are no leak: a mask that was saved on the
    day of the run has the date of every line of the logs.
    """
    place = " > ".join(piece.chain)

    def leak(match: Match, reading: str = "") -> Leak:
        steps = [step for step in (place, reading, match.pattern.encoding) if step]
        identity = match.pattern.identity
        return Leak(shown, identity.kind, identity.tag, ", ".join(steps))

    every = [
        match
        for match in search.matches(piece.content, bulk=piece.bulk, spellings=not piece.numbers)
        if not _is_stamp(piece.content, match, clock, search)
    ]
    found = [match for match in every if not _is_own(piece, match)]
    own = Counter(match.pattern.identity for match in every)
    own.subtract(match.pattern.identity for match in found)
    weigh = _weigher(piece, found)
    seen = set()
    for match in found:
        if match.readable is not None and match.pattern.identity in seen:
            continue
        seen.add(match.pattern.identity)
        yield leak(match), weigh(match)
    if not (piece.bulk or piece.numbers):
        for reading, content in unescaped(piece.content):
            again = [
                match
                for match in search.matches(content)
                if not _is_stamp(content, match, clock, search)
            ]
            times = Counter(match.pattern.identity for match in again)
            for match in again:
                identity = match.pattern.identity
                # One reading of a place is enough; what was the program's own word stays it.
                known = identity in seen or times[identity] <= own[identity]
                if not (known or _is_own(Piece(content, piece.chain), match)):
                    yield leak(match, reading), _bits_in_text(content, match)


def _weigher(piece: Piece, found: list[Match]) -> Callable[[Match], float | None]:
    """Return what tells a match's bits: None where it stands in text, and is no chance."""
    if not found:
        return lambda match: None
    if piece.bulk:
        lowered = piece.content.translate(LOWER)
        model, known = Model(lowered), {}

        def bits(match: Match) -> float:
            needle = lowered[match.start : match.end]
            if needle not in known:
                known[needle] = model.bits(needle)
            return known[needle]

        return bits
    if piece.numbers:
        # A column of ids holds many of them; among measurements one is a number by chance.
        hits = len({match.pattern.identity for match in found})
        if hits >= MIN_IDS and hits >= MIN_SHARE * (piece.content.count(b" ") + 1):
            return lambda match: None
        return lambda match: (match.end - match.start) * math.log2(10)
    return lambda match: _bits_in_text(piece.content, match)


def _bits_in_text(content: bytes, match: Match) -> float | None:
    """Return the bits of a match that is a piece of a base64 or hexadecimal run, else None."""
    start, end, encoding = match.start, match.end, match.pattern.encoding
    if match.readable is not None:
        content = match.readable
    wrapped = encoding.startswith(("base64", "hexadecimal"))
    if not wrapped and (match.pattern.width > 1 or end - start >= 2 * LONG):
        return None
    if not inside_run(content, start, end, encoding.startswith("hexadecimal")):
        return None
    return bits_of_text(content[start:end].translate(LOWER), encoding)


def _is_own(piece: Piece, match: Match) -> bool:
    """Return whether a match in text is a word that the program or a format wrote."""
    encoding = match.pattern.encoding
    names = "Parquet" in piece.chain and "metadata" in piece.chain
    if names and encoding == "base64 of UTF-8":
        # The schema as Arrow keeps it: what it holds is a piece of its own.
        return inside_base64(piece.content, match.start)
    if piece.bulk or match.pattern.width > 1 or encoding.startswith(("base64", "hexadecimal")):
        return False
    content = piece.content if match.readable is None else match.readable
    return is_own(content, match.start, match.end, names=names)


def _is_stamp(content: bytes, match: Match, clock: frozenset[bytes], search: Search) -> bool:
    """Return whether a date is of the run's own clock: of its day, with a time of no header."""
    if match.readable is not None or content[match.start : match.end] not in clock:
        return False
    time = _TIME_OF_DAY.match(content, match.end)
    return time is not None and time[0][1:] not in search.patterns


def _shown(
    root: Path, path: Path, search: Search, clock: frozenset[bytes]
) -> tuple[str, list[Leak]]:
    """Return a path as it may be printed, and the leaks of its last part.

    Snakemake names the records of its outputs by their paths in base64, cut into folders.
    """
    parts = path.relative_to(root).parts
    safe = [root.name or root.as_posix()]
    leaks: list[Leak] = []
    for number, part in enumerate(parts, start=1):
        texts = [("name", part.encode("utf-8", "surrogateescape"))]
        for candidate in dict.fromkeys((part.removeprefix("@"), _from_marks(parts[:number]))):
            decoded = _decoded(candidate)
            if decoded is not None:
                texts.append(("name in base64", decoded))
        leaks = [
            leak
            for how, text in texts
            for leak, _ in _leaks(Piece(text, (how,)), "", search, clock)
        ]
        safe.append(f"***{number}" if leaks else part)
    shown = "/".join(safe)
    return shown, [Leak(shown, leak.kind, leak.tag, leak.how) for leak in leaks]


def _from_marks(parts: tuple[str, ...]) -> str:
    """Return a long base64 name that Snakemake cut into folders beginning with '@'."""
    first = len(parts) - 1
    while first > 0 and parts[first - 1].startswith("@"):
        first -= 1
    return "".join(part.removeprefix("@") for part in parts[first:])


def _decoded(name: str) -> bytes | None:
    try:
        return base64.b64decode(name + "=" * (-len(name) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def identities_of_linkage(path: Path) -> list[Identity]:
    """Return the identity values that register kept in its linkage file.

    Raises
    ------
    StudyError
        If it is no linkage.
    """
    try:
        held = read_json(path)["identity"]
        return [
            Identity(kind, tag, value)
            for kind, tags in held.items()
            for tag, values in tags.items()
            for value in values
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StudyError(
            "--against must be a linkage file that vertebromics intake wrote",
            found="no such file" if not path.exists() else "a file of another kind",
            remedy="name STUDY.linkage.json, which vertebromics intake wrote beside the study",
            code="linkage-invalid",
        ) from None


def summary(outcome: Outcome, searched: int, left_out: list[Identity]) -> str:
    """Return what people read: a table of leaks, or the sentence that there are none."""
    lines = []
    if outcome.leaks:
        rows = [("file", "kind", "field", "how", "times")]
        rows += [
            (leak.file, leak.kind, leak.tag, leak.how, str(times))
            for leak, times in outcome.leaks.items()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.append("")
    lines += [f"Not looked into: {name} ({reason})" for name, reason in outcome.unreadable]
    if left_out:
        fields = Counter((one.kind, one.tag) for one in left_out)
        told = ", ".join(f"{kind} {tag}: {count}" for (kind, tag), count in sorted(fields.items()))
        lines.append(f"Too short or common to be searched for (docs/privacy.md): {told}.")
    found = f"{len(outcome.leaks)} places with identity" if outcome.leaks else "nothing found"
    if outcome.chance:
        lines.append(
            f"{outcome.chance} matches in binary data are what chance brings: they have less than "
            f"the {outcome.bits:.0f} bits by which one in {SCANS} such scans would have a false "
            "alarm (docs/privacy.md)."
        )
    lines.append(
        f"{outcome.files} files ({outcome.bytes / 1e6:.1f} MB unpacked) searched for {searched} "
        f"identity values: {found}."
    )
    return "\n".join(lines)


def main(options: argparse.Namespace) -> None:
    """Scan, print, and end with status 1 where something was found."""
    identities: set[Identity] = set()
    for source in options.source or ():
        if not source.is_dir():
            raise StudyError(
                "--source must be a folder that a hospital handed over",
                remedy="correct its path",
                code="phi-source-not-a-folder",
            )
        identities |= of_folder(source)
    if options.against is None and not options.source:
        raise StudyError(
            "The scan must know what to search for",
            remedy="name --against LINKAGE or --source",
            code="phi-source-missing",
        )
    if options.against is not None:
        identities |= set(identities_of_linkage(options.against))
    search = Search(identities)
    left_out = search.patterns.left_out
    if not search.patterns:
        raise StudyError(
            "The source must hold values to search for",
            found=f"{len(identities)} values, none of them long enough",
            remedy="name the folder that was handed over, or the linkage file",
            code="phi-source-empty",
        )
    roots = list(options.paths)
    if not options.only and SNAKEMAKE.is_dir() and SNAKEMAKE not in roots:
        logger.info("also searched: %s (leave it out by --only)", SNAKEMAKE)
        roots.append(SNAKEMAKE)
    outcome = scan(roots, search)
    print(summary(outcome, len(identities) - len(left_out), left_out))
    if outcome.leaks:
        raise VertebromicsError(
            "Results must hold nothing that identifies a person",
            found=f"{len(outcome.leaks)} places in "
            f"{len({leak.file for leak in outcome.leaks})} files",
            remedy="remove these files, mend what wrote them, and run the study again",
            code="phi-found",
        )
    if outcome.unreadable:
        raise VertebromicsError(
            "Every file must be looked into",
            found=f"{len(outcome.unreadable)} that cannot be",
            remedy="remove these files, or make them anew, and scan again",
            code="phi-files-unread",
        )


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("intake.phi_scan", __doc__)
    arguments.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="what to search")
    arguments.add_argument(
        "--against",
        type=Path,
        metavar="LINKAGE",
        help="linkage file that vertebromics intake wrote",
    )
    arguments.add_argument(
        "--source", type=Path, action="append", metavar="FOLDER",
        help="folder that was handed over: its headers and names are read; may be repeated",
    )  # fmt: skip
    arguments.add_argument(
        "--only", action="store_true", help="search PATH only, not also .snakemake"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
