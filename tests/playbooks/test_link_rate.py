"""The declared rate of a link decides when a proposal ends: reckoned here once more, by a sum of its own."""

import json
import math
from decimal import Decimal

import yaml

from tests.playbooks.project import write_task

SIZE, RUN_S, OUTPUT_MIB = 9_000_000, 30, 1
#: What plans take of a link's rate; the rest is left to others.
SHARE = Decimal("0.9")


def declare(config, source, target, rate_gbps):
    """Write a rate into links.yml; return the link."""
    path = config / "links.yml"
    document = yaml.safe_load(path.read_text())
    (link,) = [one for one in document["links"] if (one["from"], one["to"]) == (source, target)]
    link["rate_gbps"] = rate_gbps
    path.write_text(yaml.safe_dump(document))
    return link


def copy_s(size, link):
    """Whole seconds of a copy: its bits over our share of the rate, and a round trip."""
    seconds = Decimal(size * 8) / (Decimal(str(link["rate_gbps"])) * 10**9 * SHARE)
    return math.ceil(seconds + Decimal(str(link["rtt_ms"])) / 1000)


def finish(project, task):
    """Return (finish in s, [(component, its length)]) of the plan that is proposed now."""
    run = project.planned(task)
    estimate = json.loads((project.store.find_plan(run) / "estimate-1.json").read_text())
    lengths = {one["id"]: one["end_s"] - one["start_s"] for one in estimate["components"]}
    return estimate["objectives"]["finish_s"], lengths


def test_half_the_declared_rate_moves_the_finish_by_what_the_sum_says(project):
    config = project.own_config()
    folder = project.folder / "t"
    task = write_task(
        folder,
        sites=["centre-a"],
        work={"duration_s": RUN_S},
        inputs=[{"name": "data", "uri": "data.bin", "data_level": "public"}],
        outputs=[{"name": "model", "path": "model.bin", "size_mib": OUTPUT_MIB}],
    )
    (folder / "data.bin").write_bytes(bytes(SIZE))
    home = declare(config, "centre-a", "controller", 0.5)
    found = {}
    for rate in (0.008, 0.004):
        there = declare(config, "controller", "centre-a", rate)
        found[rate] = finish(project, task)
        expected = {
            "move_data": copy_s(SIZE, there),
            "train": RUN_S,
            "collect_model": copy_s(OUTPUT_MIB << 20, home),
        }
        assert found[rate] == (sum(expected.values()), expected)
    # 9 MB at 7.2 and at 3.6 Mbit/s, and 12 ms: 10.012 and 20.012 s.
    assert found[0.004][0] - found[0.008][0] == 21 - 11
