"""What a check has to say about one scan or mask, and how it is kept in a table.

Stages that look at patients' files never raise for one bad patient: they write a row whose
`status` is the worst severity found and whose `findings` column holds the sentences as JSON.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from pipeline.core.errors import CaseError, ProgramError, VertebromicsError
from pipeline.core.files import machine_error

Severity = Literal["info", "warning", "error"]
Status = Literal["ok", "warning", "error"]

#: What must be mended first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """One sentence about one file.

    Attributes
    ----------
    code : str
        Stable short name such as ``mask-touches-border``, for tables and tests.
    severity : {'info', 'warning', 'error'}
        An error keeps the case out of the features; a warning does not; an info is a property
        of the patient that readers of the study want to know, such as a vacuum cleft, and leaves
        the verdict as it is.
    message : str
        What is wrong, with the value found.
    remedy : str
        What the radiologist or operator can do about it.
    about : {'mask', 'ct'}
        Which file of a mask's row it is about.
    """

    code: str
    severity: Severity
    message: str
    remedy: str = ""
    about: Literal["mask", "ct"] = "mask"

    @property
    def sentence(self) -> str:
        """The message, with the file that it is about where that is not the row's mask."""
        return f"CT: {self.message}" if self.about == "ct" else self.message


def status_of(findings: Iterable[Finding]) -> Status:
    """Return the worst severity of `findings`, ``ok`` where there is neither warning nor error."""
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "error"
    return "warning" if "warning" in severities else "ok"


def to_json(findings: Iterable[Finding]) -> str:
    """Serialise `findings` for the `findings` column of a batch table."""
    return json.dumps([asdict(finding) for finding in findings], ensure_ascii=False)


def from_json(text: str) -> list[Finding]:
    """Read the `findings` column of a batch table."""
    return [Finding(**entry) for entry in json.loads(text)] if text else []


def from_exception(error: Exception, code: str, name: str) -> Finding:
    """Turn what one patient's files raised into a finding, and log it under `name`.

    A `CaseError` speaks for itself. Anything else is the fault of the machine or of this program,
    never the patient's, and ends the job: a patient who was left out for it would be missed by
    nobody.

    Parameters
    ----------
    error : Exception
        What was raised while one scan or mask was processed.
    code : str
        The finding's code, such as ``ingest-failed``.
    name : str
        Scan or case and reader, for the log.

    Raises
    ------
    MachineError
        If the machine is at fault, such as a full disk.
    StudyError
        If what was raised is one: it is about the whole study.
    ProgramError
        If it is any other error.
    """
    if not isinstance(error, CaseError):
        with case_named(name):
            raise error
    logger.error("%s: %s", name, error.with_code())
    remedy = error.remedy or ""
    message = str(CaseError(error.rule, found=error.found, where=error.where, code=error.code))
    return Finding(code, "error", message, remedy)


@contextmanager
def case_named(name: str, file: str | None = None) -> Iterator[None]:
    """End the job with the case's name where the block raises what is no fault of its files.

    A `CaseError` passes, and so does an error that has a sentence of its own; where a file is
    named, also the system's word that it is not there. Of anything else the kind and where it
    happened go to the log. Its text is kept nowhere: the message of a library may
    quote a path or a header, and so identify a person.

    Parameters
    ----------
    name : str
        Scan, or case and reader.
    file : str, optional
        The file that is read, for people (`pipeline.imaging.sources.shown_name`).

    Raises
    ------
    MachineError
        If the machine is at fault.
    ProgramError
        If an error is raised that nothing foresees.
    """
    try:
        yield
    except CaseError:
        raise
    except VertebromicsError:
        logger.error("%s: the job ends here", name)
        raise
    except Exception as error:
        if machine := machine_error(error, file):
            logger.error("%s: ended by the machine (%s)", name, type(error).__name__)
            raise machine from error
        if file is not None and isinstance(error, OSError):
            raise
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s: unexpected %s\n%s", name, type(error).__name__, frames)
        raise ProgramError(
            "An error that no check foresees ends the job, so that no patient is left out for it",
            found=f"{type(error).__name__} at {name}",
            where=file,
            remedy="report it with this job's log, which says where it happened; to go on "
            "meanwhile, take the row of this case out of the table of cases",
            code="unforeseen-error",
        ) from error
