"""A service signs for the people who approved on its page; what that is worth, and what it is not."""

import shutil
import subprocess

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
PLAN = {"run": RUN, "requester": "wang@x"}
DIGEST = "ab" * 32
POLICY = {"approvals": 2, "approvers": ["li@x", "zhao@x", "wang@x"], "services": ["page@x"]}
KEYS = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("page@x", "li@x", "other@x")}
SIGNERS = "".join(f"{name} {key.export_public_key().decode().strip()}\n" for name, key in KEYS.items())


def signed(approver, key="page@x", service="page@x"):
    now = clock.now()
    return statement.sign(KEYS[key], DIGEST, RUN, approver, now, clock.after(now, 3600), service=service)


def check(approval, policy=POLICY):
    return statement.check_approval(approval, PLAN, DIGEST, policy, SIGNERS)


def test_a_service_vouches_for_an_approver():
    assert check(signed("li@x"))["approver"] == "li@x"


@pytest.mark.parametrize(
    ("approval", "words"),
    [
        (lambda: signed("somebody@x"), "is not an approver"),
        (lambda: signed("wang@x"), "asked for this plan"),
        (lambda: signed("li@x", key="other@x"), "allowed_signers does not know"),
        (lambda: signed("li@x", key="other@x", service="other@x"), "is no service"),
        (lambda: signed("li@x", key="page@x", service=None), "allowed_signers does not know"),
        (lambda: signed("li@x", key="li@x", service="page@x"), "allowed_signers does not know"),
    ],
)
def test_it_vouches_for_nobody_else_and_nobody_in_its_name(approval, words):
    with pytest.raises(Refused, match=words):
        check(approval())


def test_without_a_line_in_the_policy_no_service_counts():
    with pytest.raises(Refused, match="is no service"):
        check(signed("li@x"), {**POLICY, "services": []})


def judge(*approvals):
    return statement.judge(approvals, PLAN, DIGEST, POLICY, SIGNERS, clock.now())


def test_two_people_by_one_service_are_two_and_one_person_twice_is_one():
    assert judge(signed("li@x"), signed("zhao@x")).enough
    assert not judge(signed("li@x"), signed("li@x")).enough
    own = signed("li@x", key="li@x", service=None)
    assert not judge(signed("li@x"), own).enough


def test_openssh_says_the_same(tmp_path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed: apt-get install openssh-client")
    made = signed("li@x")
    (tmp_path / "signers").write_text(SIGNERS)
    (tmp_path / "sig").write_bytes(made.signature)
    for who, code in (("page@x", 0), ("li@x", 255)):
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "signers", "-n", statement.NAMESPACE, "-I", who,
             "-s", tmp_path / "sig"],
            input=made.statement, capture_output=True,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
