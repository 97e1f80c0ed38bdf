"""What a check has to say about one scan or mask, and how it is kept in a table.

Stages that look at patients' files never raise for one bad patient: they write a row whose
`status` is the worst severity found and whose `findings` column holds the sentences as JSON.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from pipeline.core.errors import CaseError, VertebromicsError
from pipeline.core.files import machine_error

Severity = Literal["info", "warning", "error"]
Status = Literal["ok", "warning", "error"]

#: Starts the message of a finding about the CT where a row's other findings are about its mask.
OF_CT = "CT: "

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
    """

    code: str
    severity: Severity
    message: str
    remedy: str = ""


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

    A `CaseError` speaks for itself. Anything else is unexpected: where it happened goes to the log,
    so that it can be mended, and the other patients still go on. Its text is kept nowhere: the
    message of a library may quote a path or a header, and so identify a person.

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
        If the machine is at fault, such as a full disk: the patient must not be excluded for it.
    """
    if machine := machine_error(error):
        raise machine from error
    if isinstance(error, VertebromicsError):
        logger.error("%s: %s", name, error)
        remedy = error.remedy or ""
        message = str(CaseError(error.rule, found=error.found, where=error.where))
        return Finding(code, "error", message, remedy)
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: unexpected %s\n%s", name, type(error).__name__, frames)
    return Finding(
        code,
        "error",
        f"Unexpected {type(error).__name__}",
        "look at the stage's log, and report it if the file opens elsewhere",
    )
