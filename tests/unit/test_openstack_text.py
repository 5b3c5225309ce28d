"""How OpenStack writes things, without a server."""

import types

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.platforms import openstack_text as text
from ansible_collections.suanwang.brain.plugins.module_utils.resources import InstanceSpec


def flavor(name, cpu=4, ram=8192, **extra):
    return {"id": name, "name": name, "cpu": cpu, "ram": ram, "disk": 20,
            "extra": {key.replace("__", ":"): value for key, value in extra.items()}}  # fmt: skip


NPU1 = flavor("npu1", 8, 32768, resources__CUSTOM_NPU_ASCEND910B="1", trait__CUSTOM_AI="required")
NPU8 = flavor("npu8", 64, 262144, resources__CUSTOM_NPU_ASCEND910B="8", trait__CUSTOM_AI="required")
ARM = flavor("arm", trait__HW_ARCH_AARCH64="required")
X86 = flavor("x86", trait__CUSTOM_ARCH_AARCH64="forbidden")
BIG = flavor("big", 32, 65536, trait__HW_ARCH_AARCH64="required")
ALL = [NPU1, NPU8, ARM, X86, BIG]


def spec(**more):
    return InstanceSpec(**{"name": "n", "label": {}, "pool": "p", "image": "i", **more})


def summary(traits=(), **resources):
    return {"resources": {n: {"capacity": c, "used": u} for n, (c, u) in resources.items()}, "traits": list(traits)}


def hypervisor(name, state="up", status="enabled", host=None):
    return {"id": name, "name": f"{name}.site", "host": host or name, "state": state, "status": status, "reason": None}


# -- machines ---------------------------------------------------------------------------------------
def test_devices_below_a_node_are_its_own():
    providers = [{"id": "a", "name": "a", "root": "a"}, {"id": "a-npu0", "name": "a_npu0", "root": "a"},
                 {"id": "a-npu1", "name": "a_npu1", "root": "a"}]  # fmt: skip
    summaries = {"a": summary(["COMPUTE_ARCH_AARCH64"], VCPU=(64, 8)), "a-npu0": summary(CUSTOM_NPU=(1, 1)),
                 "a-npu1": summary(CUSTOM_NPU=(1, 0))}  # fmt: skip
    (one,) = text.machines(providers, summaries, {"a": hypervisor("a")}, {"a": "az"})
    assert one.resources == {"VCPU": (64, 8), "CUSTOM_NPU": (2, 1)}
    assert (one.zone, one.arch, one.works) == ("az", "aarch64", True)


def test_storage_that_machines_share_is_no_machine():
    providers = [{"id": "a", "name": "a", "root": "a"}, {"id": "s", "name": "shared", "root": "s"}]
    summaries = {"a": summary(VCPU=(4, 0)), "s": summary(DISK_GB=(10**6, 0))}
    found = text.machines(providers, summaries, {"a": hypervisor("a")}, {})
    assert [(one.id, one.zone, one.arch) for one in found] == [("a", "nova", None)]


def test_a_host_without_a_name_of_its_own_is_found_by_the_hypervisors():
    providers = [{"id": "uuid", "name": "a.site", "root": "uuid"}]
    (one,) = text.machines(providers, {"uuid": summary(VCPU=(4, 0))}, {"a": hypervisor("a")}, {"a": "az"})
    assert one.zone == "az"


@pytest.mark.parametrize(("row", "traits"), [
    (hypervisor("a", state="down"), ()), (hypervisor("a", status="disabled"), ()),
    (hypervisor("a"), ("COMPUTE_STATUS_DISABLED",)),
])  # fmt: skip
def test_what_does_not_work(row, traits):
    (one,) = text.machines([{"id": "a", "name": "a", "root": "a"}], {"a": summary(traits)}, {"a": row}, {})
    assert one.works is False


def test_what_is_full_is_reckoned_as_its_candidate_would_be():
    inventories = {"VCPU": {"total": 10, "reserved": 2, "allocation_ratio": 4.0}}
    assert text.summary(inventories, {"VCPU": 32}, ["T"]) == summary(["T"], VCPU=(32, 32))


# -- flavors ----------------------------------------------------------------------------------------
def test_what_a_flavor_wants():
    assert text.wants(NPU1) == ({"VCPU": 8, "MEMORY_MB": 32768, "DISK_GB": 20, "CUSTOM_NPU_ASCEND910B": 1},
                                {"CUSTOM_AI"}, set())  # fmt: skip
    assert text.wants(flavor("f", resources__VCPU="0", resources__DISK_GB="$x"))[0] == {
        "MEMORY_MB": 8192,
        "DISK_GB": 20,
    }
    assert text.wants({**flavor("f"), "extra": None})[1:] == (set(), set())


def test_cards_are_told_from_other_custom_classes():
    assert text.card(NPU8) == ("CUSTOM_NPU_ASCEND910B", 8)
    assert text.card(flavor("f", resources__VGPU="1")) == ("VGPU", 1)
    assert text.card(flavor("f", resources__CUSTOM_BAREMETAL="1")) == (None, 0)


