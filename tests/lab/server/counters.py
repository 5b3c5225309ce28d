"""What was asked of a site: reads and writes by kind, and who connected."""

import collections
import hashlib
import re
import shlex
import threading
import time

KINDS = ("rest", "sftp", "exec")
#: commands that change nothing; whatever else is run counts as a write
READ_ONLY = set(
    """
sha256sum sha512sum sha1sum md5sum cksum test [ cat ls stat head tail wc du df find echo printf true false : pwd id
uname hostname date readlink realpath basename dirname cmp diff grep sort cut tr uniq command getconf nproc squeue
sinfo sacct cd exit dqueue dnode dpeek dversion
""".split()
)
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
#: commands that change something or not, by their words
SOMETIMES = {
    "scontrol": lambda words: next((w for w in words if not w.startswith("-")), "") in ("show", "ping", "version"),
    "sacctmgr": lambda words: next((w for w in words if not w.startswith("-")), "") in ("show", "list"),
    "djob": lambda words: not {"-T", "-S", "-R"} & set(words),
    "dsub": lambda words: "--help" in words,
    "dadmin": lambda words: "show" in words,
}
CHANGING_FIND = {"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fls"}


def reads_only(command: str) -> bool:
    """Is every part of a shell command one that changes nothing? In doubt, no.

    >>> reads_only("test -f a && sha256sum a"), reads_only("cat a > b"), reads_only("mkdir -p x")
    (True, False, False)
    >>> reads_only("env TZ=UTC0 scontrol -o show reservation"), reads_only("scontrol delete ReservationName=a")
    (True, False)
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|<>()`\n")
    lexer.whitespace = " \t\r"
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return False
    commands: list[list[str]] = [[]]
    for word in words:
        if word and set(word) <= set(";&|\n"):
            commands.append([])
        elif (set(word) & set("<>()`") and set(word) <= set("<>()`&|;")) or "$(" in word or "`" in word:
            return False
        elif commands[-1] or not (word == "env" or ASSIGNMENT.match(word)):
            commands[-1].append(word)
    return bool(words) and all(_reads_only(*command) for command in commands if command)


def _reads_only(name: str, *words: str) -> bool:
    name = name.rpartition("/")[2]
    if name in SOMETIMES:
        return SOMETIMES[name](words)
    return name in READ_ONLY and not (name == "find" and CHANGING_FIND & set(words))


class Counters:
    def __init__(self):
        self._lock = threading.Lock()
        self._peers = collections.deque(maxlen=2000)
        self._headers = {}
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._counts = {kind: {"read": 0, "write": 0} for kind in KINDS}
            self._calls = collections.Counter()
            self._moved = {"in": 0, "out": 0}

    def moved(self, way: str, size: int) -> None:
        """Count bytes of files: ``in`` from a client, ``out`` to one."""
        with self._lock:
            self._moved[way] += size

    def note(self, kind: str, write: bool, call: str) -> None:
        with self._lock:
            self._counts[kind]["write" if write else "read"] += 1
            self._calls[f"{kind} {call}"] += 1

    def note_headers(self, headers) -> None:
        """Remember the SHA-256 of every value, so that a test can prove that a credential came here."""
        with self._lock:
            for value in headers.values():
                self._headers[hashlib.sha256(value.encode()).hexdigest()] = None
            while len(self._headers) > 5000:
                del self._headers[next(iter(self._headers))]

    def has_seen(self, sha256: str) -> bool:
        """Return whether a header of any request had the value with this hash."""
        with self._lock:
            return sha256 in self._headers

    def note_peer(self, service: str, peer) -> None:
        with self._lock:
            self._peers.append({"service": service, "ip": peer[0], "port": peer[1], "at": time.time()})

    @property
    def peers(self) -> list[dict]:
        with self._lock:
            return list(self._peers)

    def as_dict(self) -> dict:
        """Return reads and writes in all, by kind, and every call with its number."""
        with self._lock:
            counts = {kind: dict(row) for kind, row in self._counts.items()}
            return {
                "reads": sum(row["read"] for row in counts.values()),
                "writes": sum(row["write"] for row in counts.values()),
                **counts,
                "calls": dict(self._calls),
                "moved": dict(self._moved),
            }
