# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on machines of ours at a cloud, on the lab's stand-in, whose machines really run: how it starts, ends, is lost.

What every platform must do with jobs is in test_platforms.
"""

import os
import signal
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import QuotaExceeded
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.machines import login
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Address
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Instance
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import instance
from tests.lab import procs

PLATFORM = "openstack"


def verb(platform, name, state="present", check=False, events=None, **params):
    mark, seen = names.parse(name), events if events is not None else []
    defaults = {key: option.get("default") for key, option in instance.INSTANCE.options.items()}
    asked = {"run": mark.run, "component": mark.component, "pool": "hunan/cloud/az-general.x86_64", "poll_s": 0.1,
             "image": "openeuler-x86_64", "networks": ["work"], "login": True, "state": state}  # fmt: skip
    whole = {**defaults, **asked, **params}
    return instance.INSTANCE.run(platform, whole, check, lambda event, **fields: seen.append(event))


@pytest.fixture
def mark():
    """Return the name of a component's machine in a fresh run."""
    return names.name(names.new_run(time.time() * 1000), "work")


def ends(platform, name):
    end = time.monotonic() + 20
    while (job := platform.job(name)).state not in ("succeeded", "failed", "cancelled"):
        assert time.monotonic() < end, job
        time.sleep(0.05)
    return job


# -- jobs -------------------------------------------------------------------------------------------
def test_a_wall_limit_ends_a_job_and_says_so(bench, platform, name):
    platform.submit(bench.spec(platform, name, "sleep 60", wall_s=1))
    job = ends(platform, name)
    assert (job.state, job.native_state, job.exit_code) == ("failed", "TIMEOUT", 124) and "wall limit" in job.reason


def test_a_process_that_is_gone_without_an_end_is_never_success(bench, platform, name):
    """As after a machine was started again in the middle."""
    platform.submit(bench.spec(platform, name, "sleep 60"))
    end = time.monotonic() + 10
    while platform.job(name).state != "running":
        assert time.monotonic() < end
    procs.kill_marked(f"LAB_MACHINE={platform.job(name).nodes}")
    job = ends(platform, name)
    assert (job.state, job.native_state, job.exit_code) == ("failed", "VANISHED", None)


def test_a_job_never_starts_twice_under_one_name(bench, platform, name):
    spec = bench.spec(platform, name, "echo ran >> ../count; sleep 1")
    platform.submit(spec)
    with pytest.raises(Conflict, match="started there before"):
        platform.submit(spec)
    assert ends(platform, name).ended_well
    files = platform.files_of(*names.parse(name)[:2])
    assert files.tail(f"{spec.workdir}/../count".replace("a1/../", "")) == ["ran"]


def test_without_a_machine_there_is_no_job_and_none_is_started(bench, platform, mark, name):
    other = f"{mark}.a1"
    assert platform.job(other) is None and platform.files_of(*names.parse(other)[:2]) is None
    spec = bench.spec(platform, name, "true")
    with pytest.raises(Refused, match="no machine that runs"):
        platform.submit(type(spec)(**{**spec.__dict__, "name": other}))


def test_a_machine_that_does_not_answer_is_not_absence_until_it_is_gone(bench, platform, name):
    platform.submit(bench.spec(platform, name, "sleep 60"))
    bench.lab.ask("unplug")
    with pytest.raises(Unreachable):
        platform.job(name)
    platform.delete_instance(platform.instance(names.name(*names.parse(name)[:2])))
    end = time.monotonic() + 10
    while platform.instance(names.name(*names.parse(name)[:2])):
        assert time.monotonic() < end
    assert platform.job(name) is None


# -- who is let in, and whom we believe ---------------------------------------------------------------
def test_a_host_key_is_a_function_of_our_key_and_the_name():
    keys = [login.host_key(*given) for given in (("one", "a"), ("one", "a"), ("one", "b"), ("two", "a"))]
    public = [key for _private, key in keys]
    assert public[0] == public[1] and len(set(public)) == 3
    assert keys[0][0].startswith("-----BEGIN OPENSSH PRIVATE KEY") and public[0].startswith("ssh-ed25519 ")


def test_a_machine_with_another_host_key_gets_nothing_from_us(bench, platform, mark):
    """What answers at the address of ours is not the machine that was made."""
    verb(platform, mark, ports=[22], login=False, user_data="#cloud-config\nusers: []\n")
    with pytest.raises(Unauthorized, match="not the one it should be"):
        platform.files_of(*names.parse(f"{mark}.a1")[:2])


def test_the_secret_of_the_host_key_is_in_no_result_and_no_diff(bench, platform, mark):
    shown = verb(platform, mark, check=True, ports=[22])
    made = verb(platform, mark, ports=[22])
    for text in (str(shown), str(made)):
        assert "PRIVATE KEY" not in text and "cloud-config" not in text


