# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack behind an address translation, on the lab's stand-in, whose machines really run.

tests/real tries the same platform file on the real services.
"""

import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import QuotaExceeded
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.resources import InstanceSpec
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.instance import INSTANCE
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.instance import INSTANCE_INFO
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.quota import QUOTA

PLATFORM = "openstack"
NPU, X86 = "hunan/cloud/az-ai.npu-ascend910b", "hunan/cloud/az-general.x86_64"


@pytest.fixture
def demo(bench):
    made = bench.platform("demo")
    yield made
    made.connection.http.close()


@pytest.fixture
def mark():
    """Return the name of a component of a fresh run."""
    return names.name(names.new_run(time.time() * 1000), "work")


def spec(name, pool=X86, **more):
    image = "openeuler-x86_64" if pool == X86 else "openeuler-aarch64"
    return InstanceSpec(**{"name": name, "label": {"swb_run": "x"}, "pool": pool, "image": image,
                           "networks": ("work",), **more})  # fmt: skip


def verb(platform, state="present", check=False, events=None, which=INSTANCE, **params):
    seen = events if events is not None else []
    whole = {"state": state, "run": None, "deployment": "web", "component": "front", "pool": X86,
             "image": "openeuler-x86_64", "native_type": None, "cpu": 1, "memory_mib": None, "accelerators": 0,
             "networks": ["work"], "user_data": None, "ports": None, "login": False, "number": 1, "beyond": False,
             "planned": False, "wait": True, "timeout_s": 20, "poll_s": 0.2,
             **params}  # fmt: skip
    return which.run(platform, whole, check, lambda event, **fields: seen.append(event))


def running(platform, asked):
    platform.create_instance(asked)
    end = time.monotonic() + 15
    while (found := platform.instance(asked.name)).state == "starting":
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


# -- perception -------------------------------------------------------------------------------------
def test_the_catalogue_names_the_private_side_and_everything_works(bench, platform):
    """No request ever goes to an address of a reply but through the site file's map."""
    assert {pool.name for pool in platform.pools()} == {
        "az-ai.npu-ascend910b",
        "az-general.aarch64",
        "az-general.x86_64",
    }


def test_an_address_that_the_map_does_not_know_is_refused(bench, platform):
    platform.connection.http.site = type(platform.site)(**{**platform.site.__dict__, "address_map": ()})
    with pytest.raises(Refused, match="10.30.0.5"):
        platform.pools()


def test_a_mere_tenant_sees_quota_and_not_capacity(demo):
    for pool in demo.pools():
        assert pool.seen.state == "partial" and pool.seen.error.startswith("quota, not capacity")
        assert pool.free.cpu is None and pool.capacity.nodes is None
        assert {quota.resource for quota in pool.quota} >= {"cpu", "instances", "memory_gib"}


@pytest.mark.parametrize("change", [{"state": "down"}, {"status": "disabled", "reason": "换内存"}])
def test_a_host_that_does_not_work_is_capacity_and_not_free(bench, platform, change):
    bench.lab.ask("host", name="npu2", **change)
    (npu,) = [pool for pool in platform.pools() if pool.id == NPU]
    assert (npu.capacity.accelerators, npu.free.accelerators, npu.open) == (16, 8, True)
    bench.lab.ask("host", name="npu1", **change)
    assert [pool.open for pool in platform.pools() if pool.id == NPU] == [False]


def test_a_full_host_is_no_candidate_and_still_counted(bench, platform, demo):
    bench.lab.ask("host", name="gen1", cpu=1)
    running(demo, spec("swb-web-one"))
    running(demo, spec("swb-web-two"))
    (x86,) = [pool for pool in platform.pools() if pool.id == X86]
    assert (x86.capacity.cpu, x86.free.cpu) == (4, 0)
    bench.lab.ask("host", name="gen1", cpu=64)


