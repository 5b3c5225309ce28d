"""The platform file on a real Keystone, Nova, Placement, Glance and Neutron, with the traps that it was written for."""

import contextlib
import signal
import time

import pytest
import requests

from ansible_collections.suanwang.brain.plugins.module_utils import names
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import QuotaExceeded
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import openstack_talk as platform_file
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.openstack import OpenStack
from ansible_collections.suanwang.brain.plugins.module_utils.resources import InstanceSpec
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import instance
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import quota
from tests.lab import keys
from tests.playbooks.project import Project
from tests.real import openstack_venv
from tests.real.openstack import RealOpenStack

PYTHON = openstack_venv.need_openstack()  # else the whole module is skipped, with one line

NPU, GENERAL = "hunan/cloud/az-ai.npu-ascend910b", "hunan/cloud/az-general.aarch64"


@pytest.fixture(scope="module")
def cloud():
    with RealOpenStack(PYTHON, max_limit=3) as started:
        yield started


@pytest.fixture
def at(cloud):
    """Return a function: tenant → a fresh Platform."""
    made = []

    def platform(tenant="demo"):
        made.append(sites.load(str(cloud.config)).platform("hunan", "cloud", tenant))
        return made[-1]

    yield platform
    for one in made:
        one.connection.http.close()


@pytest.fixture(autouse=True)
def swept(cloud):
    """No machine outlives its test."""
    yield

    def left():
        """Delete a page of what is there; the server's own page is three rows here."""
        rows = cloud.call("nova", "GET", "/v2.1/servers?all_tenants=1")["servers"]
        for row in rows:
            with contextlib.suppress(AssertionError):  # gone meanwhile
                cloud.call("nova", "DELETE", f"/v2.1/servers/{row['id']}")
        return rows

    until(lambda: not left(), 120)


@pytest.fixture
def name():
    return names.name(names.new_run(time.time() * 1000), "work")


def until(question, seconds=60):
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end
        time.sleep(0.3)
    return answer


def spec(name, pool=NPU, **more):
    return InstanceSpec(**{"name": name, "label": {"swb_run": "x"}, "pool": pool, "image": "openeuler-aarch64",
                           "accelerators": 4 if pool == NPU else 0, "networks": ("work",), **more})  # fmt: skip


def running(platform, asked):
    platform.create_instance(asked)
    return until(lambda: (found := platform.instance(asked.name)) and found.state != "starting" and found)


def verb(platform, name, check=False, events=None, **params):
    mark = names.parse(name)
    whole = {"state": "present", "run": mark.run, "deployment": None, "component": mark.component, "pool": NPU,
             "image": "openeuler-aarch64", "native_type": None, "cpu": 1, "memory_mib": None, "accelerators": 1,
             "networks": ["work"], "user_data": None, "ports": None, "login": False, "number": 1, "beyond": False,
             "planned": False, "wait": True, "timeout_s": 60, "poll_s": 0.5,
             **params}  # fmt: skip
    seen = events if events is not None else []
    return instance.INSTANCE.run(platform, whole, check, lambda event, **fields: seen.append(event))


# -- what it sees -----------------------------------------------------------------------------------
def test_it_says_what_it_is(at):
    said = at(None).ping()
    assert said["api"] == {"compute": "2.90", "placement": "1.39"} and said["version"].startswith("2.")


def test_pools_are_placements_capacity(at):
    pools = {pool.id: pool for pool in at(None).pools()}
    assert set(pools) == {NPU, GENERAL, "hunan/cloud/az-general.x86_64"}
    npu = pools[NPU]
    assert (npu.arch, npu.accelerator.native, npu.accelerator.model) == ("aarch64", "CUSTOM_NPU_ASCEND910B", "910b4")
    # 192 cores a node, four virtual ones for each, as Nova gives them
    assert (npu.capacity.nodes, npu.capacity.cpu, npu.capacity.accelerators) == (2, 1536, 16)
    assert (npu.node.accelerators, npu.node.cpu) == (4, 32)
    assert npu.free == npu.capacity and npu.seen.state == "live" and npu.open
    assert pools[GENERAL].arch == "aarch64" and pools[GENERAL].accelerator is None
    assert not set(npu.domains) & set(pools[GENERAL].domains)


