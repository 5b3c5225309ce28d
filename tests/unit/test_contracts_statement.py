# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical bytes, digests and approvals; OpenSSH's own ssh-keygen says the same of each signature."""

import base64
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import asyncssh
import pytest
import rfc8785

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement as s

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
DIGEST = "d" * 64
AT, EXPIRES = "2026-11-25T03:00:00Z", "2026-11-26T03:00:00Z"
NOW, LATER = "2026-11-25T12:00:00Z", "2026-11-26T03:00:00Z"
PLAN = {"run": RUN, "requester": "wang@example.org"}
KEYS = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("wang", "li", "zhao", "chen", "stranger")}
# chen has a key and is no approver; stranger's key is not listed.
SIGNERS = "# who may sign\n\n" + "".join(
    f"{name}@example.org {KEYS[name].export_public_key().decode().strip()} {name}\n"
    for name in ("wang", "li", "zhao", "chen")
)
POLICY = {
    "require_approval": True,
    "approvals": 1,
    "approvers": ["wang@example.org", "li@example.org", "zhao@example.org"],
}
TWO = {**POLICY, "approvals": 2}


def mail(name):
    return f"{name}@example.org"


def approval(name="li", key=None, digest=DIGEST, run=RUN, at=AT, expires=EXPIRES):
    return s.sign(KEYS[key or name], digest, run, mail(name), at, expires)


def check(one, plan=PLAN, policy=POLICY, signers=SIGNERS):
    return s.check_approval(one, plan, DIGEST, policy, signers)


def judge(*approvals, policy=POLICY, now=NOW, signers=SIGNERS):
    return s.judge(approvals, PLAN, DIGEST, policy, signers, now)


def refusal(one, **options):
    with pytest.raises(Refused) as caught:
        check(one, **options)
    return str(caught.value)


# -- canonical bytes -----------------------------------------------------------------------------------


def test_keys_sort_by_utf16_as_in_the_example_of_rfc_8785():
    """Section 3.2.3: the emoji's surrogates sort before U+FB33, unlike its code point."""
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    data = s.canonical(value)
    assert [json.loads(data)[key] for key in json.loads(data)] == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert data == rfc8785.dumps(value)


def test_canonical_bytes_and_digest_of_known_text():
    data = s.canonical({"z": [1, True, None], "名": '训练/\u000f"\\', "a": {}})
    assert data == '{"a":{},"z":[1,true,null],"名":"训练/\\u000f\\"\\\\"}'.encode()
    assert s.digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert s.digest(data) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), {1: "x"}])
def test_what_has_no_canonical_form_raises(value):
    with pytest.raises((ValueError, TypeError)):
        s.canonical({"value": value})


# -- one approval ---------------------------------------------------------------------------------------


def test_a_good_approval_counts_and_says_what_was_signed():
    assert check(approval()) == {
        "schema": "urn:suanwang:brain:approval:1",
        "digest": DIGEST,
        "run": RUN,
        "approver": "li@example.org",
        "at": AT,
        "expires": EXPIRES,
    }


def test_a_key_that_is_not_listed():
    text = refusal(approval("li", key="stranger"))
    assert "in the name of li@example.org" in text
    assert "allowed_signers does not know" in text


def test_the_key_of_another_listed_person():
    assert "allowed_signers does not know" in refusal(approval("li", key="zhao"))


def test_the_requester_cannot_approve_although_policy_lists_him():
    text = refusal(approval("wang"))
    assert "wang@example.org asked for this plan and cannot approve it" in text
    assert "It needs 1 of: wang@example.org, li@example.org" in text


def test_a_listed_person_who_is_no_approver():
    assert "chen@example.org is not an approver" in refusal(approval("chen"))


@pytest.mark.parametrize("namespace", ["file", "git", "approval@suanwang2", "approval"])
def test_a_signature_for_another_purpose(namespace):
    text = approval().statement
    signature = asyncssh.create_sshsig(KEYS["li"], text, namespace=namespace)
    assert f"was made for '{namespace}'" in refusal(s.Approval(text, signature))


