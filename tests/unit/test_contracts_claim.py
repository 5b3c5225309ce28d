# SPDX-License-Identifier: GPL-3.0-or-later
"""One process drives a run at a time; a dead one does not stand in the way."""

import getpass
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
ME = os.getpid()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def living():
    """Another process that lives through the test."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def read(store):
    return json.loads((store.run_dir(RUN) / "claim").read_text())


def edit(store, **changes):
    (store.run_dir(RUN) / "claim").write_text(json.dumps({**read(store), **changes}))


def test_what_a_claim_says(store):
    before = clock.now()
    claim.take(store, RUN, ME)
    said = read(store)
    assert said.pop("until") >= clock.after(before, claim.LEASE_S)
    assert said == {
        "holder": f"{getpass.getuser()}@{socket.gethostname()}",
        "host": socket.gethostname(),
        "boot_id": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "pid": ME,
        "start_ticks": claim.start_ticks(ME),
    }


def test_a_second_process_is_refused_with_the_holders_name_while_the_first_lives(store, living):
    claim.take(store, RUN, living.pid)
    with pytest.raises(Conflict) as caught:
        claim.take(store, RUN, ME)
    text = str(caught.value)
    assert f"run {RUN} is being applied by {getpass.getuser()}@{socket.gethostname()}" in text
    assert f"process {living.pid} on {socket.gethostname()}" in text
    assert "read its journal" in text
    assert read(store)["pid"] == living.pid


SECOND = """
import os, sys
from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
try:
    claim.take(Store(sys.argv[1]), sys.argv[2], os.getpid())
except Exception as error:
    sys.exit(type(error).__name__)
"""


def test_it_is_refused_in_that_process_itself(store):
    claim.take(store, RUN, ME)
    path = next(entry for entry in sys.path if pathlib.Path(entry, "ansible_collections/suanwang").is_dir())
    command = [sys.executable, "-c", SECOND, str(store.root), RUN]
    done = subprocess.run(
        command, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (1, "Conflict")
    claim.release(store, RUN, ME)
    subprocess.run(command, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, check=True)


def test_a_process_may_claim_again_what_it_holds(store):
    claim.take(store, RUN, ME)
    claim.take(store, RUN, ME)
    assert read(store)["pid"] == ME


def test_an_expired_claim_of_a_living_process_here_still_holds(store, living):
    """On one host the process is asked, not the clock: a long poll loses nothing."""
    claim.take(store, RUN, living.pid)
    edit(store, until="2020-01-01T00:00:00Z")
    with pytest.raises(Conflict):
        claim.take(store, RUN, ME)


def test_a_dead_process_is_replaced_at_once(store):
    claim.take(store, RUN, ME)
    edit(store, pid=dead_pid())
    claim.take(store, RUN, ME)
    assert read(store)["pid"] == ME


def test_a_pid_that_another_process_has_now_is_replaced(store, living):
    claim.take(store, RUN, living.pid)
    edit(store, start_ticks=claim.start_ticks(living.pid) - 1)
    claim.take(store, RUN, ME)
    assert read(store)["pid"] == ME


@pytest.mark.parametrize("elsewhere", [{"host": "node-2"}, {"boot_id": "0" * 36}])
def test_another_host_holds_until_its_lease_has_passed(store, living, elsewhere):
    claim.take(store, RUN, living.pid)
    edit(store, holder="li@node-2", until=clock.after(clock.now(), 60), **elsewhere)
    with pytest.raises(Conflict, match="applied by li@node-2"):
        claim.take(store, RUN, ME)
    edit(store, until=clock.after(clock.now(), -1))
    claim.take(store, RUN, ME)
    assert (read(store)["host"], read(store)["pid"]) == (socket.gethostname(), ME)


def test_a_claim_that_does_not_read_does_not_hold(store):
    claim.take(store, RUN, ME)
    (store.run_dir(RUN) / "claim").write_text('{"holder"')
    claim.take(store, RUN, ME)
    assert read(store)["pid"] == ME


def test_renewing_moves_the_end_only_past_half_the_lease(store):
    claim.take(store, RUN, ME)
    far = clock.after(clock.now(), claim.LEASE_S - 30)
    edit(store, until=far)
    claim.renew(store, RUN, ME)
    assert read(store)["until"] == far
    edit(store, until=clock.after(clock.now(), 30))
    claim.renew(store, RUN, ME)
    assert read(store)["until"] >= clock.after(clock.now(), claim.LEASE_S - 5)


def test_who_was_taken_over_stops_at_the_next_write(store, living):
    claim.take(store, RUN, ME)
    edit(store, pid=dead_pid())
    claim.take(store, RUN, living.pid)
    with pytest.raises(Conflict, match="was taken over"):
        claim.renew(store, RUN, ME)
    assert read(store)["pid"] == living.pid


def test_who_was_taken_over_by_another_host_stops_too(store):
    claim.take(store, RUN, ME)
    edit(store, host="node-2")
    with pytest.raises(Conflict, match="was taken over"):
        claim.renew(store, RUN, ME)


def test_a_claim_that_is_gone_is_not_renewed(store):
    with pytest.raises(Conflict, match="was taken over"):
        claim.renew(store, RUN, ME)


def test_release_gives_back_ones_own_and_leaves_anothers(store, living):
    claim.take(store, RUN, ME)
    claim.release(store, RUN, ME)
    assert not (store.run_dir(RUN) / "claim").exists()
    claim.release(store, RUN, ME)
    claim.take(store, RUN, living.pid)
    claim.release(store, RUN, ME)
    assert read(store)["pid"] == living.pid


def test_start_ticks_are_the_start_of_the_process(living):
    uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    started = claim.start_ticks(living.pid) / os.sysconf("SC_CLK_TCK")
    assert 0 <= uptime - started < 30
    assert claim.start_ticks(ME) <= claim.start_ticks(living.pid)


def test_start_ticks_of_a_process_with_brackets_in_its_name(tmp_path):
    program = tmp_path / "a) S (b 1"
    shutil.copy(shutil.which("sleep"), program)
    process = subprocess.Popen([str(program), "60"])
    try:
        uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
        started = claim.start_ticks(process.pid) / os.sysconf("SC_CLK_TCK")
        assert 0 <= uptime - started < 30
    finally:
        process.kill()
        process.wait()


def test_no_process_has_no_start():
    assert claim.start_ticks(dead_pid()) is None
