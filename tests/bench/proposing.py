"""``python -m tests.bench.proposing start | digits | large <components> <pools> <sites> <file>``: one bench process.

The large task is drawn from a fixed seed: layers of work of unequal length, each reading what one or two earlier
components made, on pools that differ in size, speed, price and queue.
"""

import dataclasses
import random
import sys
from pathlib import Path

from ansible_collections.suanwang.brain.plugins.module_utils.resources import Accelerator
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Link
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Price
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Queue
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.propose import pick
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.search import problem_floor
from tests.unit.planning import world

CARDS = (("910b3", 313), ("910b4", 280), ("910b1", 378))


def generated(components, pools, sites, seed=1):
    """Return (document, pools, links) of a task of that size."""
    dice = random.Random(seed)
    names = [f"s{number}" for number in range(sites)]
    places = [_pool(dice, f"p{number}", names[number % sites]) for number in range(pools)]
    ends = ["controller", *names]
    links = [Link(a, b, dice.choice((1, 2.5, 10)), dice.choice((2, 8, 20)), 40) for a in ends for b in ends if a != b]
    work = []
    for number in range(components):
        name = f"c{number}"
        earlier = range(max(0, number - 12), number)
        read = dice.sample(earlier, min(len(earlier), dice.choice((0, 1, 1, 2))))
        work.append(
            world.component(
                name,
                resources={"accelerators": dice.choice((1, 2, 4, 8)), "nodes": 1, "cpu": 8},
                work={"duration_s": 60 * dice.randrange(5, 120)},
                inputs=[{"name": f"x{one}", "from": f"c{one}.o{one}"} for one in read],
                outputs=[{"name": f"o{number}", "path": "o", "size_mib": dice.choice((10, 500, 4000))}],
            )
        )
    return world.document(*work), places, links


def _pool(dice, name, site):
    model, speed = dice.choice(CARDS)
    nodes = dice.choice((1, 2, 4))
    base = world.pool()
    size = Capacity(nodes, 192 * nodes, 512 * nodes, 8 * nodes)
    return dataclasses.replace(
        base,
        id=f"{site}/slurm/{name}",
        name=name,
        site=site,
        domains=(f"{site}/slurm/{name}",),
        accelerator=Accelerator("npu", model, model, "huawei", 8 * nodes, 64, speed),
        capacity=size,
        free=size,
        node=Capacity(1, 192, 512, 8),
        queue=Queue(0, 0, dice.choice((0, 0, 300))),
        price=Price(dice.choice((700, 900, 1500)), 6),
    )


def main(argv):
    if argv[0] == "digits":
        world.proposals()
    elif argv[0] == "large":
        document, places, links = generated(*map(int, argv[1:4]))
        found = world.proposals(document, places, links, tenants=None)
        fastest = pick(found, "fastest")
        figures = (fastest.objectives.finish_s, problem_floor(fastest.problem), len(found.proposals))
        Path(argv[4]).write_text(" ".join(map(str, figures)))


if __name__ == "__main__":
    main(sys.argv[1:])