def test_a_namespace_that_is_changed_after_signing():
    """The armour's own word is not believed: the signature covers it."""
    made = asyncssh.create_sshsig(KEYS["li"], approval().statement, namespace="approval@suanwanG")
    raw = base64.b64decode("".join(made.decode().strip().splitlines()[1:-1]))
    raw = raw.replace(b"approval@suanwanG", b"approval@suanwang")
    forged = f"-----BEGIN SSH SIGNATURE-----\n{base64.b64encode(raw).decode()}\n-----END SSH SIGNATURE-----\n"
    assert "does not fit" in refusal(s.Approval(approval().statement, forged.encode()))


def test_a_statement_changed_after_signing():
    one = approval()
    changed = one.statement.replace(EXPIRES.encode(), b"2036-11-26T03:00:00Z")
    assert changed != one.statement
    assert "does not fit the approved statement" in refusal(s.Approval(changed, one.signature))


def test_a_name_changed_after_signing():
    one = approval("chen")
    changed = one.statement.replace(b"chen@", b"li@")
    assert "allowed_signers does not know" in refusal(s.Approval(changed, one.signature))


def test_the_signature_of_another_statement():
    one, other = approval(), approval(expires="2026-11-27T03:00:00Z")
    assert "does not fit" in refusal(dataclasses.replace(one, signature=other.signature))


@pytest.mark.parametrize("changes", [{"digest": "e" * 64}, {"run": "01kaxc2m7q5v9b3z8d4f6g1h0k"}])
def test_an_approval_of_another_plan(changes):
    assert "the approval of li@example.org is for another plan" in refusal(approval(**changes))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b'{"schema": "urn:suanwang:brain:approval:1"}',
        b'{"schema":"urn:suanwang:brain:approval:2"}',
        b'{"schema":"urn:suanwang:brain:approval:1","x":9007199254740993}',
    ],
)
def test_a_statement_that_does_not_read(data):
    signature = asyncssh.create_sshsig(KEYS["li"], data, namespace=s.NAMESPACE)
    assert "does not read" in refusal(s.Approval(data, signature))


@pytest.mark.parametrize("cut", [0, 1, 30, 100, 200])
def test_half_a_signature(cut):
    one = approval()
    text = refusal(dataclasses.replace(one, signature=one.signature[:cut]))
    assert "is not an OpenSSH signature" in text or "does not fit" in text


def test_one_changed_bit_anywhere_in_the_signature():
    one = approval()
    raw = base64.b64decode("".join(one.signature.decode().strip().splitlines()[1:-1]))
    for place in range(len(raw)):
        bad = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        body = base64.b64encode(bad).decode()
        text = f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"
        refusal(s.Approval(one.statement, text.encode()))


def test_a_key_past_its_time_in_allowed_signers():
    line = f'li@example.org valid-before="20200101" {KEYS["li"].export_public_key().decode()}'
    assert "does not fit" in refusal(approval(), signers=line)


def test_principals_of_a_key_and_of_the_file():
    public = KEYS["li"].export_public_key().decode().strip()
    text = f"# c\n\nli@example.org,li@example.com {public} a comment\nzhao@example.org ssh-ed25519 AAAA\n"
    blob = s.public_blob(KEYS["li"])
    assert s.principals_of(blob, text) == ("li@example.org", "li@example.com")
    assert s.principals_of(blob, "# " + text.splitlines()[2]) == ()
    assert s.principals_of(s.public_blob(KEYS["zhao"]), text) == ()
    assert s.principals_listed(text) == ("li@example.org", "li@example.com", "zhao@example.org")


# -- the judge ------------------------------------------------------------------------------------------


def test_no_approval_is_not_enough():
    assert judge() == s.Verdict((), (), enough=False, expired=False)


def test_one_of_one():
    assert judge(approval()) == s.Verdict(("li@example.org",), (), enough=True, expired=False)


@pytest.mark.parametrize(("now", "expired"), [(NOW, False), ("2026-11-26T02:59:59Z", False), (LATER, True)])
def test_expiry_is_told_apart_from_missing(now, expired):
    verdict = judge(approval(), now=now)
    assert (verdict.enough, verdict.expired) == (True, expired)