def test_a_mere_tenant_sees_quota_and_not_capacity(at):
    (npu,) = [pool for pool in at().pools() if pool.id == NPU]
    assert npu.capacity.accelerators is None and npu.free.cpu is None and npu.accelerator.count is None
    assert npu.seen.state == "partial" and npu.seen.error.startswith("quota, not capacity")
    limits = {quota.resource: (quota.limit, quota.used, quota.tenant) for quota in npu.quota}
    assert limits == {"cpu": (64, 0, "demo"), "memory_gib": (512, 0, "demo"), "instances": (8, 0, "demo"),
                      "accelerators": (None, 0, "demo")}  # fmt: skip


def test_lists_longer_than_the_servers_page_are_whole(at, cloud):
    """The server's own page is three rows here."""
    assert len(cloud.call("nova", "GET", "/v2.1/flavors")["flavors"]) == 3
    assert len(at()._rows("flavor", "compute", "/flavors/detail")) == 4
    assert len(at(None)._rows("hypervisor", "compute", "/os-hypervisors/detail")) == 4


@pytest.mark.parametrize("change", [{"forced_down": True}, {"status": "disabled", "disabled_reason": "换内存"}])
def test_a_host_that_is_down_or_disabled_is_capacity_and_not_free(at, cloud, change):
    (service,) = [s for s in cloud.call("nova", "GET", "/v2.1/os-services?binary=nova-compute")["services"]
                  if s["host"] == "npu1"]  # fmt: skip
    path = f"/v2.1/os-services/{service['id']}"
    cloud.call("nova", "PUT", path, change)
    try:
        (npu,) = [pool for pool in at(None).pools() if pool.id == NPU]
        assert (npu.capacity.accelerators, npu.free.accelerators, npu.open) == (16, 8, True)
    finally:
        cloud.call("nova", "PUT", path, {"forced_down": False} if "forced_down" in change else {"status": "enabled"})
    until(lambda: [p for p in at(None).pools() if p.id == NPU][0].free.accelerators == 16)


# -- machines ---------------------------------------------------------------------------------------
def test_a_machine_is_made_found_by_name_and_removed(at, name):
    platform = at()
    assert platform.instance(name) is None
    made = running(platform, spec(name, cpu=8))
    assert (made.state, made.native_state, made.native_type) == ("running", "ACTIVE", "npu4")
    assert made.label == {"swb_run": "x"} and made.addresses[0].private.startswith("10.20.0.")
    (npu,) = [pool for pool in at(None).pools() if pool.id == NPU]
    assert npu.free.accelerators == 12 and npu.capacity.accelerators == 16
    (ours,) = npu.ours
    assert (ours.run, ours.component, ours.state, ours.accelerators) == (*names.parse(name)[:2], "running", 4)
    assert {q.resource: q.used for q in platform.quota()}["accelerators"] == 4
    platform.delete_instance(made)
    until(lambda: platform.instance(name) is None)
    platform.delete_instance(made)  # gone is fine


def test_the_smallest_flavor_of_the_pool_is_taken(at, name):
    made = running(at(), spec(name, GENERAL))
    assert made.native_type == "kp.small" and made.state == "running"
    with pytest.raises(Refused, match="no flavor of npu-ascend910b gives"):
        at().create_instance(spec(name, accelerators=5))


def test_a_name_is_no_regular_expression(at, name):
    platform = at()
    platform.create_instance(spec(f"{name}.a1", GENERAL))
    platform.create_instance(spec(f"{name}-a1", GENERAL))
    assert platform.instance(name) is None
    assert platform.instance(f"{name}.a1").name == f"{name}.a1"
    assert platform.instance(f"{name}[") is None


def test_two_of_one_name_are_a_conflict(at, name):
    platform = at()
    for _twice in (1, 2):
        platform.create_instance(spec(name, GENERAL))
    with pytest.raises(Conflict, match="2 machines"):
        platform.instance(name)


def test_a_quota_and_a_policy_are_told_apart(at, cloud, name):
    """Both are 403 `forbidden`."""
    quota = f"/v2.1/os-quota-sets/{cloud.demo['project']}"
    cloud.call("nova", "PUT", quota, {"quota_set": {"cores": 16}})
    try:
        with pytest.raises(QuotaExceeded, match="Quota exceeded for cores") as caught:
            at().create_instance(spec(name))
        assert caught.value.details["request_id"] and "quota" in caught.value.way_out
    finally:
        cloud.call("nova", "PUT", quota, {"quota_set": {"cores": 64}})
    with pytest.raises(Unauthorized) as caught:
        at().checked("GET", "compute", "/os-services")
    assert not isinstance(caught.value, QuotaExceeded) and caught.value.details["status"] == 403
    assert cloud.copies(name) == []


