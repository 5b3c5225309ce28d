# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical bytes, digest, and approvals as OpenSSH signatures over a statement.

The plan's bytes are RFC 8785 (JSON Canonicalization Scheme); its digest is their SHA-256. An approval is a
canonical statement {schema, digest, run, approver, at, expires}, with `service` where one signed for the approver and
`rules` where no person did but policy.yml, under an SSHSIG (OpenSSH PROTOCOL.sshsig) of namespace
``approval@suanwang``. ``ssh-keygen -Y verify -n approval@suanwang`` says the same.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
from dataclasses import dataclass

from ..module_utils.errors import Invalid
from ..module_utils.errors import Refused
from . import autoapproval
from . import clock

try:
    import asyncssh
    import rfc8785
except ImportError:  # ansible-test imports this file without our requirements
    asyncssh = rfc8785 = None

NAMESPACE = "approval@suanwang"
SCHEMA = "urn:suanwang:brain:approval:1"


def canonical(value):
    """Return RFC 8785 bytes of JSON types."""
    return rfc8785.dumps(value)


def digest(data):
    """Return the SHA-256 of bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Approval:
    """One signed statement: its bytes, its armoured signature, and the principal it names."""

    statement: bytes
    signature: bytes

    @property
    def claims(self):
        """Return the statement's fields; raise Refused where they do not read."""
        try:
            claims = json.loads(self.statement)
            if claims["schema"] != SCHEMA or canonical(claims) != self.statement:
                raise ValueError("not a canonical approval statement")
            if not all(isinstance(claims[key], str) for key in ("digest", "run", "approver")):
                raise ValueError("digest, run and approver must be text")
            if not isinstance(claims.get("service", ""), str):
                raise ValueError("service must be text")
            clock.moment(claims["at"])
            clock.moment(claims["expires"])
            return claims
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused(f"an approval of this plan does not read: {error}.") from error


def rules_hash(policy):
    """Return the SHA-256 of what policy.yml says under `auto_approve`."""
    return digest(json.dumps(policy.get("auto_approve"), sort_keys=True, ensure_ascii=False).encode())


def sign(key, plan_digest, run, approver, at, expires, service=None, rules=None):
    """Return the Approval of a plan by `key`, an asyncssh private key or an AgentKey.

    service: the principal of `key` where it is a service's, which vouches that the approver said so on its page.
    rules: rules_hash of the policy where the approver is autoapproval.APPROVER.
    """
    claims = {
        "schema": SCHEMA,
        "digest": plan_digest,
        "run": run,
        "approver": approver,
        "at": at,
        "expires": expires,
    }
    if service is not None:
        claims["service"] = service
    if rules is not None:
        claims["rules"] = rules
    statement = canonical(claims)
    if isinstance(key, AgentKey):
        return Approval(statement, key.sshsig(statement))
    return Approval(statement, asyncssh.create_sshsig(key, statement, namespace=NAMESPACE))


def read_key(path):
    """Return the private key in an OpenSSH file."""
    try:
        return asyncssh.read_private_key(str(path))
    except OSError as error:
        raise Invalid(
            f"the key file {path} cannot be read: {error.strerror}.",
            way_out="Name an OpenSSH private key with -e key=FILE.",
        ) from error
    except asyncssh.KeyImportError as error:
        raise Invalid(
            f"{path} is not an OpenSSH private key without passphrase.",
            way_out="Load it into ssh-agent and leave `key` out, or name another file.",
        ) from error


def agent_key(allowed_signers):
    """Return an AgentKey for the first key of ssh-agent that allowed_signers knows; hardware keys work this way."""

    async def first():
        async with asyncssh.connect_agent() as agent:
            for pair in await agent.get_keys():
                if principals_of(pair.public_data, allowed_signers):
                    return AgentKey(pair.public_data)
        return None

    try:
        found = asyncio.run(first())
    except OSError:
        found = None
    if found is None:
        raise Invalid(
            "no key is named, and ssh-agent holds none that allowed_signers knows.",
            way_out="Name an OpenSSH private key with -e key=FILE.",
        )
    return found


