"""Two sites behind address translation, a campus and the internet between them, in namespaces of an ordinary user.

    here 10.1.0.5 -- campus 10.1.0.1 | 198.51.100.2 -- internet 198.51.100.1 ==line== edge 203.0.113.x | 192.168.10.1
                                                                                       -- nodes 192.168.10.5

Both sites have the same private addresses. Has to run inside `INSIDE`; everything ends with that process.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.lab import keys
from tests.real.network.delayline import offload_off

#: what makes the room, for a user without rights: own users, network, mounts and processes
INSIDE = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--")
PROGRAMS = ("unshare", "nsenter", "ip", "nft")
CHECKOUT = Path(__file__).resolve().parents[3]
PRIVATE, PUBLIC_PORT, SILENT_PORT, EMPTY_PORT = "192.168.10.5", 18443, 18444, 18445
#: site → (public address, the internet's side of its line)
SITES = {"hangzhou-b": ("203.0.113.6", "203.0.113.5"), "hangzhou-c": ("203.0.113.10", "203.0.113.9")}
CAMPUS, INTERNET = "10.1.0.1", "198.51.100.1"
EDGE = f"""
table ip edge {{
  chain pre {{ type nat hook prerouting priority dstnat;
    iifname "wan" tcp dport {PUBLIC_PORT} dnat to {PRIVATE} : numgen inc mod 2 map {{ 0 : 8081, 1 : 8082 }}
    iifname "wan" tcp dport {EMPTY_PORT} dnat to {PRIVATE}:9
  }}
  chain post {{ type nat hook postrouting priority srcnat; oifname "wan" masquerade; }}
  chain in {{ type filter hook input priority filter; iifname "wan" meta l4proto tcp drop; }}
}}
"""
CAMPUS_NAT = """
table ip campus {
  chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
"""


def why_not():
    """Return why there are no such rooms here, in one line; None where there are."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path())]
    if missing:
        return f"no {', '.join(missing)}: on Debian: apt install iproute2 nftables util-linux"
    tried = "mount -t tmpfs none /run && ip netns add t && ip -n t link add v type veth peer name w && nft list ruleset"
    done = subprocess.run([*INSIDE, "sh", "-c", tried], env={"PATH": path()}, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        return f"the kernel lets no ordinary user make network namespaces ({said}); see unprivileged_userns_clone"
    return None


def path():
    """Return a PATH with the folders of the system's programs."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def within(name, *command, text=None):
    """Run a command in a namespace; None: here."""
    return run(*(("nsenter", f"--net=/run/netns/{name}") if name else ()), *command, text=text)


class Process:
    """A program of ours in a namespace that says `ready` first and takes lines on its standard input."""

    def __init__(self, namespace, *arguments):
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{namespace}", sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n", arguments

    def say(self, **words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


class Topology:
    """folder: for certificates and the config folder, `config`. lines: site → its delay line."""

    def __init__(self, folder):
        self.folder, self.config, self.lines, self.servers = Path(folder), Path(folder) / "config", {}, []
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        self._join((None, "wan", "10.1.0.5/24"), ("campus", "lan", f"{CAMPUS}/24"))
        self._join(("campus", "wan", "198.51.100.2/24"), ("internet", "campus", f"{INTERNET}/24"))
        run("ip", "route", "add", "default", "via", CAMPUS)
        within("campus", "ip", "route", "add", "default", "via", INTERNET)
        within("campus", "nft", "-f", "-", text=CAMPUS_NAT)
        authority = keys.Authority(self.folder)
        for site, (public, inner) in SITES.items():
            self._site(site, public, inner, authority)
        for name in ("campus", "internet", *SITES):
            within(name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self._configure(authority)

    def _site(self, site, public, inner, authority):
        tail = site[-1]
        self._join(("internet", f"to-{tail}", f"{inner}/30"), (f"line-{tail}", "left", None), line=True)
        self._join((site, "wan", f"{public}/30"), (f"line-{tail}", "right", None), line=True)
        self._join((site, "lan", "192.168.10.1/24"), (f"nodes-{tail}", "lan", f"{PRIVATE}/24"))
        within(site, "ip", "route", "add", "default", "via", inner)
        within(f"nodes-{tail}", "ip", "route", "add", "default", "via", "192.168.10.1")
        within(site, "nft", "-f", "-", text=EDGE)
        self.lines[site] = Process(f"line-{tail}", "tests.real.network.delayline", "left", "right")
        certificate, key = authority.serve(f"{site}.lab.invalid", public, self.folder / site)
        Path(certificate).parent.joinpath("certificate.pem").write_bytes(Path(certificate).read_bytes())
        Path(key).parent.joinpath("key.pem").write_bytes(Path(key).read_bytes())
        place = str(Path(certificate).parent)
        self.servers.append(Process(f"nodes-{tail}", "tests.real.network.server", site, place, PRIVATE))

    def _join(self, one, two, line=False):
        """Put a cable between two namespaces, each (name or None, interface, address or None)."""
        run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
        if line:
            offload_off("one")
        for end, (name, interface, address) in zip(("one", "two"), (one, two), strict=True):
            if name and not Path("/run/netns", name).exists():
                run("ip", "netns", "add", name)
                within(name, "ip", "link", "set", "lo", "up")
            if name:
                run("ip", "link", "set", end, "netns", name)
            within(name, "ip", "link", "set", end, "name", interface)
            if address:
                within(name, "ip", "address", "add", address, "dev", interface)
            within(name, "ip", "link", "set", interface, "up")

    def _configure(self, authority):
        (self.config / "sites").mkdir(parents=True)
        for name in ("policy.yml", "tenants.yml", "links.yml"):
            shutil.copy(CHECKOUT / "config" / "lab" / name, self.config)
        (self.config / "links.yml").write_text("links: []\n")
        (self.config / "tenants.yml").write_text("tenants: {}\n")
        (self.config / "ca.pem").write_bytes(Path(authority.certificate_path).read_bytes())
        for site, (public, _inner) in SITES.items():
            rows = [("api", PUBLIC_PORT), ("silent", SILENT_PORT), ("empty", EMPTY_PORT)]
            endpoints = [
                {"id": name, "protocol": "https", "via": "internet", "address": public, "port": port,
                 "behind": [{"address": PRIVATE, "port": node} for node in (8081, 8082)],
                 "tls": {"ca_bundle": "ca.pem", "server_name": f"{site}.lab.invalid"}}
                for name, port in rows
            ]  # fmt: skip
            text = {
                "site": site,
                "name": {"en": site, "zh": site},
                "lab": True,
                "networks": {"internet": [f"{public}/32"]},
                "address_map": [{"private": {"address": PRIVATE, "port": 8443},
                                 "public": {"address": public, "port": PUBLIC_PORT}}],
                "endpoints": endpoints,
            }  # fmt: skip
            (self.config / "sites" / f"{site}.yml").write_text(yaml.safe_dump(text))

    def line(self, site, delay_ms=0, cut=False):
        self.lines[site].say(delay_ms=delay_ms, cut=cut)