def test_what_does_not_fit_fails_with_its_reason_and_still_holds_quota(at, cloud, name):
    platform, run = at(), names.parse(name).run
    quota = f"/v2.1/os-quota-sets/{cloud.demo['project']}"
    cloud.call("nova", "PUT", quota, {"quota_set": {"cores": 400, "ram": 4 * 1024 * 1024}})
    try:
        for number in range(4):
            assert running(platform, spec(names.name(run, f"w{number}"), label={})).state == "running"
        with pytest.raises(Refused, match="No valid host was found") as caught:
            verb(platform, name, accelerators=4)
        assert "holds quota" in caught.value.way_out
        assert {q.resource: q.used for q in platform.quota()}["instances"] == 5
        assert verb(platform, name, state="absent")["changed"] is True
        assert {q.resource: q.used for q in platform.quota()}["instances"] == 4
    finally:
        cloud.call("nova", "PUT", quota, {"quota_set": {"cores": 64, "ram": 512 * 1024, "force": True}})


def test_a_quota_is_really_set(at, cloud, name):
    def asked(limits):
        return quota.QUOTA.run(at(), {"limits": limits}, False, lambda *_a, **_k: None)

    assert asked({"cpu": 40, "memory_gib": 100})["changed"] is True
    assert asked({"cpu": 40})["changed"] is False
    said = cloud.call("nova", "GET", f"/v2.1/os-quota-sets/{cloud.demo['project']}")["quota_set"]
    assert (said["cores"], said["ram"], said["instances"]) == (40, 102400, 8)
    running(at(), spec(name, GENERAL))
    with pytest.raises(Invalid, match="already used and reserved 4"):
        asked({"cpu": 1})
    with pytest.raises(Unauthorized):
        at().set_quota("demo", {"cpu": 1000})
    assert asked({"cpu": 64, "memory_gib": 512})["changed"] is True


@pytest.mark.parametrize(("more", "kind", "words"), [
    ({"image": "nope"}, NotFound, "no image 'nope'"), ({"networks": ("nope",)}, NotFound, "no network 'nope'"),
    ({"native_type": "nope"}, Invalid, "There are: g1.small"), ({"pool": "hunan/cloud/moon.aarch64"}, Invalid, "400"),
    ({"pool": "hunan/cloud/moon"}, Invalid, "no pool"),
])  # fmt: skip
def test_what_is_not_there_is_said(at, name, more, kind, words):
    with pytest.raises(kind, match=words):
        at().create_instance(spec(name, **{"pool": GENERAL, "accelerators": 0, **more}))


# -- the verb ---------------------------------------------------------------------------------------
def test_asking_twice_makes_one(at, cloud, name):
    first = verb(at(), name)
    again = verb(at(), name)
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["instance"]["id"] == again["instance"]["id"] and len(cloud.copies(name)) == 1
    assert first["instance"]["state"] == "running" and first["instance"]["pool"] == NPU
    assert verb(at(), name, state="absent")["changed"] is True
    assert verb(at(), name, state="absent")["changed"] is False


def test_check_mode_shows_and_makes_nothing(at, cloud, name):
    shown = verb(at(), name, check=True)
    assert shown["changed"] is True and name in shown["diff"]["after"] and cloud.copies(name) == []


def test_a_machine_of_our_name_that_is_not_ours_is_not_touched(at, cloud, name):
    running(at(), spec(name, GENERAL, label={"swb_run": "somebody"}))
    for state in ("present", "absent"):
        with pytest.raises(Conflict, match="not ours"):
            verb(at(), name, state=state)
    assert len(cloud.copies(name)) == 1


def test_a_create_whose_answer_is_late_is_found_by_its_mark_and_not_repeated(at, cloud, name, monkeypatch):
    """Nova hangs, we give up, and it goes on: the machine is there, once."""
    monkeypatch.setattr(platform_file, "TIMEOUT_S", 4)
    platform, events = at(), []
    platform.ping()
    original = type(platform).create_instance

    def frozen(self, asked):
        real = self.checked

        def checked(method, service, path, *args, **options):
            if method != "POST":
                return real(method, service, path, *args, **options)
            cloud.daemons.signal("nova", signal.SIGSTOP)
            try:
                return real(method, service, path, *args, **options)
            finally:
                cloud.daemons.signal("nova", signal.SIGCONT)

        self.checked = checked
        try:
            return original(self, asked)
        finally:
            del self.checked

    monkeypatch.setattr(type(platform), "create_instance", frozen)
    done = verb(platform, name, events=events)
    assert "doubt" in events and events.count("intent") == 1
    assert done["instance"]["state"] == "running"
    assert cloud.copies(name) == [done["instance"]["id"]]


