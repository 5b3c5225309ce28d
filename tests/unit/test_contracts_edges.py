# SPDX-License-Identifier: GPL-3.0-or-later
"""The corners of the contracts: same pids, cut journals, forged statements, odd YAML, host key forms."""

import json
import os
import pathlib
import subprocess
import time

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import configfile
from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.plugin_utils import claim
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement as s
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
DIGEST = "d" * 64
ME = os.getpid()
LI, ZHAO = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
PLAN = {"run": RUN, "requester": "wang@x"}
POLICY = {"approvals": 1, "approvers": ["li@x", "zhao@x"]}
NOW = "2026-11-25T12:00:00Z"


def public(key):
    return key.export_public_key().decode().strip()


def read(store):
    return json.loads((store.run_dir(RUN) / "claim").read_text())


def edit(store, **changes):
    (store.run_dir(RUN) / "claim").write_text(json.dumps({**read(store), **changes}))


# -- claim


def test_claim_of_the_same_pid_on_another_host_holds(tmp_path):
    store = Store(tmp_path)
    claim.take(store, RUN, ME)
    edit(store, host="node-2", holder="li@node-2", until=clock.after(clock.now(), 60))
    with pytest.raises(Conflict):
        claim.take(store, RUN, ME)


def test_claim_of_the_same_pid_on_another_host_is_not_released(tmp_path):
    store = Store(tmp_path)
    claim.take(store, RUN, ME)
    edit(store, host="node-2")
    claim.release(store, RUN, ME)
    assert read(store)["host"] == "node-2"


def test_claim_of_a_zombie_is_replaced(tmp_path):
    store = Store(tmp_path)
    process = subprocess.Popen(["sleep", "60"])
    try:
        claim.take(store, RUN, process.pid)
        process.kill()
        while pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        claim.take(store, RUN, ME)
    finally:
        process.wait()


# -- store


def test_journal_goes_on_after_a_half_line(tmp_path):
    store = Store(tmp_path)
    store.note(RUN, {"event": "one"})
    with store.journal_path(RUN).open("ab") as stream:
        stream.write(b'{"event":"tw')
    store.note(RUN, {"event": "three"})
    assert store.journal(RUN) == [{"event": "one"}, {"event": "three"}]


def test_append_that_wrote_half_says_so(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:5]))
    with pytest.raises(Invalid, match="SUANWANG_STATE"):
        Store(tmp_path).note(RUN, {"event": "begin"})


def test_plan_folder_without_a_plan(tmp_path):
    store = Store(tmp_path)
    (store.root / "plans" / DIGEST).mkdir(parents=True)
    with pytest.raises(BrainError):
        store.read_plan(store.find_plan(DIGEST))


def test_26_digits_of_a_digest_are_no_run(tmp_path):
    store = Store(tmp_path)
    for number in range(64):
        digest, path = store.save_plan({"run": RUN, "n": number}, {})
        assert store.find_plan(digest[:26]) == path.parent


# -- statement


def judged(claims, signers=None, policy=POLICY):
    text = s.canonical({"schema": s.SCHEMA, "digest": DIGEST, "run": RUN, "approver": "li@x", **claims})
    one = s.Approval(text, asyncssh.create_sshsig(LI, text, namespace=s.NAMESPACE))
    return s.judge([one], PLAN, DIGEST, policy, signers or f"li@x {public(LI)}", NOW)


@pytest.mark.parametrize("claims", [{}, {"expires": 5}, {"expires": "zzz"}, {"expires": None}], ids=str)
def test_approval_without_a_readable_expiry_is_refused(claims):
    assert judged({"at": NOW, **claims}).enough is False


def test_approval_for_longer_than_policy_allows():
    verdict = judged(
        {"at": "2026-11-20T00:00:00Z", "expires": "2036-01-01T00:00:00Z"}, policy={**POLICY, "approval_valid_h": 24}
    )
    assert verdict.expired or not verdict.enough


def test_one_key_of_two_principals_is_one_approval():
    signers = f"li@x,zhao@x {public(LI)}"
    both = [s.sign(LI, DIGEST, RUN, who, NOW, "2026-11-26T00:00:00Z") for who in ("li@x", "zhao@x")]
    assert s.judge(both, PLAN, DIGEST, {**POLICY, "approvals": 2}, signers, NOW).enough is False


def test_requester_under_another_name_of_his_key():
    one = s.sign(LI, DIGEST, RUN, "li@x", NOW, "2026-11-26T00:00:00Z")
    assert s.judge([one], PLAN, DIGEST, POLICY, f"wang@x,li@x {public(LI)}", NOW).enough is False


def test_statement_nested_too_deep():
    with pytest.raises(Refused):
        _ = s.Approval(b"[" * 100000, b"").claims


# -- configfile, sites


@pytest.mark.parametrize("text", ["constraints: {deadline: 2026-11-26T00:00:00Z}", "version: 2026-11-26"])
def test_times_in_yaml_stay_text(tmp_path, text):
    (tmp_path / "t.yml").write_text(text)
    json.dumps(configfile.parse(tmp_path / "t.yml"))


def test_a_date_that_is_none_is_not_a_crash(tmp_path):
    (tmp_path / "t.yml").write_text("a: 2026-13-45\n")
    try:
        configfile.parse(tmp_path / "t.yml")
    except BrainError:
        pass


