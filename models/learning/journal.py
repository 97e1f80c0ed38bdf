"""A journal of finished tasks, from which a stage that was killed goes on."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType


class Journal:
    """Results of tasks, appended to a file line by line as they come.

    The first line holds the key of what is computed (data, options, seed, code). A journal with
    another key is stale and begun anew; a last line that was not written to its end is dropped.

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
            end = self._read()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(self.path, "r+b" if end else "wb")
            self._stream.truncate(end)
            self._stream.seek(end)
            if not end:
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
        self._stream.write(json.dumps(line).encode() + b"\n")
        # What the system holds survives the death of this process.
        self._stream.flush()

    def _read(self) -> int:
        """Read what is there into `results`, and return where the good lines end, in bytes."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        end, lines = 0, []
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
            end += len(line)
        if not end or lines[0] != {"key": self.key}:
            return 0
        self.results = {line["task"]: line["result"] for line in lines[1:]}
        return end
