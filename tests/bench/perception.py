"""Perception: many pools from a snapshot against a plugin that makes hosts of nothing; slow and dead sites."""

import contextlib
import dataclasses
import json
import shutil
import socket

import yaml

from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.bench.measure import Row
from tests.lab.lab import CONFIG
from tests.lab.lab import Lab
from tests.lab.render import GENERATED
from tests.unit.planning import world

TOY = "tests/bench/toy"
LATENCY_S = 0.3
SLOW_S = 2.0
SILENT = "127.10.0.9"


def measure(bench):
    yield from _many(bench)
    yield from _slow(bench)


def _many(bench):
    config = bench.folder / "many"
    shutil.copytree(CONFIG, config, ignore=lambda _folder, names: set(names) & set(GENERATED))
    sizes = (20,) if bench.small else (1_000, 10_000)
    commands = {"start": _graph(bench, "none", "plugin: cheapest\nhosts: 0\n")}
    for size in sizes:
        state = bench.folder / f"state-{size}"
        _snapshots(Store(state), size)
        text = f"plugin: suanwang.brain.fleet\nconfig: {config}\nmax_age_s: 86400\n"
        commands[f"ours {size}"] = _graph(bench, f"ours-{size}", text, SUANWANG_STATE=state)
        commands[f"toy {size}"] = _graph(bench, f"toy-{size}", f"plugin: cheapest\nhosts: {size}\n")
    found = bench.alternately(**commands)
    for size in sizes:
        ours, toy = found[f"ours {size}"], found[f"toy {size}"]
        net, toy_net = ours.over(found["start"]), toy.over(found["start"])
        peer = f"{size / toy_net.cpu:,.0f} hosts" if toy_net.cpu > 0.05 else "too many hosts to tell"
        note = (
            f"{size / net.cpu:,.0f} pools a CPU s without the start of {found['start'].cpu:.2f} s, the peer {peer};"
            " ours have about 30 variables and 6 groups each"
        )
        yield Row("perception", f"{size:,} pools", ours.cpu, f"{size:,} hosts of one variable", toy.cpu, note=note)


def _slow(bench):
    """The four sites stand behind one lab server that answers late; what counts is waiting, so wall time."""
    latency = 0.05 if bench.small else LATENCY_S
    with Lab(bench.folder / "lab", sites=["hunan"]) as lab:
        four = bench.folder / "four"
        shutil.copytree(lab.config, four)
        text = (four / "sites" / "hunan.yml").read_text()
        for path in (four / "sites").glob("*.yml"):
            path.unlink()
        for number in range(1, 5):
            (four / "sites" / f"slow-{number}.yml").write_text(text.replace("site: hunan", f"site: slow-{number}"))
        (four / "links.yml").write_text("links: []\n")
        fleet = f"plugin: suanwang.brain.fleet\nconfig: {four}\nstrict_sites: true\n"
        lab.site("hunan").fault("latency", seconds=latency)
        commands = {
            "start": _graph(bench, "nothing", "plugin: cheapest\nhosts: 0\n"),
            "one": _graph(bench, "one", fleet + "sites: [slow-1]\n"),
            "four": _graph(bench, "four", fleet),
        }
        found = bench.alternately(**commands)
        lab.site("hunan").fault("latency", seconds=latency if bench.small else SLOW_S)
        with _silent() as port:
            beside = _beside(bench, lab, port)
            mixed = bench.alternately(start=commands["start"], **beside)
    one, four = found["one"].over(found["start"]), found["four"].over(found["start"])
    note = f"{latency} s a request; the slowest site is 1, the sum is 4"
    yield Row("perception", "four slow sites", four.wall, "one of them", one.wall, "wall s", 2.0, note)
    slow, dead, both = (mixed[name].over(mixed["start"]).wall for name in ("slow", "dead", "both"))
    note = f"one at {SLOW_S} s a call, one silent; the slowest is 1, the sum {(slow + dead) / max(slow, dead):.1f}"
    yield Row("perception", "slow and dead", both, "the slowest alone", max(slow, dead), "wall s", 1.5, note)


def _beside(bench, lab, port):
    """Return commands that read a slow site, one that is silent at `port`, and both. Alarms and use are left out."""
    folder = bench.folder / "beside"
    shutil.copytree(lab.config, folder)
    site = yaml.safe_load((folder / "sites" / "hunan.yml").read_text())
    for path in (folder / "sites").glob("*.yml"):
        path.unlink()
    site["endpoints"] = [one for one in site["endpoints"] if one["id"] in ("slurm", "login")]
    (folder / "sites" / "slow.yml").write_text(yaml.safe_dump({**site, "site": "slow"}))
    site["endpoints"][0] |= {"port": port, "address": SILENT}
    (folder / "sites" / "dead.yml").write_text(yaml.safe_dump({**site, "site": "dead"}))
    (folder / "links.yml").write_text("links: []\n")
    fleet = f"plugin: suanwang.brain.fleet\nconfig: {folder}\n"
    return {
        "slow": _graph(bench, "slow", fleet + "sites: [slow]\n"),
        "dead": _graph(bench, "dead", fleet + "sites: [dead]\n"),
        "both": _graph(bench, "both", fleet),
    }


@contextlib.contextmanager
def _silent():
    """Give a port at which no connection comes about: its queue is full, and the kernel drops what comes."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((SILENT, 0))
        server.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def _graph(bench, name, text, **environment):
    """Return (command, environment) of a graph of an inventory source that is written here."""
    path = bench.folder / f"{name}.{'fleet.brain' if 'fleet' in text else 'cheapest'}.yml"
    path.write_text(text)
    return ["ansible-inventory", "-i", path, "--graph"], {"ANSIBLE_INVENTORY_PLUGINS": TOY, **environment}


def _snapshots(store, size):
    """Write snapshots of `size` pools, half at each lab site."""
    now = clock.now()
    for name in (world.HUNAN, world.CENTRE):
        one = world.pool(name)
        pools = [
            to_plain(dataclasses.replace(one, id=f"{one.id}-{number}", name=f"{one.name}-{number}"))
            for number in range(size // 2)
        ]
        store.save_snapshot(one.site, one.endpoint, json.loads(json.dumps({"at": now, "pools": pools})))
