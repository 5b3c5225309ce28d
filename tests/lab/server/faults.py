"""Injected faults of a site's front: what a network, a proxy or a token does to a client.

kinds: ``latency`` {seconds}, ``status`` {code, retry_after: null for none}, ``cut``, ``lost_answer``, ``token_expiry``,
``partial`` {keep}, ``frozen``, ``dead``; ``reply`` {code, text, headers} in the place of an answer, ``torn`` (half of a
body, and the end), ``rewrite`` {old, new} of what a body says, ``again`` (what a path said first, whatever the page),
``node_down`` {node: 0 or 1, behind a load balancer}. ``n`` limits a kind to that many requests (default: until
healed), ``path`` to URLs that contain it. On the SSH side:
``ssh_cut`` {after_bytes} ends the connection in the middle of a transfer, ``corrupt`` changes a byte of what is
uploaded, ``disk_full`` refuses every write. Faults of the cluster itself (nodes, jobs, daemons) are in
`tests.lab.slurm.troubles`.
"""

import threading
import time
from collections import Counter

FRONT = {"latency", "status", "cut", "lost_answer", "token_expiry", "partial", "frozen", "dead", "node_down",
         "reply", "torn", "rewrite", "again",
         "ssh_cut", "corrupt", "disk_full"}  # fmt: skip
#: a lost answer is only of interest after a write
DEFAULT_PATH = {"lost_answer": "/job/submit"}
#: these strike only where an answer is another than it would have been, which the front sees
BY_EFFECT = {"partial", "rewrite", "again"}


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._active: dict[str, dict] = {}
        self.struck = Counter()  # kind → answers that it has changed, kept when healed
        self._healed = threading.Condition(self._lock)
        self.on_dead = lambda dead: None  # closes and opens the listening sockets
        self.on_node_down = lambda node: None  # closes those of one node behind a load balancer

    def set(self, kind: str, **options) -> None:
        with self._lock:
            self._active[kind] = {"path": DEFAULT_PATH.get(kind, ""), **options}
        if kind == "dead":
            self.on_dead(True)
        if kind == "node_down":
            self.on_node_down(int(options["node"]))

    def heal(self) -> None:
        with self._lock:
            was_dead, was_down = "dead" in self._active, "node_down" in self._active
            self._active.clear()
            self._healed.notify_all()
        if was_down and not was_dead:
            self.on_dead(True)  # what is left of the nodes, so that all are opened alike
        if was_dead or was_down:
            self.on_dead(False)

    def as_dict(self) -> dict:
        with self._lock:
            return {kind: dict(options) for kind, options in self._active.items()}

    def take(self, kind: str, path: str = "") -> dict | None:
        """Return the options of a fault that hits this request, counting it down."""
        with self._lock:
            options = self._active.get(kind)
            if options is None or options["path"] not in path:
                return None
            if "n" in options:
                options["n"] -= 1
                if options["n"] <= 0:
                    del self._active[kind]
            if kind not in BY_EFFECT:
                self.struck[kind] += 1
            return dict(options)

    def changed(self, kind: str, before, after):
        """Return what a fault BY_EFFECT made of an answer, counting it where that is another."""
        with self._lock:
            self.struck[kind] += before != after
        return after

    def moved(self, size: int) -> bool:
        """Count bytes against ``ssh_cut``; True when the connection is to end now."""
        with self._lock:
            options = self._active.get("ssh_cut")
            if options is None:
                return False
            options["after_bytes"] = int(options.get("after_bytes", 0)) - size
            if options["after_bytes"] > 0:
                return False
            del self._active["ssh_cut"]
            return True

    def delay(self, path: str = "") -> None:
        """Wait as a slow link or a frozen site does."""
        if slow := self.take("latency", path):
            time.sleep(float(slow.get("seconds", 1)))
        with self._lock:
            while "frozen" in self._active:
                self._healed.wait(1)


def shorten(body: dict, options: dict) -> dict:
    """Return an answer whose list is cut short, as a proxy's or a pager's mistake leaves it."""
    for key, rows in body.items():
        if isinstance(rows, list) and key != "errors" and not key.endswith("_links") and rows:
            body[key] = rows[: int(options.get("keep", len(rows) // 2))]
        elif isinstance(rows, dict):
            shorten(rows, options)
    return body
