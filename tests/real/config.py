"""The config folder of real clusters: the lab's, with plain HTTP, loopback ports, our user and our machine."""

import os
import platform
import pwd
import shutil

import yaml

from tests.lab import keys
from tests.lab.lab import CONFIG
from tests.lab.render import GENERATED
from tests.lab.render import PRINCIPALS

USER = pwd.getpwuid(os.geteuid()).pw_name


def write(slurm):
    """Write the folder `slurm.config` with its credentials, and open the fronts of every site."""
    folder = slurm.config
    shutil.copytree(CONFIG, folder, ignore=lambda _, names: set(names) & {*GENERATED, "sites"})
    (folder / "sites").mkdir()
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    known = []
    for cluster in slurm.sites:
        site = _site(cluster)
        (folder / "sites" / f"{cluster.name}.yml").write_text(yaml.safe_dump(site, allow_unicode=True, sort_keys=False))
        secrets = cluster.folder / "secrets"
        host = keys.ssh_key(secrets / "host", f"{cluster.name} host")
        login = keys.ssh_key(secrets / "login", f"{cluster.name} login")
        known.append(f"[127.0.0.1]:{cluster.ports['login']} {host}\n")
        keys.write_private(credentials / f"{cluster.name}-login", (secrets / "login").read_bytes())
        keys.write_private(credentials / f"{cluster.name}-slurm", cluster.token(lifespan_s=86400).encode() + b"\n")
        cluster.open_fronts(str(secrets / "host"), login)
    (folder / "known_hosts").write_text("".join(known))
    signers = []
    for who in PRINCIPALS:
        public = keys.ssh_key(slurm.folder / "signers" / who, f"{who}@lab.invalid")
        keys.write_private(credentials / who, (slurm.folder / "signers" / who).read_bytes())
        signers.append(f'{who}@lab.invalid namespaces="approval@suanwang" {public}\n')
    (folder / "allowed_signers").write_text("".join(signers))
    tenants = yaml.safe_load((folder / "tenants.yml").read_text())
    for endpoints in tenants["tenants"]["demo"]["sites"].values():
        for account in endpoints.values():
            account["native_user"] = USER
    (folder / "tenants.yml").write_text(yaml.safe_dump(tenants, allow_unicode=True, sort_keys=False))


def _site(cluster):
    site = yaml.safe_load((CONFIG / "sites" / f"{cluster.name}.yml").read_text())
    site["networks"] = {name: ["127.0.0.0/8"] for name in site["networks"]}
    # What watches a site is not of this bring-up.
    site["endpoints"] = [one for one in site["endpoints"] if one["id"] in ("slurm", "login")]
    for endpoint in site["endpoints"]:
        service = "login" if endpoint["protocol"] == "ssh" else "gate"
        endpoint |= {"address": "127.0.0.1", "port": cluster.ports[service], "native_user": USER}
        if service == "gate":
            endpoint["protocol"] = "http"
            del endpoint["tls"]
    for runtime in site["runtimes"]:
        runtime["arch"] = platform.machine()
    return site