def test_pages_are_walked_to_their_end(bench, demo):
    bench.lab.ask("set", max_limit=2)
    for number in range(4):
        demo.create_instance(spec(f"swb-web-n{number}"))
    assert len(demo._rows("server", "compute", "/servers/detail")) == 4
    assert {row["name"] for row in demo._rows("flavor", "compute", "/flavors/detail")} == {
        "npu4",
        "npu1",
        "kp.small",
        "g1.small",
    }


# -- machines ---------------------------------------------------------------------------------------
def test_work_runs_on_a_machine_over_ssh(bench, demo, mark):
    """Its host key is made by us and given in user data, so it is known before the first contact."""
    bench.prepare(demo, mark)
    made = demo.instance(mark)
    (address,) = made.addresses
    assert address.private.startswith("10.20.0.") and (address.private_port, address.public) == (22, "127.10.0.2")
    files = demo.files_of(*names.parse(mark)[:2])
    try:
        status, out, _err = files.run(["sh", "-c", "echo $LAB_SITE_NONCE; echo $LAB_MACHINE"])
        assert status == 0 and out.split() == [bench.lab.ask("info")["nonce"], made.id]
    finally:
        files.close()


def test_a_machine_takes_its_share_and_gives_it_back(bench, platform, demo, mark):
    made = running(demo, spec(mark, NPU, accelerators=4, cpu=8))
    assert (made.state, made.native_type) == ("running", "npu4")
    (npu,) = [pool for pool in platform.pools() if pool.id == NPU]
    assert npu.free.accelerators == 12
    (ours,) = npu.ours
    assert (ours.run, ours.component, ours.accelerators) == (*names.parse(mark)[:2], 4)
    demo.delete_instance(made)
    end = time.monotonic() + 10
    while demo.instance(mark):
        assert time.monotonic() < end
        time.sleep(0.05)
    demo.delete_instance(made)
    assert [pool.free.accelerators for pool in platform.pools() if pool.id == NPU] == [16]


def test_a_quota_and_a_policy_are_told_apart(demo, mark):
    run = names.parse(mark).run
    for number in range(2):
        running(demo, spec(names.name(run, f"w{number}"), NPU, accelerators=4))
    with pytest.raises(QuotaExceeded, match="Quota exceeded for cores"):
        demo.create_instance(spec(mark, NPU, accelerators=4))
    with pytest.raises(Unauthorized, match="Policy"):
        demo.checked("GET", "compute", "/os-aggregates")


def test_a_lost_answer_is_doubt_and_the_machine_is_there_once(bench, demo, mark):
    bench.fault("lost_answer", path="/servers", n=1)
    with pytest.raises(Unreachable) as caught:
        demo.create_instance(spec(mark))
    assert caught.value.details.get("doubt") is True and bench.copies(mark) == 1


# -- the verb ---------------------------------------------------------------------------------------
def test_asking_twice_makes_one(bench, demo):
    first, again = verb(demo), verb(demo)
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["instance"]["name"] == "swb-web-front" and first["instance"]["state"] == "running"
    assert first["instance"]["label"] == {
        "swb_deployment": "web", "swb_component": "front", "swb_tenant": "demo",
        "swb_image": "openeuler-x86_64", "swb_size": "1 vCPU, 0 GiB, 0 card(s)",
    }  # fmt: skip
    assert bench.copies("swb-web-front") == 1
    assert verb(demo, which=INSTANCE_INFO)["instance"]["id"] == first["instance"]["id"]
    assert verb(demo, "absent")["changed"] is True and verb(demo, "absent")["changed"] is False
    assert verb(demo, which=INSTANCE_INFO)["instance"] is None


def test_check_mode_shows_and_makes_nothing(bench, demo):
    bench.reset()
    shown = verb(demo, check=True)
    assert shown["changed"] is True and "swb-web-front" in shown["diff"]["after"] and shown["instance"] is None
    verb(demo)
    bench.reset()
    assert verb(demo, "absent", check=True)["changed"] is True
    assert bench.counters()["writes"] == 0 and bench.copies("swb-web-front") == 1


