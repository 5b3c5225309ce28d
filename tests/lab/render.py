"""Writes a config folder that a client can use: the site files with real ports, and the lab's secrets.

``ports="committed"`` adds the secrets to the source folder itself; ``ports="free"`` makes a copy with every
endpoint port replaced, so that labs run side by side. Text is replaced rather than YAML dumped again: comments
and line numbers of the site files stay.
"""

import json
import os
import random
import re
import secrets as secrets_
import shutil
import socket
from pathlib import Path

import yaml

from tests.lab import keys
from tests.lab.openstack import spec as cloud

GENERATED = ("credentials", "ca.pem", "known_hosts", "allowed_signers")
PRINCIPALS = ("requester", "approver", "webhook")
#: who may log in on the page of the lab's approval service, as what
PEOPLE = {"requester": ["requester"], "approver": ["approver"], "operator": ["operator", "auditor", "admin"]}
PORT = re.compile(r"(\bport:\s*)(\d+)")
HARDWARE = yaml.safe_load(Path(__file__).with_name("sites.yml").read_text())
#: endpoints with a process of their own: "<site>/<endpoint>" → hardware
APART = {
    name: {**row, "module": f"tests.lab.{kind}"}
    for kind in ("donau", "openstack", "profiled")
    for name, row in yaml.safe_load((Path(__file__).parent / kind / "hardware.yml").read_text()).items()
}


def site_files(source: Path, wanted=None) -> dict[str, Path]:
    """Return site name → file for the lab sites of a config folder, `wanted` only if given."""
    found = {}
    for path in sorted((source / "sites").glob("*.yml")):
        site = yaml.safe_load(path.read_text())
        if wanted is None or site["site"] in wanted:
            if not site.get("lab"):
                raise ValueError(f"{path}: not a lab site (lab: true is missing)")
            if not any(name.partition("/")[0] == site["site"] for name in (*HARDWARE, *APART)):
                raise ValueError(f"{path}: sites.yml of the lab has no row {site['site']!r}")
            found[site["site"]] = path
    missing = set(wanted or ()) - set(found)
    if missing or not found:
        raise ValueError(f"{source}: no site file for {sorted(missing) or 'any site'}")
    return found


def processes(source: Path, wanted=None, more: Path | None = None) -> set[str]:
    """Return the names of the processes that serve a config folder: a site, or an endpoint that has one of its own."""
    found = set()
    for folder in filter(None, (source, more)):
        for path in (folder / "sites").glob("*.yml"):
            if wanted is None or path.stem in wanted:
                names = {f"{path.stem}/{row['id']}" for row in yaml.safe_load(path.read_text())["endpoints"]}
                found |= names & set(APART) | ({path.stem} if names - set(APART) else set())
    return found


def laid_over(base, more):
    """Return a document with another one laid over it: mappings by key, lists one behind the other."""
    if isinstance(base, dict) and isinstance(more, dict):
        return {**base, **{key: laid_over(base.get(key), value) for key, value in more.items()}}
    return base + more if isinstance(base, list) and isinstance(more, list) else more


def free_port(taken: set[int]) -> int:
    """Return a port below 32768 (above it the kernel hands out client ports) that nobody has at any address now."""
    # Test workers draw from parts of their own: between the look here and a server's start another might take it.
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
    for _ in range(200):
        port = random.randrange(10000 + part * 2750, 10000 + (part + 1) * 2750)
        if port not in taken and bindable(port):
            taken.add(port)
            return port
    raise OSError("no free port for the lab")


def bindable(port: int) -> bool:
    """Tell whether a port is free at all addresses: what a port is of, an endpoint or its private side, varies."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def copy_with_free_ports(source: Path, target: Path, remembered: dict, more: Path | None = None) -> dict:
    """Copy `source`, and `more` over it, to `target` with free ports; returns {"site port": free port}.

    `remembered` ports of an earlier start are taken again while they are free: what a client remembers stays true.
    """
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=lambda _, names: set(names) & {*GENERATED, "more"})
    for path in more.rglob("*.yml") if more else ():
        file = target / path.relative_to(more)
        base = yaml.safe_load(file.read_text()) if file.exists() else None
        whole = laid_over(base, yaml.safe_load(path.read_text()))
        file.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False))
    ports, taken = {}, set()
    for path in sorted((target / "sites").glob("*.yml")):
        text = path.read_text()
        site = yaml.safe_load(text)

        def replace(match, site=site["site"]):
            if int(match[2]) < 1024:
                return match[0]  # of a machine on the private side, which nobody binds here
            name = f"{site} {match[2]}"
            if name not in ports:
                old = remembered.get(name)
                if old and old not in taken and bindable(old):
                    taken.add(old)
                    ports[name] = old
                else:
                    ports[name] = free_port(taken)
            return f"{match[1]}{ports[name]}"

        path.write_text(PORT.sub(replace, text))
    return ports


def _row(endpoint: dict) -> dict:
    """Return where a process serves an endpoint: at its address, or behind it where the site file says so."""
    found = {key: endpoint.get(key) for key in ("id", "protocol", "address", "port", "platform")}
    return {**found, "behind": [[place["address"], place["port"]] for place in endpoint.get("behind", ())]}


def _apart(authority, folder: Path, credentials: Path, endpoint: dict) -> dict:
    """Return what the process of one endpoint needs; its secret is random, made once, and the client's credential."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = folder / "secret"
    if not secret.exists():
        words = [random.SystemRandom().randbytes(12).hex() for _ in range(2)]
        keys.write_private(secret, ":".join(words).encode() + b"\n")
    keys.write_private(credentials / endpoint["credential"], secret.read_bytes())
    pair = authority.serve(endpoint["tls"]["server_name"], endpoint["address"], folder)
    row = _row(endpoint)
    return {"secret": str(secret), "endpoints": [{**row, "certificate": str(pair[0]), "key": str(pair[1])}]}


