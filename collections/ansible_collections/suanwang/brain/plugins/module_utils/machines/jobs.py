# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job on a machine of ours: a process in a session of its own, and what it leaves in ``<work folder>/swb``.

There is no scheduler: what it would know is kept in small files. POSIX sh and coreutils only. The folder is made by
mkdir, which only one request can, so that the same job never starts twice there. A machine that was started again
meanwhile has another boot id, so a process id of before is nobody's.
"""

from __future__ import annotations

import re
import time
from datetime import datetime

from ..errors import Conflict
from ..errors import Refused
from ..errors import Unreachable
from ..resources import Job

#: What `timeout` ends with where the time was up.
TIME_IS_UP = 124
#: Seconds between the polite signal and the other one.
GRACE_S = 20
#: A job whose folder is there and whose process is not known yet may have so long to appear.
BEGIN_S = 60
SUBMIT_S, READ_S = 60, 30
_THERE = 17
#: Names below the work folder, in the order in which they appear.
KEPT = ("label", "pool", "submitted", "pid", "started", "cancelled", "ended", "exit")

_RUNNER = r"""
date -u +%Y-%m-%dT%H:%M:%SZ > swb/started
wall=$1; log=$2; shift 2
timeout -k @GRACE@ "$wall" env "$@" sh swb/job.sh > "$log" 2>&1 < /dev/null &
child=$!
ticks() { cut -d' ' -f22 "/proc/$1/stat"; }
echo "$$ $(ticks $$) $child $(ticks $child) $(cat /proc/sys/kernel/random/boot_id)" > swb/pid.part
mv swb/pid.part swb/pid
wait "$child"; code=$?
date -u +%Y-%m-%dT%H:%M:%SZ > swb/ended
echo "$code" > swb/exit.part && mv swb/exit.part swb/exit
""".replace("@GRACE@", str(GRACE_S))

_SUBMIT = r"""# swb-submit
mkdir -p "$1" && cd "$1" || exit 96
mkdir swb || exit @THERE@
umask 077
cat > swb/job.sh && printf %s "$2" > swb/label && printf %s "$3" > swb/pool || exit 96
date -u +%Y-%m-%dT%H:%M:%SZ > swb/submitted
shift 3
setsid sh -c '@RUNNER@' swb-job "$@" > /dev/null 2>&1 < /dev/null &
""".replace("@THERE@", str(_THERE)).replace("@RUNNER@", _RUNNER.strip().replace("'", "'\\''"))

_CANCEL = r"""# swb-cancel
cd "$1/swb" || exit 0
n=0; until [ -f pid ] || [ -f exit ] || [ "$n" -ge 5 ]; do sleep 1; n=$((n + 1)); done
[ ! -f exit ] && read -r runner a child ticks boot < pid || exit 0
[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || exit 0
[ "$ticks" = "$(cut -d' ' -f22 "/proc/$child/stat" 2> /dev/null)" ] || exit 0
: > cancelled
kill -TERM "$child"
"""


class Jobs:
    """The jobs on one machine. files: its ssh.Files; place: its ``<site>/<endpoint>``; id: the machine's own."""

    def __init__(self, files, place, id):
        self.files, self._place, self._id = files, place, id

    def submit(self, spec):
        """Start the job of a JobSpec, once. Conflict: one of its name was started there."""
        name = spec.pool.rpartition("/")[2]
        environment = [f"{key}={value}" for key, value in spec.environment.items()]
        argv = ["sh", "-c", _SUBMIT, "sh", spec.workdir, spec.label, name, str(spec.wall_s), spec.log, *environment]
        code, _out, err = self._run("start a job", argv, input=spec.script, timeout_s=SUBMIT_S)
        if code == _THERE:
            raise Conflict(f"a job {spec.name} was started there before.", way_out="Look it up by its name.")
        if code is None:
            raise Unreachable("the connection ended before the answer did.", details={"doubt": True})
        if code:
            said = err.strip()[-300:] or f"exit status {code}"
            raise Refused(f"the machine starts no job: {said}.", way_out="Look at its disk and at its image's tools.")
        return Job(
            id=self._job_id(spec.workdir),
            name=spec.name,
            state="starting",
            native_state="STARTED",
            pool=f"{self._place}/{name}",
            label=spec.label,
        )

    def job(self, name, workdir):
        """Return the Job in a work folder, or None where none was ever started."""
        kept = self._kept(workdir)
        if kept is None:
            return None
        alive = "exit" in kept or self._alive(kept)
        if not alive:
            kept = self._kept(workdir) or kept  # it may have ended between the two looks
        return Job(
            id=self._job_id(workdir),
            name=name,
            pool=f"{self._place}/{kept['pool']}" if kept.get("pool") else None,
            label=kept.get("label"),
            submitted=kept.get("submitted"),
            started=kept.get("started"),
            ended=kept.get("ended"),
            nodes=self._id,
            **_state(kept, alive),
        )

    def cancel(self, workdir):
        """Ask for the end of the job in a work folder. One that has ended is fine."""
        self._run("cancel a job", ["sh", "-c", _CANCEL, "sh", workdir], timeout_s=READ_S)

    # -- parts of the above ------------------------------------------------------------------------
    def _run(self, what, argv, **options):
        try:
            return self.files.run(argv, **options)
        except Unreachable as error:
            error.details.setdefault("doubt", True)
            raise error.at(None, f"SSH {what}") from error.__cause__

    def _job_id(self, workdir):
        return f"{self._id}:{workdir}"

    def _kept(self, workdir):
        """Return name → content of what is kept of a job, or None."""
        paths = [f"{workdir}/swb/{name}" for name in KEPT]
        # A word more, so that head writes its headers for one file too.
        _code, out, _err = self._run("read a job", ["head", "-c", "4096", "/dev/null", *paths], timeout_s=READ_S)
        found = {}
        for name, path in zip(KEPT, paths, strict=True):
            match = re.search(rf"^==> {re.escape(path)} <==\n(.*?)(?=\n?\n==> |\Z)", out, re.S | re.M)
            if match:
                found[name] = match[1].strip()
        return found or None

    def _alive(self, kept):
        if not kept.get("pid"):
            return self._is_young(kept)
        runner, ticks, _child, _ticks, boot = kept["pid"].split()
        paths = ("/proc/sys/kernel/random/boot_id", f"/proc/{runner}/stat")
        _code, out, _err = self._run("look at a job", ["cat", *paths], timeout_s=READ_S)
        now, _line, stat = out.partition("\n")
        fields = stat.rpartition(")")[2].split()
        return now == boot and len(fields) > 19 and fields[19] == ticks

    @staticmethod
    def _is_young(kept):
        if not kept.get("submitted"):
            return True
        since = datetime.fromisoformat(kept["submitted"]).timestamp()
        return time.time() - since < BEGIN_S


def _state(kept, alive):
    if "exit" in kept:
        code = int(kept["exit"])
        if code and "cancelled" in kept:
            return {"state": "cancelled", "native_state": "CANCELLED", "exit_code": code}
        if code == TIME_IS_UP:
            reason = "its wall limit was reached"
            return {"state": "failed", "native_state": "TIMEOUT", "exit_code": code, "reason": reason}
        return {"state": "failed" if code else "succeeded", "native_state": "EXITED", "exit_code": code}
    if not alive:
        reason = "its process is gone without an end: was the machine started again?"
        return {"state": "failed", "native_state": "VANISHED", "reason": reason}
    state = "stopping" if "cancelled" in kept else "running" if "pid" in kept else "starting"
    return {"state": state, "native_state": state.upper()}
