"""A journal of finished tasks, from which a stage that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from types import TracebackType

from pipeline.core.files import whole_file

logger = logging.getLogger("vertebromics")


class Journal:
    """Results of tasks, appended to a file line by line as they come.

    The first line holds the key of what is computed (data, options, seed, code). A journal with
    another key is stale and begun anew. Each line holds a digest of itself and of the key: one that
    is damaged, or was not written to its end, is dropped, and its task is done again.

    Parameters
    ----------
    path : path or None
        File of the journal; None keeps none.
    key : str
        What all results depend on.

    Examples
    --------
    >>> with Journal(None, "key") as journal:
    ...     journal.add("task", {"auc": 0.5})
    ...     journal.results
    {'task': {'auc': 0.5}}
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self.path = None if path is None else Path(path)
        self.key = key
        self.results: dict[str, dict] = {}
        self._stream = None

    def __enter__(self) -> Journal:
        if self.path is not None:
            content = self._read()
            good = self._good_lines(content)
            if good != content:
                with whole_file(self.path) as beside:
                    beside.write_bytes(good)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(self.path, "ab")
            if not good:
                self._write({"key": self.key})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, task: str, result: dict) -> None:
        """Keep the `result` (JSON values; Python reads NaN back too) of a `task`."""
        self.results[task] = result
        if self._stream is not None:
            self._write({"task": task, "result": result})

    def _write(self, line: dict) -> None:
        self._stream.write(self._sealed(line))
        # What the system holds survives the death of this process.
        self._stream.flush()

    def _sealed(self, line: dict) -> bytes:
        digest = hashlib.sha256(f"{self.key}\n{json.dumps(line)}".encode()).hexdigest()
        return json.dumps({**line, "digest": digest}).encode() + b"\n"

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def _good_lines(self, content: bytes) -> bytes:
        """Take the results of the lines that are as they were written, and return those lines."""
        first, *rest = (line + b"\n" for line in content.split(b"\n")[:-1] or [b""])
        if first != self._sealed({"key": self.key}):
            return b""
        good = [first]
        for text in rest:
            try:
                line = json.loads(text)
                kept = {"task": line["task"], "result": line["result"]}
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
            if text == self._sealed(kept):
                self.results[line["task"]] = line["result"]
                good.append(text)
        dropped = len(rest) - len(good) + 1
        if dropped:
            logger.warning("%s: %d damaged lines are dropped", self.path.name, dropped)
        return b"".join(good)