def test_two_principals_are_two_approvals():
    verdict = judge(approval("li"), approval("zhao"), policy=TWO)
    assert verdict == s.Verdict(("li@example.org", "zhao@example.org"), (), enough=True, expired=False)


def test_one_principal_twice_is_one_approval():
    second = approval("li", at="2026-11-25T04:00:00Z", expires="2026-11-27T03:00:00Z")
    verdict = judge(approval("li"), second, policy=TWO)
    assert (verdict.approvers, verdict.enough) == (("li@example.org",), False)


def test_one_principal_with_two_keys_is_one_approval():
    signers = SIGNERS + f"li@example.org {KEYS['stranger'].export_public_key().decode()}"
    verdict = judge(approval("li"), approval("li", key="stranger"), policy=TWO, signers=signers)
    assert (verdict.approvers, verdict.enough) == (("li@example.org",), False)


def test_a_renewed_approval_is_fresh_again():
    old, new = approval("li"), approval("li", at=LATER, expires="2026-11-28T03:00:00Z")
    for pair in ((old, new), (new, old)):
        assert judge(*pair, now="2026-11-27T00:00:00Z").expired is False


def test_one_of_two_expired_is_expired():
    verdict = judge(approval("li"), approval("zhao", expires="2026-11-25T04:00:00Z"), policy=TWO)
    assert (verdict.enough, verdict.expired) == (True, True)


def test_bad_ones_are_told_and_do_not_spoil_good_ones():
    verdict = judge(approval("wang"), approval("li"), approval("zhao", digest="e" * 64))
    assert verdict.approvers == ("li@example.org",)
    assert verdict.enough
    assert len(verdict.refusals) == 2
    assert "wang@example.org asked for this plan" in verdict.refusals[0]
    assert "another plan" in verdict.refusals[1]


# -- keys -----------------------------------------------------------------------------------------------


def test_a_key_file_reads_and_signs(tmp_path):
    KEYS["li"].write_private_key(str(tmp_path / "key"))
    key = s.read_key(tmp_path / "key")
    assert check(s.sign(key, DIGEST, RUN, "li@example.org", AT, EXPIRES))
    assert s.key_id(s.public_blob(key)) == hashlib.sha256(KEYS["li"].public_data).hexdigest()[:32]


@pytest.mark.parametrize("text", [None, "not a key", ""])
def test_a_key_file_that_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / "key").write_text(text)
    with pytest.raises(Invalid) as caught:
        s.read_key(tmp_path / "key")
    assert str(tmp_path / "key") in str(caught.value)
    assert caught.value.way_out


def test_a_key_with_a_passphrase_points_at_the_agent(tmp_path):
    command = [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "key"]
    subprocess.run(command, check=True)
    with pytest.raises(Invalid, match="ssh-agent"):
        s.read_key(tmp_path / "key")


# -- the same in OpenSSH --------------------------------------------------------------------------------


def tool(name):
    """Return the path of an OpenSSH program; without it: one skipped line, and a failure in CI."""
    found = shutil.which(name)
    if found:
        return found
    line = f"{name} is not installed; on Debian: apt install openssh-client"
    if os.environ.get("CI"):
        pytest.fail(line)
    return pytest.skip(line)


def openssh_says(folder, one, principal, namespace=s.NAMESPACE, signers=SIGNERS):
    (folder / "signers").write_text(signers)
    (folder / "one.sig").write_bytes(one.signature)
    command = [tool("ssh-keygen"), "-Y", "verify", "-f", "signers", "-n", namespace, "-I", principal]
    done = subprocess.run(
        [*command, "-s", "one.sig"], cwd=folder, input=one.statement, capture_output=True, check=False
    )
    return done.returncode == 0


