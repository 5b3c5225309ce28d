# SPDX-License-Identifier: GPL-3.0-or-later
"""Slurm's commands at the lab's login node. SAID is held against the real ones too, in tests/real."""

import asyncio
import re
import time

import pytest

from tests.lab.lab import Lab
from tests.unit.test_lab_sites import connect

CREATE = "scontrol create reservation ReservationName={} StartTime={} Duration=30 Users={{user}} PartitionName=npu "
#: What is typed, in this order → exit status, standard output and standard error as patterns. {user}: who types.
SAID = [
    ("scontrol show reservation", 0, "No reservations in the system\n", ""),
    ("scontrol show reservation a", 1, "Reservation a not found\n", ""),
    ("scontrol delete ReservationName=a", 1, "",
     "delete_reservation ReservationName=a: Requested reservation is invalid\n"),
    (CREATE.format("a", "now+3600") + "NodeCnt=1", 0, "Reservation created: a\n", ""),
    (CREATE.format("a", "now+3600") + "NodeCnt=1", 1, "",
     "Error creating the reservation: Duplicate reservation name\n"),
    (CREATE.format("b", "now+3600") + "Nodes=hn-asc01", 1, "",
     "Error creating the reservation: Requested reservation overlaps with another reservation\n"),
    (CREATE.format("b", "now+3600") + "NodeCnt=2", 0, "Reservation created: b\n", ""),
    (CREATE.format("c", "now+3600") + "NodeCnt=1", 1, "Note, unless nodes .*\nIf no .*\n",
     "Error creating the reservation: Requested nodes are busy\n"),
    ("scontrol delete ReservationName=b", 0, "", ""),
    (CREATE.format("b", "2020-01-01T00:00:00") + "NodeCnt=1", 1, "",
     "Error creating the reservation: Invalid time specified\n"),
    (CREATE.format("b", "abc") + "NodeCnt=1", 1, "",
     r"Invalid time specification \(pos=0\): abc\nscontrol: error: Invalid start time StartTime=abc\.  .*\n"),
    (CREATE.format("b", "now").replace("=npu", "=gold") + "NodeCnt=1", 1, "",
     "Error creating the reservation: Invalid partition name specified\n"),
    (CREATE.format("b", "now").replace("{user}", "nobody-here") + "NodeCnt=1", 1, "",
     "Error creating the reservation: Invalid user id\n"),
    (CREATE.format("b", "now") + "NodeCnt=1 Comment=x", 1, "",
     r"scontrol: error: Unknown parameter Comment=x\.  No reservation created\.\n"),
    ("scontrol -o show reservation a", 0,
     r"ReservationName=a StartTime=\S+ EndTime=\S+ Duration=00:30:00 Nodes=hn-asc01 NodeCnt=1 CoreCnt=192"
     r" Features=\(null\) PartitionName=npu Flags= TRES=cpu=192 Users={user} Groups=\(null\) Accounts=\(null\)"
     r" Licenses=\(null\) State=INACTIVE BurstBuffer=\(null\) Watts=n/a MaxStartDelay=\(null\)\n", ""),
    ("scontrol delete ReservationName=a", 0, "", ""),
    (CREATE.format("c", "now") + "NodeCnt=9", 0, "Reservation created: c\n", ""),
    ("sbatch --parsable -t 5 -J one -o /dev/null --reservation=c <<'E'\n#!/bin/sh\nsleep 60\nE\n", 0, "1\n", ""),
    ("sleep 2", 0, "", ""),
    ("scontrol delete ReservationName=c", 1, "", ".*: Requested reservation is in use\n"),
    ("squeue -h -n one -o '%i|%T|%r|%j|%N|%u|%P|%a|%D|%l|%v'", 0,
     r"1\|RUNNING\|None\|one\|hn-asc0[12]\|{user}\|npu\|demo\|1\|5:00\|c\n", ""),
    ("scontrol -o show job 1", 0, r"JobId=1 JobName=one UserId={user}\(.* JobState=RUNNING Reason=None .*\n", ""),
    ("scancel 1", 0, "", ""), ("scancel 1", 0, "", ""), ("scancel 77", 0, "", ""),
    ("scancel seven", 1, "", "scancel: error: Invalid job id seven\n"),
    ("scancel", 1, "", "scancel: error: No job identification provided\n"),
    ("scontrol delete ReservationName=c", 0, "", ""),
    ("sbatch --reservation=c <<'E'\n#!/bin/sh\nE\n", 1, "",
     "sbatch: error: Batch job submission failed: Requested reservation is invalid\n"),
    ("sbatch <<'E'\nsleep 1\nE\n", 1, "", "sbatch: error: This does not look like a batch script.*\n"),
    ("sbatch -A nobodys <<'E'\n#!/bin/sh\nE\n", 1, "", ".*Invalid account or account/partition combination.*\n"),
    ("sbatch /nonexistent.sh", 1, "", "sbatch: error: Unable to open file /nonexistent.sh\n"),
    ("sbatch --frob", 255, "", ".*: unrecognized option '--frob'\nTry \"sbatch --help\" for more information\n"),
    ("sbatch <<'E'\n#!/bin/sh\n#SBATCH -A demo -o /dev/null\nexit 3\nE\n", 0, "Submitted batch job [23]\n", ""),
    ("for i in 1 2 3 4 5 6 7 8 9; do sacct -n -X -P -u {user} | grep -q FAILED && break; sleep 1; done", 0, "", ""),
    ("sacct -X -n -P -u {user} -o JobName,State,ExitCode", 0, r"one\|CANCELLED[^|]*\|0:\d+\nsbatch\|FAILED\|3:0\n", ""),
    ("sacct -X -n -P -j 9999 -o JobID", 0, "", ""),
    ("sinfo -hN -o '%N %T'", 0, "hn-asc01 idle\nhn-asc02 idle\n", ""),
    ("sinfo -h -N -o '%P|%a|%l|%D|%G|%c|%m'", 0, r"(npu\*\|up\|2-00:00:00\|1\|npu:ascend910b:8\|192\|786432\n){2}", ""),
    ("squeue -h -j 77", 1, "", "slurm_load_jobs error: Invalid job id specified\n"),
    ("scontrol show job 77", 1, "", "slurm_load_jobs error: Invalid job id specified\n"),
    ("scontrol show node x", 1, "Node x not found\n", ""),
    ("scontrol show partition x", 1, "Partition x not found\n", ""),
    ("scontrol frob", 1, "", "invalid keyword: frob\n"),
    ("scontrol show frob", 1, "", "invalid entity:frob for keyword:show \n"),
    ("scontrol version", 0, r"slurm-wlm 22\.05\.8\n", ""),
]  # fmt: skip


