"""A large file to the lab's login node by `dataset`, against the sftp and rsync programs on the same path."""

import hashlib
import os
import shutil
import sys

from tests.bench.measure import CommandFailed
from tests.bench.measure import Row
from tests.bench.measure import Skipped
from tests.lab.lab import Lab

MIB = 1 << 20


def measure(bench):
    size = (1 if bench.small else 64) * MIB
    source = bench.folder / "source"
    source.write_bytes(os.urandom(size))
    nothing = bench.folder / "nothing"
    nothing.touch()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    with Lab(bench.folder / "lab", sites=["hunan"]) as lab:
        site = lab.site("hunan")

        def clean(_number):
            shutil.rmtree(site.home / "brain" / "bench", ignore_errors=True)
            (site.home / "brain" / "bench").mkdir(parents=True)

        def cost(command, path, sha256):
            found = bench.cost(*command(path, sha256), prepare=clean)
            _same(site, sha256)
            return found

        def net(command):
            """Return the cost without that of an empty file, which is the connection's and the program's start."""
            empty = cost(command, nothing, hashlib.sha256().hexdigest())
            return cost(command, source, digest).over(empty)

        ours = net(lambda path, sha256: (sys.executable, "-m", "tests.bench.putting", lab.config, path, sha256))
        what = f"{size // MIB} MiB by dataset"
        note = "an empty file's cost is subtracted from both; ours takes SHA-256 at both ends, the peer does not"
        for name, command in _peers(bench, lab).items():
            if not shutil.which(name):
                yield Skipped("transfer", f"{name} is not installed: apt install {_PACKAGE[name]}")
                continue
            try:
                peer = net(command)
            except CommandFailed as error:
                yield Skipped("transfer", f"{name} does not work on this path: {str(error).splitlines()[-1]}")
                continue
            yield Row("transfer", what, ours.cpu, name, peer.cpu, note=note)
            yield Row("transfer", what, ours.wall, name, peer.wall, "wall s")


_PACKAGE = {"sftp": "openssh-client", "rsync": "rsync"}


def _peers(bench, lab):
    """Return {program: function of (path, sha256) → command}; the host key and the login are the same that we use."""
    endpoint = next(one for one in lab.site("hunan").need["endpoints"] if one["protocol"] == "ssh")
    options = [
        "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
        "-o", f"UserKnownHostsFile={lab.config / 'known_hosts'}",
        "-o", f"IdentityFile={lab.config / 'credentials' / 'hunan-login'}",
    ]  # fmt: skip
    remote = f"brain@{endpoint['address']}"
    shell = " ".join(["ssh", "-p", str(endpoint["port"]), *options])

    def sftp(path, _sha256):
        batch = bench.folder / "batch"
        batch.write_text(f"put {path} brain/bench/there\n")
        return ["sftp", *options, "-q", "-P", endpoint["port"], "-b", batch, remote]

    def rsync(path, _sha256):
        return ["rsync", "--whole-file", "-e", shell, path, f"{remote}:brain/bench/there"]

    return {"sftp": sftp, "rsync": rsync}


def _same(site, digest):
    found = hashlib.sha256((site.home / "brain" / "bench" / "there").read_bytes()).hexdigest()
    if found != digest:
        raise CommandFailed("the file that arrived is another one")
