"""A large file, and a folder of small ones, to the lab's login node by `dataset`, against the sftp and rsync programs
on the same path."""

import hashlib
import os
import shutil
import sys
import tarfile

from tests.bench.measure import CommandFailed
from tests.bench.measure import Row
from tests.bench.measure import Skipped
from tests.lab.lab import Lab

MIB = 1 << 20


def measure(bench):
    size, count = (1, 10) if bench.small else (256, 5000)
    large = bench.folder / "large"
    with open(large, "wb") as stream:
        for _mib in range(size):
            stream.write(os.urandom(MIB))
    folder = bench.folder / "folder"
    for number in range(count):
        path = folder / f"{number % 50}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096))
    nothing = bench.folder / "nothing"
    nothing.touch()
    with Lab(bench.folder / "lab", sites=["hunan"]) as lab:
        note = "an empty file's cost is subtracted from both; ours takes SHA-256 at both ends, the peers do not"
        yield from _measured(bench, lab, nothing, large, f"{size} MiB by dataset", note)
        note = "ours is one archive, made here and checked there, which the job unpacks; the peers' are files at once"
        yield from _measured(bench, lab, nothing, folder, f"{count} files of 4 KiB by dataset", note)


def _measured(bench, lab, nothing, source, what, note):
    site = lab.site("hunan")

    def clean(_number):
        shutil.rmtree(site.home / "brain" / "bench", ignore_errors=True)
        (site.home / "brain" / "bench").mkdir(parents=True)

    def net(command):
        """Return the cost without that of an empty file, which is the connection's and the program's start."""
        empty = bench.cost(*command(nothing), prepare=clean)
        found = bench.cost(*command(source), prepare=clean)
        _arrived(site, source)
        return found.over(empty)

    ours = net(lambda path: (sys.executable, "-m", "tests.bench.putting", lab.config, path))
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
    """Return {program: function of path → command}; the host key and the login are the same that we use."""
    endpoint = next(one for one in lab.site("hunan").need["endpoints"] if one["protocol"] == "ssh")
    options = [
        "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
        "-o", f"UserKnownHostsFile={lab.config / 'known_hosts'}",
        "-o", f"IdentityFile={lab.config / 'credentials' / 'hunan-login'}",
    ]  # fmt: skip
    remote = f"brain@{endpoint['address']}"
    shell = " ".join(["ssh", "-p", str(endpoint["port"]), *options])

    def sftp(path):
        batch = bench.folder / "batch"
        batch.write_text(f"put -R {path} brain/bench/there\n" if path.is_dir() else f"put {path} brain/bench/there\n")
        return ["sftp", *options, "-q", "-P", endpoint["port"], "-b", batch, remote]

    def rsync(path):
        return ["rsync", "-r", "--whole-file", "-e", shell, path, f"{remote}:brain/bench/there"]

    return {"sftp": sftp, "rsync": rsync}


def _arrived(site, source):
    """Check what arrived: the same bytes, as a file, a folder or the archive of one."""
    there = site.home / "brain" / "bench" / "there"
    if there.is_dir():
        same = sum(1 for path in there.rglob("*") if path.is_file()) == sum(1 for p in source.rglob("*") if p.is_file())
    elif source.is_dir():
        with tarfile.open(there) as archive:
            same = sum(entry.isfile() for entry in archive) == sum(1 for p in source.rglob("*") if p.is_file())
    else:
        same = _digest(there) == _digest(source)
    if not same:
        raise CommandFailed("what arrived is something else")


def _digest(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