def test_a_key_twice_is_refused(tmp_path):
    (tmp_path / "t.yml").write_text("approvals: 2\napprovals: 1\n")
    with pytest.raises(Invalid):
        configfile.parse(tmp_path / "t.yml")


@pytest.mark.parametrize("value", ["train\n", "train\n\n"])
def test_a_line_end_in_an_id(value):
    task = {"name": "x", "tenant": "demo", "components": [{"id": value, "kind": "run"}]}
    with pytest.raises(Invalid):
        configfile.check(task, "task", "t.yml")


SITE = """
site: hunan
name: {{en: H, zh: H}}
networks: {{intranet: [10.0.0.0/8]}}
endpoints:
  - id: login
    protocol: ssh
    via: intranet
    address: 10.0.0.1
    port: 22
    known_hosts: known_hosts
    credential: x
    native_user: x
{more}
"""


def config(path, more="", policy="{require_approval: true, approvals: 1, approvers: [a]}", links="[]"):
    (path / "sites").mkdir(exist_ok=True)
    (path / "sites/hunan.yml").write_text(SITE.format(more=more))
    (path / "links.yml").write_text(f"links: {links}\n")
    (path / "policy.yml").write_text(policy)
    (path / "tenants.yml").write_text("tenants: {}\n")
    return path


@pytest.mark.parametrize(
    "form",
    [
        "{host},hunan {key}",
        "hunan,{host} {key}",
        "{host}\t{key}",
        "@cert-authority {host} {key}",
        "10.0.0.* {key}",
        "{hashed} {key}",
    ],
)
def test_every_form_of_a_host_key_is_pinned(tmp_path, form):
    import base64
    import hashlib
    import hmac

    salt = b"0" * 20
    mac = hmac.new(salt, b"10.0.0.1", hashlib.sha1).digest()
    hashed = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(mac).decode()}"
    pins = []
    for key in (LI, ZHAO):
        (tmp_path / "known_hosts").write_text(form.format(host="10.0.0.1", key=public(key), hashed=hashed) + "\n")
        pins.append(sites.load(config(tmp_path)).sites["hunan"].pin)
    assert pins[0] != pins[1]


BASTION = """
  - {id: bastion, protocol: ssh, via: intranet, address: 10.0.0.2, port: 22, known_hosts: known_hosts, credential: b,
     native_user: brain}
"""


def test_jump_is_pinned(tmp_path):
    one = sites.load(config(tmp_path, BASTION)).sites["hunan"].pin
    assert sites.load(config(tmp_path, f"    jump: bastion{BASTION}")).sites["hunan"].pin != one


@pytest.mark.parametrize(("more", "said"), [
    ("    jump: nowhere", "there is no endpoint 'nowhere'"),
    ("    proxy: http://user:password@10.0.0.9:3128", "no proxy without a secret"),
    (f"    jump: bastion\n    proxy: http://10.0.0.9:3128{BASTION}", "reached through a jump host"),
    (f"    jump: bastion{BASTION.replace('native_user', 'jump: login, native_user')}", "has a jump host itself"),
])  # fmt: skip
def test_a_way_that_cannot_be_gone_is_refused_with_its_line(tmp_path, more, said):
    with pytest.raises(Invalid, match=said) as caught:
        sites.load(config(tmp_path, more))
    assert "hunan.yml:" in str(caught.value) and "password" not in str(caught.value)


def test_unknown_platform_is_named_by_file_line_and_field(tmp_path):
    with pytest.raises(Invalid) as caught:
        sites.load(config(tmp_path, "    platform: pbs"))
    assert str(caught.value).startswith(f"{tmp_path}/sites/hunan.yml:14: endpoints[0].platform: ")


def test_more_approvals_than_approvers(tmp_path):
    with pytest.raises(Invalid):
        sites.load(config(tmp_path, policy="{require_approval: true, approvals: 2, approvers: [a]}"))


def test_a_link_to_nowhere(tmp_path):
    with pytest.raises(Invalid):
        sites.load(config(tmp_path, links="[{from: controller, to: hunna, rate_gbps: 1}]"))


def test_data_that_names_no_endpoint(tmp_path):
    with pytest.raises(Invalid):
        sites.load(config(tmp_path, "    data: nothing"))


def test_two_endpoints_of_one_name(tmp_path):
    more = "  - {id: login, protocol: https, via: intranet, address: 10.0.0.2, port: 443}"
    with pytest.raises(Invalid):
        sites.load(config(tmp_path, more))


# -- jobfile


def test_a_search_path_for_cd_changes_nothing(tmp_path):
    layout = jobfile.Layout(str(tmp_path / "root"), RUN, "train")
    work = pathlib.Path(layout.workdir)
    work.mkdir(parents=True)
    (tmp_path / "home/code").mkdir(parents=True)
    subprocess.run(["tar", "-cf", layout.archive, "-T", "/dev/null"], check=True)
    code = jobfile.script(layout, "n", code_sha256=s.digest(pathlib.Path(layout.archive).read_bytes()), command=["pwd"])
    done = subprocess.run(
        ["sh", "-c", code],
        env={"PATH": os.environ["PATH"], "CDPATH": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{work}/code\n"
