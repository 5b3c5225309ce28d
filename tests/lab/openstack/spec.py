"""What the process of a cloud needs, from the endpoint and the address map of its site file."""

import json
import secrets
from pathlib import Path

import yaml

from tests.lab import keys

ROWS = yaml.safe_load(Path(__file__).with_name("hardware.yml").read_text())["hunan/cloud"]
#: behind the address translation: the services at one address, in this order of their ports, and the machines
SERVICES = ("keystone", "nova", "placement", "glance", "neutron")
PRIVATE, SUBNET = "10.30.0.5", "10.30.8."


def need(authority, folder, credentials, endpoint, address_map):
    """Return what the process needs; its passwords are random, made once, and the client's credentials."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = folder / "passwords.json"
    if not kept.exists():
        keys.write_private(kept, json.dumps({user: secrets.token_urlsafe(12) for user in ("brain", "demo")}).encode())
    passwords = json.loads(kept.read_text())
    for name, user in ((endpoint["credential"], "brain"), (f"{endpoint['credential']}-demo", "demo")):
        keys.write_private(credentials / name, passwords[user].encode())
    # Whom machines let in: one key for all, as the site file says.
    keys.ssh_key(folder / "machines_login", "machines")
    keys.write_private(credentials / endpoint["machines"]["credential"], (folder / "machines_login").read_bytes())
    certificate, key = map(str, authority.serve(endpoint["tls"]["server_name"], endpoint["address"], folder))
    rows = [row for row in address_map if row["private"]["address"] == PRIVATE]
    row = {name: endpoint[name] for name in ("id", "protocol", "address", "port", "platform")}
    return {
        "endpoints": [{**row, "certificate": certificate, "key": key}],
        "services": [
            {"service": name, "address": tuple(one["public"].values()), "private": tuple(one["private"].values())}
            for name, one in zip(SERVICES, rows, strict=True)
        ],
        "slots": [row for row in address_map if row["private"]["address"].startswith(SUBNET)],
        "users": {
            "brain": {"password": passwords["brain"], "projects": ["admin"], "admin": True},
            "demo": {"password": passwords["demo"], "projects": ["demo"]},
        },
        "certificate": certificate,
        "key": key,
    }
