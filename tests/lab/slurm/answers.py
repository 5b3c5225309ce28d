"""What slurmrestd 22.05 wraps around everything it says, and Slurm's error numbers.

``errors[]`` has three shapes: `submit_error` {error, error_code}, `error` {error, error_number, description,
source}, `single_error` {error, errno}. JSON errors come with HTTP 500, three of them with 400; what never
reaches a handler (no headers, unknown URL, method, type) is text/plain.
"""

from dataclasses import dataclass
from dataclasses import field

RELEASE, NEWER = "22.05.8", "24.11.5"
NO_VAL = 4294967294
#: numbers of slurm/slurm_errno.h with slurm_strerror's text
TEXT = {
    -1: "Unspecified error",
    1: "Operation not permitted",
    1007: "Protocol authentication error",
    1900: "Unexpected message received",
    1800: "Unable to contact slurm controller (connect failure)",
    2000: "Invalid partition name specified",
    2002: "Access/permission denied",
    2009: "Job script not specified",
    2010: "Invalid user id",
    2012: "Pathname of a file, directory or other parameter too long",
    2014: "Requested node configuration is not available",
    2015: "Requested partition configuration not available now",
    2017: "Invalid job id specified",
    2018: "Invalid node name specified",
    2019: "I/O error writing script/environment to file",
    2021: "Job/step already completing or completed",
    2029: "Invalid feature specification",
    2042: "Job is in held state",
    2045: "Invalid account or account/partition combination specified",
    2050: "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    2051: "Requested time limit is invalid (missing or exceeds some limit)",
    2052: "Access denied to requested reservation",
    2053: "Requested reservation is invalid",
    2054: "Invalid time specified",
    2056: "Requested reservation not usable now",
    2066: "Invalid qos specification",
    2068: "Required node not available (down, drained or reserved)",
    2070: "Required partition not available (inactive or drain)",
    2072: "Invalid generic resource (gres) specification",
    2101: "Duplicate reservation name",
    2102: "Requested nodes are busy",
    2103: "Requested reservation overlaps with another reservation",
    2104: "Requested reservation is in use",
    2127: "environment must be set",
    5005: "Zero Bytes were transmitted or received",
    7000: "Unable to connect to database",
    9000: "Query empty or not RFC7320 compliant",
    9001: "Failure during parsing",
    9002: "Jobs description entry not found, expected dictionary or list",
    9003: "Nothing found",
    9202: "Unable to convert Data type",
}
#: only these become HTTP 400; every other number is a 500, whatever it means
BAD_REQUEST = {9001, 9002}


class SlurmError(Exception):
    """A refusal by the controller, by number."""

    def __init__(self, number: int, description: str = ""):
        super().__init__(TEXT.get(number, str(number)))
        self.number = number
        self.description = description


@dataclass
class Answer:
    """One HTTP answer; `body` a dict for JSON, a string for text/plain, None for none at all."""

    status: int
    body: dict | str | None
    headers: dict = field(default_factory=dict)
    close: bool = False
    #: the connection ends in the middle of the body
    torn: bool = False


def text(status: int, message: str) -> Answer:
    return Answer(status, message, close=True)


def envelope(plugin: str, **content) -> dict:
    """The body of every JSON answer: meta, errors, then `content`."""
    meta = {
        "plugin": {"type": f"openapi/{plugin}", "name": f"Slurm OpenAPI {plugin}"},
        "Slurm": {"version": {"major": 22, "micro": 8, "minor": 5}, "release": RELEASE},
    }
    return {"meta": meta, "errors": [], **content}


def submit_error(number: int, message: str = "") -> dict:
    return {"error": message or TEXT[number], "error_code": number}


def error(number: int, description: str, source: str) -> dict:
    return {
        "description": description,
        "error_number": number,
        "error": TEXT[number],
        "source": source,
    }


def single_error(number: int) -> dict:
    return {"error": TEXT[number], "errno": number}


def status_of(number: int) -> int:
    return 400 if number in BAD_REQUEST else 500