def test_a_hung_nova_is_a_timeout(at, cloud, monkeypatch):
    monkeypatch.setattr(platform_file, "TIMEOUT_S", 2)
    platform = at()
    platform.ping()
    cloud.daemons.signal("nova", signal.SIGSTOP)
    try:
        with pytest.raises(Timeout):
            platform.quota()
    finally:
        cloud.daemons.signal("nova", signal.SIGCONT)


def test_nova_killed_in_the_middle(at, cloud, name):
    """What was asked for just before is there afterwards, once, whether it started or not."""
    platform = at()
    made = platform.create_instance(spec(name, GENERAL))
    cloud.daemons.signal("nova", signal.SIGKILL)
    with pytest.raises(Unreachable):
        until(lambda: platform.instance(name) and None, 20)
    cloud.restart("nova")
    found = platform.instance(name)
    assert found.id == made.id and cloud.copies(name) == [made.id]
    if found.state == "starting":  # nobody picks it up again: its time has to end it
        with pytest.raises(Timeout, match="still BUILD"):
            instance._wait(platform, {"timeout_s": 2, "poll_s": 0.5}, found, lambda *_a, **_k: None)
    platform.delete_instance(found)
    until(lambda: platform.instance(name) is None)


# -- what reaches a machine ---------------------------------------------------------------------------
def spy(monkeypatch, verb, tried):
    """Note a verb of the platform each time it comes to its end, and let it do what it does."""
    real = getattr(OpenStack, verb)

    def noted(*arguments):
        found = real(*arguments)
        tried.append(verb)
        return found

    monkeypatch.setattr(OpenStack, verb, noted)


NOTHING = {"ports": [], "groups": [], "open": [], "floating": []}


def test_exactly_the_ports_asked_for_are_open_and_all_of_it_is_gone_afterwards(at, cloud, name, monkeypatch):
    tried = []
    for noun in ("access", "set_access", "remove_access"):
        spy(monkeypatch, noun, tried)
    shown = verb(at(), name, check=True, ports=[22, 80], login=True)
    assert "TCP 22" in shown["diff"]["after"] and "one of public" in shown["diff"]["after"]
    assert cloud.has_of_network() == NOTHING
    made = verb(at(), name, ports=[22, 80], login=True)
    now = cloud.has_of_network()
    assert (now["ports"], now["groups"], now["open"]) == ([name], [name], [22, 80])
    (floating,) = now["floating"]
    assert [(e["port"], e["public"]["address"]) for e in made["endpoints"]] == [(22, floating), (80, floating)]
    assert made["endpoints"][0]["private"]["address"].startswith("10.20.0.")
    assert verb(at(), name, ports=[22, 80], login=True)["changed"] is False

    changed = verb(at(), name, ports=[443], login=True)
    assert changed["changed"] is True and changed["instance"]["id"] == made["instance"]["id"]
    assert cloud.has_of_network() == {**now, "open": [443]}

    assert verb(at(), name, state="absent", check=True)["changed"] is True and cloud.has_of_network()["open"] == [443]
    gone = verb(at(), name, state="absent")
    assert floating in gone["diff"]["before"] and cloud.has_of_network() == NOTHING and cloud.copies(name) == []
    assert verb(at(), name, state="absent")["changed"] is False
    assert set(tried) == {"access", "set_access", "remove_access"}, "each was called on the real Neutron"


def test_a_quota_of_floating_addresses_is_told_from_a_policy_and_nothing_stays(at, cloud, name):
    quota = f"/v2.0/quotas/{cloud.demo['project']}"
    cloud.call("neutron", "PUT", quota, {"quota": {"floatingip": 0}})
    try:
        with pytest.raises(QuotaExceeded, match="Quota exceeded") as caught:
            verb(at(), name, ports=[22], login=True)
        assert caught.value.details["status"] == 409 and cloud.copies(name) == []
        assert verb(at(), name, state="absent")["changed"] is True and cloud.has_of_network() == NOTHING
    finally:
        cloud.call("neutron", "DELETE", quota)
    with pytest.raises(Unauthorized):
        at().checked("POST", "network", "/networks", json={"network": {"name": "x", "router:external": True}})