def test_a_lost_answer_is_looked_for_and_not_repeated(bench, demo):
    events = []
    demo.pools()
    bench.fault("lost_answer", path="/v2.1/servers", n=1)
    original = demo.instance
    demo.instance = lambda name: None if not events else original(name)  # the first look is not the one that is lost
    done = verb(demo, events=events)
    assert "doubt" in events and events.count("intent") == 1
    assert done["instance"]["state"] == "running" and bench.copies("swb-web-front") == 1


def test_somebody_elses_machine_of_our_name_is_not_touched(bench, demo):
    running(demo, spec("swb-web-front", label={"swb_deployment": "web", "swb_tenant": "other"}))
    for state in ("present", "absent"):
        with pytest.raises(Conflict, match="not ours"):
            verb(demo, state)
    assert bench.copies("swb-web-front") == 1


def test_what_never_starts_ends_by_its_time(bench, demo):
    bench.lab.ask("set", stuck=True)
    with pytest.raises(Timeout, match="still BUILD/scheduling after 1 s"):
        verb(demo, timeout_s=1)


def test_what_does_not_fit_says_why(bench, demo):
    bench.lab.ask("host", name="gen1", state="down")
    with pytest.raises(Refused, match="No valid host was found"):
        verb(demo)


# -- quota ------------------------------------------------------------------------------------------
def quota(platform, limits, check=False):
    return QUOTA.run(platform, {"limits": limits}, check, lambda *_a, **_k: None)


def test_a_quota_is_set_once_and_read_back(bench, demo):
    shown = quota(demo, {"cpu": 32, "memory_gib": 100}, check=True)
    assert shown["changed"] and "cpu: 64" in shown["diff"]["before"] and "cpu: 32" in shown["diff"]["after"]
    assert {q.resource: q.limit for q in demo.quota()}["cpu"] == 64
    done = quota(demo, {"cpu": 32, "memory_gib": 100})
    assert done["changed"] and {q["resource"]: q["limit"] for q in done["quota"]}["memory_gib"] == 100
    bench.reset()
    assert quota(demo, {"cpu": 32})["changed"] is False and bench.counters()["writes"] == 0


def test_a_quota_below_what_is_used_is_refused(demo):
    running(demo, spec("swb-web-front"))
    with pytest.raises(Invalid, match="already used and reserved 2"):
        quota(demo, {"cpu": 1})


@pytest.mark.parametrize(("limits", "words"), [
    ({"accelerators": 4}, "no quota of accelerators"), ({"cpu": "many"}, "has to be a number"),
    ({"cpu": -1}, "0 at least"),
])  # fmt: skip
def test_a_limit_that_makes_no_sense(demo, limits, words):
    with pytest.raises(Invalid, match=words):
        quota(demo, limits)


def test_only_the_sites_own_account_sets_quotas(demo):
    with pytest.raises(Unauthorized):
        demo.set_quota("demo", {"cpu": 1000})


# -- trouble ----------------------------------------------------------------------------------------
def test_a_forgotten_token_is_renewed(bench, demo):
    demo.quota()
    bench.lab.ask("expire")
    assert demo.quota()


def test_a_wrong_password_is_said_and_never_shown(bench, demo):
    secret = demo.connection.secret()
    with bench.expired(), pytest.raises(Unauthorized) as caught:
        demo.ping()
    assert secret not in f"{caught.value.failure()}" and "not the password" not in f"{caught.value.failure()}"


@pytest.mark.parametrize("fault", [{"kind": "cut"}, {"kind": "status", "code": 503}])
def test_trouble_on_the_way_is_unreachable(bench, demo, fault):
    demo.ping()
    bench.fault(**fault, path="/v2.1/os-quota-sets")
    with pytest.raises(Unreachable):
        demo.quota()


def test_a_read_that_fails_once_is_repeated(bench, demo):
    demo.ping()
    bench.fault("status", code=503, path="/v2.1/os-quota-sets", n=1)
    assert demo.quota()


def test_html_is_no_answer(bench, demo):
    with pytest.raises(NotFound):
        demo.checked("GET", "network", "/nothing-here")


def test_a_dead_cloud_is_unreachable(bench, demo):
    bench.fault("dead")
    with pytest.raises(Unreachable):
        demo.ping()