def we_say(one, signers=SIGNERS):
    try:
        return bool(check(one, signers=signers))
    except Refused:
        return False


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "ssh-rsa"])
def test_openssh_accepts_what_we_sign(tmp_path, kind):
    options = {"key_size": 2048} if kind == "ssh-rsa" else {}
    key = asyncssh.generate_private_key(kind, **options)
    signers = f"li@example.org {key.export_public_key().decode()}"
    one = s.sign(key, DIGEST, RUN, "li@example.org", AT, EXPIRES)
    assert openssh_says(tmp_path, one, "li@example.org", signers=signers)
    assert we_say(one, signers=signers)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_we_accept_what_openssh_signs(tmp_path, kind):
    keygen = tool("ssh-keygen")
    subprocess.run([keygen, "-q", "-t", kind, "-N", "", "-C", "li", "-f", tmp_path / "key"], check=True)
    data = approval().statement
    command = [keygen, "-q", "-Y", "sign", "-f", tmp_path / "key", "-n", s.NAMESPACE]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    signers = "li@example.org " + (tmp_path / "key.pub").read_text()
    assert we_say(s.Approval(data, done.stdout), signers=signers)
    assert not we_say(s.Approval(data.replace(b"dd", b"de", 1), done.stdout), signers=signers)


def _expired_key():
    return f'li@example.org valid-before="20200101" {KEYS["li"].export_public_key().decode()}'


def _key_for_files_only():
    return f'li@example.org namespaces="file" {KEYS["li"].export_public_key().decode()}'


@pytest.mark.parametrize(
    ("case", "make", "signers", "good"),
    [
        ("good", approval, SIGNERS, True),
        ("stranger", lambda: approval("li", key="stranger"), SIGNERS, False),
        ("another's key", lambda: approval("li", key="zhao"), SIGNERS, False),
        ("statement", lambda: s.Approval(approval(at=NOW).statement, approval().signature), SIGNERS, False),
        (
            "namespace",
            lambda: s.Approval(
                approval().statement,
                asyncssh.create_sshsig(KEYS["li"], approval().statement, namespace="file"),
            ),
            SIGNERS,
            False,
        ),
        ("key past its time", approval, _expired_key(), False),
        ("key for files", approval, _key_for_files_only(), False),
        ("no signers", approval, "", False),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_openssh_and_we_agree(tmp_path, case, make, signers, good):
    one = make()
    assert openssh_says(tmp_path, one, "li@example.org", signers=signers) is good, case
    assert we_say(one, signers=signers) is good, case


# -- keys that stay in ssh-agent ------------------------------------------------------------------------


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """A real ssh-agent without keys; yields a function that adds one."""
    # The kernel limits the names of sockets, and pytest's folders are longer.
    short = pathlib.Path(tempfile.mkdtemp(prefix="agent-", dir="/tmp"))
    address = short / "socket"
    process = subprocess.Popen([tool("ssh-agent"), "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(address))

    def add(key):
        path = tmp_path / "key"
        key.write_private_key(str(path))
        path.chmod(0o600)
        subprocess.run([tool("ssh-add"), "-q", str(path)], check=True)
        path.unlink()

    try:
        deadline = time.monotonic() + 10
        while not address.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield add
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(short)


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_a_key_in_the_agent_signs(tmp_path, agent, kind):
    options = {"key_size": 2048} if kind == "ssh-rsa" else {}
    key = asyncssh.generate_private_key(kind, **options)
    signers = f"li@example.org {key.export_public_key().decode()}"
    agent(KEYS["stranger"])
    agent(key)
    found = s.agent_key(signers)
    assert found.public_data == key.public_data
    one = s.sign(found, DIGEST, RUN, "li@example.org", AT, EXPIRES)
    assert we_say(one, signers=signers)
    assert openssh_says(tmp_path, one, "li@example.org", signers=signers)


def test_an_agent_without_a_listed_key(agent):
    agent(KEYS["stranger"])
    with pytest.raises(Invalid, match="ssh-agent holds none that allowed_signers knows"):
        s.agent_key(SIGNERS)


def test_no_agent(monkeypatch, tmp_path):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nobody"))
    with pytest.raises(Invalid, match="-e key=FILE"):
        s.agent_key(SIGNERS)