def test_what_was_made_of_the_network_is_found_and_not_made_again(at, cloud, name, monkeypatch):
    """Neutron hangs at the second thing that is made, we give up, and it goes on."""
    monkeypatch.setattr(platform_file, "TIMEOUT_S", 4)
    monkeypatch.setattr(instance, "SETTLE_S", 5)
    platform, events, real, posts = at(), [], None, []
    platform.ping()
    real = platform.checked

    def checked(method, service, path, *args, **options):
        if (method, service) != ("POST", "network") or posts.append(path) or len(posts) != 2:
            return real(method, service, path, *args, **options)
        cloud.daemons.signal("neutron", signal.SIGSTOP)
        try:
            return real(method, service, path, *args, **options)
        finally:
            cloud.daemons.signal("neutron", signal.SIGCONT)

    platform.checked = checked
    done = verb(platform, name, events=events, ports=[22], login=True)
    assert "doubt" in events and done["instance"]["state"] == "running"
    now = cloud.has_of_network()
    assert (now["ports"], now["groups"], now["open"], len(now["floating"])) == ([name], [name], [22], 1)
    verb(at(), name, state="absent")
    assert cloud.has_of_network() == NOTHING


# -- credentials ------------------------------------------------------------------------------------
@contextlib.contextmanager
def credential(cloud, name, text):
    path = cloud.config / "credentials" / name
    good = path.read_bytes()
    keys.write_private(path, text.encode())
    try:
        yield
    finally:
        keys.write_private(path, good)


def test_a_wrong_password_is_unauthorized_and_not_shown(at, cloud):
    with credential(cloud, "demo-cloud", "wrong-secret"), pytest.raises(Unauthorized) as caught:
        at().ping()
    assert "wrong-secret" not in f"{caught.value.failure()}" and "Renew" in caught.value.way_out


def test_a_revoked_token_is_renewed(at, cloud):
    platform = at()
    platform.quota()
    token = platform._cloud.session.auth.get_token(platform._cloud.session)
    url = f"http://127.0.0.1:{cloud.ports['keystone']}/v3/auth/tokens"
    assert requests.delete(url, headers={"X-Auth-Token": cloud.admin, "X-Subject-Token": token}, timeout=30).ok
    platform.checked("GET", "image", "/images")
    assert platform._cloud.session.auth.get_token(platform._cloud.session) != token


def test_an_application_credential_needs_no_user(at, cloud):
    token = cloud.login("demo", cloud.demo["password"], "demo")
    user = requests.get(
        f"http://127.0.0.1:{cloud.ports['keystone']}/v3/auth/tokens",
        headers={"X-Auth-Token": token, "X-Subject-Token": token}, timeout=30,
    ).json()["token"]["user"]["id"]  # fmt: skip
    path = f"/v3/users/{user}/application_credentials"
    made = cloud.call("keystone", "POST", path, {"application_credential": {"name": "swb"}}, token)
    made = made["application_credential"]
    with credential(cloud, "hunan-cloud", f"{made['id']}\n{made['secret']}\n"):
        cloud.write_site(native_user="", native_account="")
        try:
            assert at(None).ping()["project"] == cloud.demo["project"]
            cloud.call("keystone", "DELETE", f"{path}/{made['id']}", token=token)
            with pytest.raises(Unauthorized):
                at(None).ping()
        finally:
            cloud.write_site()


def test_a_region_that_is_not_there_is_said(at, cloud):
    cloud.write_site(region="Moon")
    try:
        with pytest.raises(NotFound, match="region"):
            at(None).pools()
    finally:
        cloud.write_site()


def test_a_dead_keystone_is_unreachable(at, cloud):
    cloud.write_site(port=1)
    try:
        with pytest.raises(Unreachable):
            at(None).ping()
    finally:
        cloud.write_site()


# -- conformance ------------------------------------------------------------------------------------
def test_conformance_reads_only_and_its_exit_code_says_what_an_account_sees(cloud, tmp_path):
    project = Project(cloud, tmp_path)
    place = ("-e", "site=hunan", "-e", "endpoint=cloud", "-e", f"config={cloud.config}")
    before = cloud.has_of_network(), len(cloud.call("nova", "GET", "/v2.1/servers?all_tenants=1")["servers"])
    done = project.play("conformance", *place).good()
    for verb_of in ("ping", "pools", "quota", "instance"):
        assert f"{verb_of}: answered" in done.flat, done.text
    done = project.play("conformance", *place, "-e", "tenant=demo")
    assert done.code == 2 and "pools: failed" in done.flat and "quota, not capacity" in done.flat
    assert before == (cloud.has_of_network(), len(cloud.call("nova", "GET", "/v2.1/servers?all_tenants=1")["servers"]))