@dataclass(frozen=True)
class AgentKey:
    """A key whose private half stays in ssh-agent."""

    public_data: bytes

    def sshsig(self, data):
        """Return the armoured SSHSIG of data, made by the agent (PROTOCOL.sshsig, hash sha512)."""

        def text(value):
            return struct.pack(">I", len(value)) + value

        head = text(NAMESPACE.encode()) + text(b"") + text(b"sha512")
        to_sign = b"SSHSIG" + head + text(hashlib.sha512(data).digest())

        async def ask():
            async with asyncssh.connect_agent() as agent:
                for pair in await agent.get_keys():
                    if pair.public_data == self.public_data:
                        if pair.sig_algorithm == b"ssh-rsa":
                            pair.set_sig_algorithm(b"rsa-sha2-512")
                        return await pair.sign_async(to_sign)
            raise Invalid("the key is no longer in ssh-agent.", way_out="Add it with ssh-add.")

        body = b"SSHSIG" + struct.pack(">I", 1) + text(self.public_data) + head
        raw = base64.b64encode(body + text(asyncio.run(ask()))).decode("ascii")
        lines = [raw[at : at + 70] for at in range(0, len(raw), 70)]
        armour = ["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]
        return "\n".join(armour).encode("ascii")


def fingerprint(key):
    """Return the fingerprint of a key as ssh-keygen -l prints it."""
    digest_ = base64.b64encode(hashlib.sha256(public_blob(key)).digest()).decode().rstrip("=")
    return f"SHA256:{digest_}"


def public_blob(key):
    """Return the public key bytes of an asyncssh key or key pair."""
    return key.public_data


def key_id(blob):
    """Return the name of a public key in file names: first 32 hex digits of its SHA-256."""
    return hashlib.sha256(blob).hexdigest()[:32]


def signature_parts(signature):
    """Return (public key bytes, namespace) of an armoured SSHSIG; raise Refused where it is none."""
    try:
        lines = signature.decode("ascii").strip().splitlines()
        if lines[0] != "-----BEGIN SSH SIGNATURE-----":
            raise ValueError("no armour")
        raw = base64.b64decode("".join(lines[1:-1]), validate=True)
        if raw[:6] != b"SSHSIG" or struct.unpack(">I", raw[6:10])[0] != 1:
            raise ValueError("no SSHSIG of version 1")
        fields, rest = [], raw[10:]
        for _unused in range(2):
            length = struct.unpack(">I", rest[:4])[0]
            fields.append(rest[4 : 4 + length])
            rest = rest[4 + length :]
        return fields[0], fields[1].decode("utf-8")
    except (ValueError, IndexError, struct.error) as error:
        raise Refused(f"a signature of this plan is not an OpenSSH signature: {error}.") from error


def principals_of(blob, allowed_signers):
    """Return the principals that stand beside a public key in the text of an allowed_signers file."""
    encoded = base64.b64encode(blob).decode("ascii")
    found = []
    for line in allowed_signers.splitlines():
        words = line.split()
        if words and not line.startswith("#") and encoded in words[1:]:
            found.extend(name for name in words[0].split(",") if name not in found)
    return tuple(found)


def principals_listed(allowed_signers):
    """Return every principal that an allowed_signers file names."""
    found = []
    for line in allowed_signers.splitlines():
        if line.strip() and not line.startswith("#"):
            found.extend(name for name in line.split()[0].split(",") if name not in found)
    return tuple(found)


def _holds(approval, principal, allowed_signers):
    try:
        return asyncssh.validate_sshsig(
            approval.statement,
            approval.signature,
            principal,
            asyncssh.import_allowed_signers(allowed_signers),
        )
    except (ValueError, asyncssh.Error):
        return False


def check_approval(approval, plan, plan_digest, policy, allowed_signers):
    """Return the claims of an approval that counts, or raise Refused with the reason it does not."""
    blob, namespace = signature_parts(approval.signature)
    claims = approval.claims
    who = str(claims.get("approver", ""))
    signer = claims.get("service", who)
    if namespace != NAMESPACE:
        raise Refused(f"the signature of {who} was made for {namespace!r}, not for {NAMESPACE!r}.")
    if claims.get("digest") != plan_digest or claims.get("run") != plan["run"]:
        raise Refused(f"the approval of {who} is for another plan.")
    if signer != who and signer not in policy.get("services", ()):
        raise Refused(
            f"{signer} signed for {who}, and is no service of policy.yml.",
            way_out="Add it to `services` there, or have the approver sign.",
        )
    if signer not in principals_of(blob, allowed_signers):
        raise Refused(
            f"the signature in the name of {who} is by a key that allowed_signers does not know.",
            way_out="Have an approver of policy.yml sign, or add the key to allowed_signers.",
        )
    if who == autoapproval.APPROVER:
        _check_rules(claims, plan, policy)
    elif who not in policy["approvers"]:
        raise Refused(f"{who} is not an approver in policy.yml.", way_out=_who_may(policy))
    if plan["requester"] in (who, *principals_of(blob, allowed_signers)):
        raise Refused(f"{plan['requester']} asked for this plan and cannot approve it.", way_out=_who_may(policy))
    if not _holds(approval, signer, allowed_signers):
        raise Refused(f"the signature of {who} does not fit the approved statement.")
    return claims


def _check_rules(claims, plan, policy):
    if "service" not in claims or claims.get("rules") != rules_hash(policy):
        raise Refused(
            "auto_approve of policy.yml is not what it was when it approved this plan.", way_out=_who_may(policy)
        )
    why_not = autoapproval.refusals(plan, policy)
    if why_not:
        raise Refused(f"policy.yml does not approve this plan: {'; '.join(why_not)}.", way_out=_who_may(policy))


def _who_may(policy):
    return f"It needs {policy['approvals']} of: {', '.join(policy['approvers'])}."


@dataclass(frozen=True)
class Verdict:
    """approvers: principals whose approvals count; refusals: a sentence for each that does not.

    enough: as many as policy asks for, or the policy itself.
    expired: enough were given, but too long ago to start components.
    """

    approvers: tuple[str, ...]
    refusals: tuple[str, ...]
    enough: bool
    expired: bool


def valid_until(plan, policy, at):
    """Return until when an approval given at that time lasts: policy.yml's hours, from when the plan may start on."""
    opens = plan.get("window", {}).get("not_before", at)
    return clock.after(max(at, opens), 3600 * policy.get("approval_valid_h", 24))


def judge(approvals, plan, plan_digest, policy, allowed_signers, now):
    """Return the Verdict over all approvals of a plan. now: RFC 3339 text."""
    valid, fresh, refusals = {}, set(), []
    for approval in approvals:
        try:
            claims = check_approval(approval, plan, plan_digest, policy, allowed_signers)
        except Refused as error:
            refusals.append(str(error))
            continue
        # One key is one approver, however many names stand beside it; a service's key vouches for several.
        key = key_id(signature_parts(approval.signature)[0])
        if "service" in claims:
            key = f"{key} for {claims['approver']}"
        if claims["approver"] in (name for other, name in valid.items() if other != key):
            continue
        valid.setdefault(key, claims["approver"])
        if now < min(claims["expires"], valid_until(plan, policy, claims["at"])):
            fresh.add(key)
    # The policy's own approval stands for all that it asks for, and people's count without it.
    people = [key for key, name in valid.items() if name != autoapproval.APPROVER]
    by_policy = [key for key in valid if key not in people]
    needed = policy["approvals"]
    enough = bool(by_policy) or len(people) >= needed
    in_time = bool(fresh.intersection(by_policy)) or len(fresh.intersection(people)) >= needed
    return Verdict(tuple(valid.values()), tuple(refusals), enough, enough and not in_time)
