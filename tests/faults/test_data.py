"""Data between here and a site: continued after anything, moved once, at the plan's rate, in flat memory."""

import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import VERBS
from tests.faults import bench
from tests.playbooks.project import Project
from tests.playbooks.project import write_task

MIB = 1024 * 1024
SITE = "hunan"
NAME = "数据 集/第 1 部分 (a).bin"

#: A sender in a process of its own: config, source, path, kbit/s or 0. Prints its peak memory in KiB, before and after.
SENDER = """\
import re, sys
from ansible_collections.suanwang.brain.plugins.module_utils import sites
config, source, path, rate = sys.argv[1:5]
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
files = sites.load(config).platform("hunan", "slurm", "demo").files
files.exists("nothing")
before = peak()
files.put(source, path, rate_kbps=int(rate) or None)
sent = peak()
if sys.argv[5:]:
    files.fetch(path, sys.argv[5])
print(before, sent, peak())
"""


def sender(lab, source, path, rate_kbps=0, *more):
    return subprocess.Popen(
        [sys.executable, "-c", SENDER, str(lab.config), str(source), path, str(rate_kbps), *map(str, more)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def platform_of(lab):
    return sites.load(lab.config).platform(SITE, "slurm", "demo")


@pytest.fixture
def site(lab):
    lab.site(SITE).reset_counters()
    return lab.site(SITE)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "来 源.bin"
    path.write_bytes(os.urandom(24 * MIB))
    return path


def put(platform, source, path, events=None):
    """Put as a run does, waiting for a site that does not answer; return the verb's result."""
    params = {
        "state": "present", "path": path, "source": str(source), "rate_kbps": None, "planned": True,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }  # fmt: skip
    return VERBS["dataset"].run(
        platform, params, False, lambda event, **fields: events.append(event) if events is not None else None
    )


def arrived(site, path):
    """Return how many bytes of a part there are."""
    part = site.home / "brain" / f"{path}.part"
    return part.stat().st_size if part.exists() else 0


def test_the_sender_is_killed(lab, site, source):
    process = sender(lab, source, NAME, 40_000)
    bench.wait_for(lambda: arrived(site, NAME) > 6 * MIB, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)
    there = arrived(site, NAME)
    files = platform_of(lab).files
    assert 6 * MIB < there < 24 * MIB
    assert files.dataset(NAME) is None, "half of it is no dataset"
    site.reset_counters()
    assert put(platform_of(lab), source, NAME)["changed"] is True
    moved = site.counters()["moved"]["in"]
    assert 24 * MIB - there <= moved <= 24 * MIB - there + 4 * MIB, (there, moved)
    assert (site.home / "brain" / NAME).read_bytes() == source.read_bytes()
    assert arrived(site, NAME) == 0


def test_the_server_is_killed_and_comes_back(lab, site, source):
    """The same call goes on by itself, from what had arrived."""
    path, events = "restarted/数据 集.bin", []
    site.fault("latency", seconds=0.1, path="sftp")
    there = []

    def strike():
        bench.wait_for(lambda: arrived(site, path) > 8 * MIB)
        site.kill()
        there.append(arrived(site, path))
        time.sleep(1)
        site.restart()

    thread = threading.Thread(target=strike)
    thread.start()
    assert put(platform_of(lab), source, path, events)["changed"] is True
    thread.join()
    assert "unreachable" in events
    moved = site.counters()["moved"]["in"]
    assert 24 * MIB - there[0] <= moved <= 24 * MIB - there[0] + 4 * MIB, (there, moved)
    assert (site.home / "brain" / path).read_bytes() == source.read_bytes()


def test_the_connection_is_cut(lab, site, source):
    events = []
    site.fault("ssh_cut", after_bytes=15 * MIB)
    assert put(platform_of(lab), source, "cut/x", events)["changed"] is True
    assert "unreachable" in events
    assert 24 * MIB <= site.counters()["moved"]["in"] <= 28 * MIB
    assert (site.home / "brain/cut/x").read_bytes() == source.read_bytes()


def test_the_second_transfer_moves_nothing(lab, site, source):
    platform = platform_of(lab)
    put(platform, source, "twice/x")
    site.reset_counters()
    assert put(platform, source, "twice/x")["changed"] is False
    counters = site.counters()
    assert counters["moved"] == {"in": 0, "out": 0} and counters["writes"] == 0


def test_memory_is_flat_on_two_gib(lab, site, tmp_path):
    """Sent and fetched in a process of its own: its peak grows by a sliver of the file."""
    size = 2 * 1024 * MIB
    source, home = tmp_path / "big", tmp_path / "home"
    with open(source, "wb") as stream:
        stream.truncate(size)
        for position in range(0, size, 256 * MIB):  # not all zero, so that order counts
            stream.seek(position)
            stream.write(position.to_bytes(8, "big"))
    process = sender(lab, source, "big/x", 0, home)
    try:
        said = process.communicate(timeout=400)[0]
        assert process.returncode == 0
        before, sent, fetched = (int(word) / 1024 for word in said.split())
        print(f"MiB: {before:.0f} before, {sent:.0f} after sending, {fetched:.0f} after fetching, of {size // MIB}")
        assert site.counters()["moved"]["in"] == size
        assert (site.home / "brain/big/x").stat().st_size == home.stat().st_size == size
        assert sent - before < 64 and fetched - before < 64
    finally:
        process.kill()
        (site.home / "brain/big/x").unlink(missing_ok=True)
        home.unlink(missing_ok=True)


@pytest.mark.parametrize("rate_kbps", [16_000, 80_000])
def test_a_share_is_kept(lab, site, tmp_path, rate_kbps):
    """Bytes that the server counts over seconds of steady transfer, against the share."""
    source = tmp_path / "x"
    source.write_bytes(os.urandom(rate_kbps * 125 * 8))
    process = sender(lab, source, f"share/{rate_kbps}", rate_kbps)
    try:
        bench.wait_for(lambda: site.counters()["moved"]["in"] > rate_kbps * 125, process)
        marks = []
        for pause in (5, 0):
            marks.append((time.monotonic(), site.counters()["moved"]["in"]))
            time.sleep(pause)
        assert process.poll() is None, "still under way"
        ratio = (marks[1][1] - marks[0][1]) / (marks[1][0] - marks[0][0]) / (rate_kbps * 125)
        print(f"share {rate_kbps} kbit/s: {ratio:.3f} of it was used")
        assert 0.9 <= ratio <= 1.1
    finally:
        process.kill()
        process.communicate()


def thin(project, kbps):
    """Let every link of the project's config be so thin that a plan's share of it is `kbps`."""
    links = project.own_config() / "links.yml"
    known = yaml.safe_load(links.read_text())
    for link in known["links"]:
        link["rate_gbps"] = kbps / 0.9 / 1e6
    links.write_text(yaml.safe_dump(known))


def test_the_share_in_the_plan_is_the_rate_of_the_link(lab, tmp_path):
    """Two inputs for one site: together they keep the plan's share, and the names are as people write them."""
    project = Project(lab, tmp_path / "u")
    share_kbps = 24_000
    thin(project, share_kbps)
    folder = project.folder / "任 务"
    inputs = [{"name": n, "uri": f"数据 集 {n}.bin", "data_level": "public"} for n in ("one", "two")]
    task = write_task(folder, inputs=inputs, outputs=[{"name": "model", "path": "模 型.bin"}])
    for item in inputs:
        (folder / item["uri"]).write_bytes(os.urandom(10 * MIB))
    (folder / "code/main.py").write_text(
        "import os\nread = lambda name: open(os.environ['SWB_INPUT_' + name], 'rb').read()\n"
        "with open(os.path.join(os.environ['SWB_OUTPUT_DIR'], '模 型.bin'), 'wb') as stream:\n"
        "    stream.write(read('ONE') + read('TWO'))\n"
    )
    run = project.approved(f"'{task}'")  # as a shell user quotes a path with spaces
    moves = [c for c in project.plan(run)["components"] if c["kind"] in ("move_data", "collect")]
    shares = {kbps for move in moves for kbps in move["shares"].values()}
    assert len(moves) == 3 and max(shares) - min(shares) <= 1 and abs(max(shares) - share_kbps) <= 1, shares
    where = next(c for c in project.plan(run)["components"] if c["id"] == "train")["pools"][0].split("/")[0]
    site = lab.site(where)
    site.reset_counters()
    process = bench.begin(project, run)
    seen = []
    while process.poll() is None:
        seen.append((time.monotonic(), site.counters()["moved"]))
        time.sleep(0.1)
    assert process.returncode == 0, (project.folder / "apply.log").read_text()[-3000:]
    home = project.store.run_dir(run) / "artifacts/train/模 型.bin"
    assert home.read_bytes() == b"".join((folder / item["uri"]).read_bytes() for item in inputs)
    for way in ("in", "out"):
        ratio = steady(seen, way, 20 * MIB) / (share_kbps * 125)
        print(f"{way}: {ratio:.3f} of the share")
        assert 0.9 <= ratio <= 1.1, way


def steady(seen, way, total):
    """Return the bytes a second of the middle of the way: from a fifth to four fifths of `total`.

    Between the moments at which the counter moved, since whole chunks are counted; pauses between copies are left out.
    """
    points = []
    for at, moved in seen:
        if total / 5 <= moved[way] <= total * 4 / 5 and (not points or moved[way] != points[-1][1]):
            points.append((at, moved[way]))
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(points)]
    steps = [(took, size) for took, size in steps if took < 1]
    return sum(size for _took, size in steps) / sum(took for took, _size in steps)