def differences(run, user):
    """Return what `run(line)` → (status, out, err) says otherwise than SAID."""
    found = []
    for line, *expected in SAID:
        done = run(line.replace("{user}", user))
        code, out, err = (text.replace("{user}", user) if isinstance(text, str) else text for text in expected)
        if done[0] != code or not re.fullmatch(out, done[1], re.S) or not re.fullmatch(err, done[2], re.S):
            found.append((line, done))
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    settings = {"pending_s": [0.02, 0.05], "kill_wait": 0.4, "ctld_block_s": 0.1}
    with Lab(tmp_path_factory.mktemp("lab"), sites=["hunan"], settings=settings) as lab:
        yield lab


def typed(lab, *lines, user="brain", name="hunan", credential="hunan-login"):
    """Return what a login says to lines typed one after the other."""

    async def work():
        key = str(lab.config / "credentials" / credential)
        async with connect(lab, name, username=user, client_keys=[key]) as connection:
            done = [await connection.run(line) for line in lines]
            return [(one.exit_status, one.stdout, one.stderr) for one in done]

    return asyncio.run(work())


def test_they_say_what_the_real_ones_say(lab):
    assert differences(lambda line: typed(lab, line)[0], "brain") == []


def test_times_are_those_of_the_callers_zone(lab):
    created, utc, there, _gone = typed(
        lab, "env TZ=UTC0 " + CREATE.format("z", "2030-01-01T00:00:00").replace("{user}", "brain") + "NodeCnt=1",
        "env TZ=UTC0 scontrol show reservation z", "env TZ=Asia/Shanghai scontrol show reservation z",
        "scontrol delete ReservationName=z",
    )  # fmt: skip
    assert (
        created[0] == 0 and "StartTime=2030-01-01T00:00:00 " in utc[1] and "StartTime=2030-01-01T08:00:00 " in there[1]
    )


def test_only_an_operator_reserves(lab):
    line = CREATE.format("y", "now").replace("{user}", "alice") + "NodeCnt=1"
    assert typed(lab, line, user="alice") == [(1, "", "Error creating the reservation: Invalid user id\n")]
    typed(lab, line.replace("alice", "brain"))
    assert typed(lab, "scontrol delete ReservationName=y", user="alice")[0][2].endswith("Invalid user id\n")
    assert typed(lab, "scontrol delete ReservationName=y")[0][0] == 0


def test_a_dead_controller_is_told_by_each(lab):
    site = lab.site("hunan")
    site.fault("ctld_down")
    began = time.monotonic()
    done = typed(
        lab, "squeue", "sinfo", "scontrol show reservation", "scancel 1", "scontrol delete ReservationName=y",
        CREATE.format("y", "now") + "NodeCnt=1", "sbatch --wrap true", "scontrol ping",
    )  # fmt: skip
    site.heal()
    assert [one[0] for one in done] == [1, 1, 1, 8, 1, 1, 1, 1]
    assert all("Unable to contact slurm controller" in one[2] for one in done[:5])
    assert "Unexpected message received" in done[5][2] and "is DOWN" in done[7][1]
    assert time.monotonic() - began >= 0.7


def test_reading_is_no_write(lab):
    site = lab.site("hunan")
    site.reset_counters()
    typed(lab, "env TZ=UTC0 scontrol -o show reservation", "squeue --json", "sinfo", "sacct -X -P")
    assert (site.counters()["reads"], site.counters()["writes"]) == (4, 0)
    typed(lab, "env TZ=UTC0 scontrol delete ReservationName=a", "sbatch --wrap true", "scancel 7")
    assert site.counters()["writes"] == 3 and site.counters()["calls"]["exec scontrol"] == 2