@pytest.mark.parametrize(("asked", "wanted", "name"), [
    ({"accelerators": 1}, "npu-ascend910b", "npu1"), ({"accelerators": 2}, "npu-ascend910b", "npu8"),
    ({"accelerators": 1, "cpu": 9}, "npu-ascend910b", "npu8"), ({}, "aarch64", "arm"), ({"cpu": 5}, "aarch64", "big"),
    ({}, "x86_64", "x86"), ({"memory_gib": 9}, "aarch64", "big"), ({"native_type": "arm"}, "x86_64", "arm"),
])  # fmt: skip
def test_the_smallest_that_gives_what_is_asked_for(asked, wanted, name):
    assert text.choose(ALL, spec(**asked), wanted, "hunan")["name"] == name


@pytest.mark.parametrize(("asked", "wanted", "kind"), [
    ({"accelerators": 9}, "npu-ascend910b", Refused), ({}, "npu-ascend910b", Refused),
    ({"cpu": 99}, "aarch64", Refused), ({"native_type": "nope"}, "aarch64", Invalid),
])  # fmt: skip
def test_what_no_flavor_gives(asked, wanted, kind):
    with pytest.raises(kind):
        text.choose(ALL, spec(**asked), wanted, "hunan")


def test_the_zone_of_a_pool_may_hold_dots():
    assert text.place("hunan/cloud/az.1.aarch64") == ("az.1", "aarch64")
    with pytest.raises(Invalid):
        text.place("hunan/cloud/az")


# -- quota, addresses, answers ----------------------------------------------------------------------
def test_minus_one_is_no_limit():
    rows = {"cores": {"limit": -1, "in_use": 4, "reserved": 2}, "ram": {"limit": 2048, "in_use": 512, "reserved": 0}}
    assert list(text.quotas(rows)) == [("cpu", None, 6), ("memory_gib", 2, 0.5)]


@pytest.mark.parametrize("usages", [
    {"unknown": {"VCPU": 8, "CUSTOM_NPU_A": 4, "consumer_count": 1}, "INSTANCE": {"CUSTOM_NPU_A": 1, "VGPU": 2}},
    {"VCPU": 8, "CUSTOM_NPU_A": 5, "VGPU": 2},
])  # fmt: skip
def test_cards_used_are_summed_over_kinds_of_consumers(usages):
    assert text.cards_used(usages) == 7


def test_addresses_are_shown_on_both_sides():
    row = {"private": {"address": "10.0.0.5", "port": 22}, "public": {"address": "1.2.3.4", "port": 2022}}
    networks = {"work": [{"addr": "10.0.0.5"}, {"addr": "10.0.0.6"}]}
    assert list(text.addresses(networks, [row])) == [
        ("work", "10.0.0.5", 22, "1.2.3.4", 2022), ("work", "10.0.0.6", None, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("shown", [True, False])
def test_a_floating_address_is_the_outside_and_may_be_mapped_once_more(shown):
    """Nova shows it late; Neutron knows it at once."""
    networks = {"work": [{"addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed"}]}
    if shown:
        networks["work"].append({"addr": "198.51.100.7", "OS-EXT-IPS:type": "floating"})
    row = {"private": {"address": "198.51.100.7", "port": 22}, "public": {"address": "1.2.3.4", "port": 2022}}
    assert list(text.addresses(networks, [row], "198.51.100.7")) == [("work", "10.0.0.5", 22, "1.2.3.4", 2022)]
    assert list(text.addresses(networks, [], "198.51.100.7")) == [("work", "10.0.0.5", None, "198.51.100.7", None)]


def test_versions_are_compared_as_numbers():
    assert min("2.90", "2.104", key=text.number) == "2.90" and text.version((2, 104)) == "2.104"


def test_of_a_next_link_only_its_marker_is_taken():
    body = {
        "servers": [],
        "servers_links": [{"rel": "next", "href": "http://inside:8774/v2.1/servers?limit=2&marker=m"}],
    }
    assert text.next_link(body) == {"limit": "2", "marker": "m"}
    assert text.next_link({"next": "/v2/images?marker=x", "images": []}) == {"marker": "x"}
    assert text.next_link({"servers": []}) is None


@pytest.mark.parametrize(("content", "words"), [
    ({"forbidden": {"code": 403, "message": "Quota exceeded for cores"}}, "Quota exceeded for cores"),
    ({"error": {"code": 401, "title": "Unauthorized", "message": "The request …"}}, "The request …"),
    ({"errors": [{"status": 400, "title": "Bad Request", "detail": "No such class"}]}, "No such class"),
    ({"NeutronError": {"type": "X", "message": "in use", "detail": ""}}, "in use"),
    (None, "Not Found, without JSON"), ({}, None), ([], "Not Found, without JSON"),
])  # fmt: skip
def test_refusals_of_every_service(content, words):
    def json():
        if content is None:
            raise ValueError("<html>")
        return content

    assert text.message(types.SimpleNamespace(json=json, reason="Not Found")) == words