@pytest.mark.parametrize(("addresses", "found"), [
    ((), None),
    ((Address("n", "10.0.0.1"),), ("10.0.0.1", 22)),
    ((Address("n", "10.0.0.1", None, "203.0.113.1"),), ("203.0.113.1", 22)),
    ((Address("n", "10.0.0.1", 80, "203.0.113.1", 8080), Address("n", "10.0.0.1", 22, "203.0.113.1", 2022)),
     ("203.0.113.1", 2022)),
    ((Address("n", "10.0.0.1", 80, "203.0.113.1", 8080),), None),
])  # fmt: skip
def test_where_a_port_is_reached(addresses, found):
    assert login.reach(Instance("1", "a", "running", addresses=addresses), 22) == found


# -- what reaches a machine -----------------------------------------------------------------------------
def open_ports(bench):
    return sorted(row["port_range_min"] for row in bench.lab.ask("info")["network"]["rules"]
                  if row["direction"] == "ingress")  # fmt: skip


def left(bench):
    info = bench.lab.ask("info")
    return [len(info["servers"]), *(len(rows) for rows in info["network"].values())]


def test_exactly_the_ports_asked_for_are_open_and_all_of_it_is_gone_afterwards(bench, platform, mark):
    shown = verb(platform, mark, check=True, ports=[22, 80])
    assert "TCP 80" in shown["diff"]["after"] and left(bench) == [0] * 5
    made = verb(platform, mark, ports=[80, 22])
    assert open_ports(bench) == [22, 80] and [e["port"] for e in made["endpoints"]] == [22]
    bench.reset()
    assert verb(platform, mark, ports=[22, 80])["changed"] is False and bench.counters()["writes"] == 0
    changed = verb(platform, mark, ports=[443])
    assert changed["changed"] is True and changed["instance"]["id"] == made["instance"]["id"]
    assert open_ports(bench) == [443]
    assert verb(platform, mark, "absent")["changed"] is True and left(bench) == [0] * 5
    assert verb(platform, mark, "absent")["changed"] is False


def test_a_floating_address_counts_before_nova_shows_it(bench, platform, mark):
    bench.lab.ask("set", late_addresses=True)
    made = verb(platform, mark, ports=[22])
    (address,) = made["instance"]["addresses"]
    assert (address["public"], made["endpoints"][0]["public"]["address"]) == ("127.10.0.2", "127.10.0.2")


@pytest.mark.parametrize("path", ["/v2.0/security-groups", "/v2.0/security-group-rules", "/v2.0/ports",
                                  "/v2.0/floatingips"])  # fmt: skip
def test_a_lost_answer_of_the_network_is_looked_for_and_nothing_is_made_twice(bench, platform, mark, path, monkeypatch):
    monkeypatch.setattr(instance, "SETTLE_S", 0.2)
    platform.ping()
    platform.access(mark, mark)
    bench.fault("lost_answer", path=path, n=1)
    original, events = platform.access, []
    monkeypatch.setattr(platform, "access", lambda *_names: None if not events else original(*_names))
    verb(platform, mark, ports=[22], events=events)
    assert "doubt" in events
    # a machine, a group, its rule beside two for what goes out, a port, a floating address
    assert left(bench) == [1, 1, 3, 1, 1]


def test_what_was_made_before_the_machine_was_refused_is_given_back(bench, platform, mark):
    with pytest.raises(QuotaExceeded, match="Quota exceeded for cores"):
        verb(platform, mark, pool="hunan/cloud/az-ai.npu-ascend910b", image="openeuler-aarch64", accelerators=4,
             ports=[22])  # fmt: skip
    assert left(bench) == [0, 1, 3, 1, 1]
    assert verb(platform, mark, "absent")["changed"] is True and left(bench) == [0] * 5


def test_machines_of_a_deployment_share_a_rule_and_go_from_the_end(bench, platform, mark):
    asked = {"run": None, "deployment": "web", "component": "front", "ports": [22]}
    for number in (1, 2, 3):
        verb(platform, mark, **asked, number=number)
    info = bench.lab.ask("info")
    assert sorted(s["name"] for s in info["servers"]) == ["swb-web-front", "swb-web-front-2", "swb-web-front-3"]
    assert len(info["network"]["groups"]) == 1 and len(info["network"]["floating"]) == 3
    shown = verb(platform, mark, "absent", check=True, **asked, number=2, beyond=True)
    assert "swb-web-front-2" in shown["diff"]["before"] and "swb-web-front-3" in shown["diff"]["before"]
    assert verb(platform, mark, "absent", **asked, number=2, beyond=True)["changed"] is True
    assert verb(platform, mark, "absent", **asked, number=2, beyond=True)["changed"] is False
    assert [s["name"] for s in bench.lab.ask("info")["servers"]] == ["swb-web-front"] and open_ports(bench) == [22]
    verb(platform, mark, "absent", **asked, beyond=True)
    assert left(bench) == [0] * 5


def test_our_own_worker_may_die_between_two_things_that_are_made(bench, platform, mark):
    """The next pass finds what is there, and makes the rest."""
    child = os.fork()
    if not child:
        original = type(platform._net)._port
        type(platform._net)._port = lambda *_args: os.kill(os.getpid(), signal.SIGKILL) or original
        verb(platform, mark, ports=[22])
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert left(bench) == [0, 1, 3, 0, 0]
    assert verb(platform, mark, ports=[22])["instance"]["state"] == "running" and left(bench) == [1, 1, 3, 1, 1]