def _apart_login(folder: Path, credentials: Path, endpoint: dict, known: list[str]) -> dict:
    """Return what the process of one login node needs; its host key goes to `known`."""
    host = keys.ssh_key(folder / "ssh_host_ed25519_key", f"{endpoint['id']} host")
    login = keys.ssh_key(folder / "login", f"{endpoint['id']} login")
    known.append(f"[{endpoint['address']}]:{endpoint['port']} {host}")
    keys.write_private(credentials / endpoint["credential"], (folder / "login").read_bytes())
    return {"endpoints": [_row(endpoint)], "host_key": str(folder / "ssh_host_ed25519_key"), "authorized_key": login}


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, and only if its text changes."""
    if path.exists() and path.read_text() == text:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def secrets_into(config: Path, secrets: Path, sites: dict[str, Path]) -> dict[str, dict]:
    """Write CA, known_hosts, allowed_signers and credentials; return site → what its process needs."""
    authority = keys.Authority(secrets)
    credentials = config / "credentials"
    credentials.mkdir(mode=0o700, exist_ok=True)
    credentials.chmod(0o700)
    known, needs = [], {}
    for name, path in sites.items():
        site = yaml.safe_load(path.read_text())
        folder = secrets / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        jwt_key = keys.jwt_key(folder / "jwt_hs256.key")
        host = keys.ssh_key(folder / "ssh_host_ed25519_key", f"{name} host")
        login = keys.ssh_key(folder / "login", f"{name} login")
        needs[name] = {"endpoints": [], "host_key": str(folder / "ssh_host_ed25519_key"),
                       "authorized_key": login, "jwt_key": str(folder / "jwt_hs256.key")}  # fmt: skip
        for endpoint in site["endpoints"]:
            apart = f"{name}/{endpoint['id']}"
            if apart in APART:
                place = secrets / name / endpoint["id"]
                if endpoint["protocol"] == "ssh":
                    needs[apart] = _apart_login(place, credentials, endpoint, known)
                elif endpoint["platform"] == "openstack":
                    needs[apart] = cloud.need(authority, place, credentials, endpoint, site["address_map"])
                else:
                    needs[apart] = _apart(authority, place, credentials, endpoint)
                needs[apart]["module"] = APART[apart]["module"]
                continue
            address, port = endpoint["address"], endpoint["port"]
            need = _row(endpoint)
            credential = credentials / endpoint["credential"]
            if endpoint["protocol"] == "ssh":
                known.append(f"[{address}]:{port} {host}" if port != 22 else f"{address} {host}")
                keys.write_private(credential, (folder / "login").read_bytes())
            else:
                server_name = endpoint["tls"]["server_name"]
                pair = authority.serve(server_name, address, folder)
                need["certificate"], need["key"] = map(str, pair)
                token = keys.mint_jwt(jwt_key, endpoint["native_user"])
                keys.write_private(credential, token.encode() + b"\n")
            needs[name]["endpoints"].append(need)
        if not needs[name]["endpoints"]:
            del needs[name]
    _write(config / "ca.pem", authority.certificate_path.read_text())
    _write(config / "known_hosts", "".join(f"{line}\n" for line in known))
    signers = []
    for who in PRINCIPALS:
        public = keys.ssh_key(secrets / who, f"{who}@lab.invalid")
        name = "webhook-signer" if who == "webhook" else who
        keys.write_private(credentials / name, (secrets / who).read_bytes())
        signers.append(f'{who}@lab.invalid namespaces="approval@suanwang" {public}\n')
    _write(config / "allowed_signers", "".join(signers))
    keys.write_private(credentials / "webhook-people", _people(secrets / "people.json").encode())
    return needs


def _people(kept: Path) -> str:
    """Return the people of the lab's page with their passwords, the same ones at every start."""
    if not kept.exists():
        people = {
            f"{who}@lab.invalid": {"name": who.capitalize(), "roles": roles, "tenants": ["*"],
                                   "password": secrets_.token_urlsafe(9)}
            for who, roles in PEOPLE.items()
        }  # fmt: skip
        keys.write_private(kept, json.dumps(people, indent=1).encode())
    return kept.read_text()
