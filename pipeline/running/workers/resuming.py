"""Repetitions of a stage over worker processes, kept in a journal: a killed stage goes on there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.core.files import file_hash, json_hash
from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.provenance import versions
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers

logger = logging.getLogger("vertebromics")


def stage_key(
    module: str, model: str, files: Iterable[Path], options: object, device: str = "cpu"
) -> str:
    """Return what all repetitions of a stage depend on, as a hash.

    Parameters
    ----------
    module : str
        Module of the stage, such as ``models.optimism``.
    model : str
        Name of the family, or an empty text.
    files : iterable of path
        Every file that the stage reads but for the study, in the stage's order.
    options : dataclass
        All that the stage reads of a study.
    device : str
        Where the model trains.
    """
    return json_hash(
        {
            "model": model,
            "files": [file_hash(path) for path in files],
            "options": asdict(options),
            "device": device,
            "code": code_fingerprint(module),
            "versions": versions().astype(str).to_dict("list"),
        }
    )


@contextmanager
def journal_until_done(path: Path, key: str) -> Iterator[Journal]:
    """Yield an open journal, whose file goes when the block ends well: the results are safe then.

    Parameters
    ----------
    path : path
        File beside the stage's results. Snakemake deletes the outputs of a job that failed or was
        killed, and leaves this file, which is none of them, alone.
    key : str
        From `stage_key`.
    """
    with Journal(path, key) as journal:
        yield journal
    path.unlink()


def map_kept(
    pool: Workers,
    function: Callable[[Any, Any], Any],
    tasks: Sequence,
    names: Sequence[str],
    journal: Journal | None,
    *,
    stage: str,
    describe: Callable[[Any, Any], str],
    pack: Callable[[Any], dict],
    unpack: Callable[[dict], Any],
) -> list:
    """Return the results of all tasks; those that the journal holds are not done again.

    Parameters
    ----------
    pool : Workers
        Processes with what the tasks share.
    function : callable
        ``function(shared, task)``.
    tasks : sequence
        What is to be done.
    names : sequence of str
        Name of each task in the journal.
    journal : Journal or None
        Open journal, with a key on which all results depend; None keeps nothing.
    stage : str
        Name under which progress and the time left are logged.
    describe : callable
        ``describe(task, result)`` says in the log what was done.
    pack, unpack : callable
        ``pack(result)`` gives what a journal can hold, of which ``unpack`` makes an equal result.

    Returns
    -------
    list
        Results in the order of `tasks`, all of them as ``unpack`` makes them, so that what was
        read from the journal differs in nothing from what was not.
    """
    kept = Journal(None, "") if journal is None else journal
    missing = [number for number, name in enumerate(names) if name not in kept.results]
    known = len(tasks) - len(missing)
    if known:
        logger.info("%s: %d of %d of an interrupted run are kept", stage, known, len(tasks))
    pool.map(
        function,
        [tasks[number] for number in missing],
        stage=stage,
        describe=describe,
        on_result=lambda place, result: kept.add(names[missing[place]], pack(result)),
        known=known,
    )
    return [unpack(kept.results[name]) for name in names]
