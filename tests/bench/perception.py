"""Perception: many pools from a snapshot against a plugin that makes hosts of nothing; four slow sites against one."""

import dataclasses
import json
import shutil

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
    one, four = found["one"].over(found["start"]), found["four"].over(found["start"])
    note = f"{latency} s a request; the slowest site is 1, the sum is 4"
    yield Row("perception", "four slow sites", four.wall, "one of them", one.wall, "wall s", 2.0, note)


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
