# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for the planner's tests: two pools like the lab's, its links, its tenant."""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib

import yaml

from ansible_collections.suanwang.brain.plugins.module_utils import resources
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Accelerator
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Link
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Power
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Price
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Queue
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Runtime
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Seen
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import expand as expansion
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import feasible
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import plan as planning
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import propose as proposing
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import task as tasks

ROOT = pathlib.Path(__file__).parents[3]
SCHEMAS = pathlib.Path(resources.__file__).parent / "schemas"
NOW = "2026-11-25T08:00:00Z"
HUNAN, CENTRE = "hunan/slurm/npu", "centre-a/slurm/gpu"
POLICY = {"start_within_h": 24}
TENANTS = {"tenants": {"demo": {"sites": {"hunan": {"slurm": {}}, "centre-a": {"slurm": {}}}}}}
LINKS = (
    Link("controller", "hunan", rate_gbps=10, rtt_ms=0.5, fen_gib=0),
    Link("hunan", "controller", rate_gbps=10, rtt_ms=0.5, fen_gib=0),
    Link("controller", "centre-a", rate_gbps=0.5, rtt_ms=12, fen_gib=50),
    Link("centre-a", "controller", rate_gbps=0.5, rtt_ms=12, fen_gib=80),
)
RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
PINS = {"hunan": ("a" * 64, True), "centre-a": ("b" * 64, True)}


def pool(name=HUNAN, **changes):
    """Return the lab's pool of that id with fields replaced."""
    base = _hunan() if name == HUNAN else _centre()
    return dataclasses.replace(base, **changes)


def _hunan():
    return Pool(
        id=HUNAN,
        name="npu",
        site="hunan",
        platform="slurm",
        endpoint="slurm",
        zone="ai",
        via="intranet",
        domains=("hunan/slurm/npu",),
        arch="aarch64",
        accelerator=Accelerator("npu", "910b3", "npu:ascend910b", "huawei", 16, 64, 313),
        capacity=Capacity(2, 384, 1024, 16),
        free=Capacity(2, 384, 1024, 16),
        node=Capacity(1, 192, 512, 8),
        queue=Queue(0, 0, 0),
        max_wall_s=86400,
        price=Price(900, 6),
        power=Power(310, 90, 1.25),
        runtimes=(
            Runtime("none", "3", "aarch64", None, ("python3",)),
            Runtime("mindspore", "2.4", "aarch64", "910b3", ("python3",)),
        ),
        data_levels=("public", "internal", "confidential"),
        seen=Seen("2026-11-25T07:59:50Z", "hunan/slurm", "live"),
    )


def _centre():
    return Pool(
        id=CENTRE,
        name="gpu",
        site="centre-a",
        platform="slurm",
        endpoint="slurm",
        zone="ai",
        via="internet",
        domains=("centre-a/slurm/gpu",),
        arch="x86_64",
        accelerator=Accelerator("gpu", "a800", "gpu:a800", "nvidia", 16, 80, 312),
        capacity=Capacity(2, 128, 1024, 16),
        free=Capacity(2, 128, 1024, 16),
        node=Capacity(1, 64, 512, 8),
        queue=Queue(0, 0, 0),
        max_wall_s=86400,
        price=Price(2400, 10),
        power=Power(400, 120, 1.45),
        runtimes=(
            Runtime("none", "3", "x86_64", None, ("python3",)),
            Runtime("pytorch", "2.4", "x86_64", "a800", ("python3",)),
        ),
        data_levels=("public", "internal"),
        seen=Seen("2026-11-25T07:59:50Z", "centre-a/slurm", "live"),
    )


def slower_hunan():
    """Return the lab's Hunan pool with a slower bin of the same family (280 TFLOPS)."""
    card = Accelerator("npu", "910b4", "npu:ascend910b4", "huawei", 16, 32, 280)
    runtimes = tuple(
        dataclasses.replace(one, accelerator="910b4" if one.accelerator else None) for one in pool().runtimes
    )
    return pool(HUNAN, accelerator=card, runtimes=runtimes)


def pools():
    """Return both pools; at Hunan the slower bin, so that fast and cheap are different places."""
    return (slower_hunan(), pool(CENTRE))


def digits():
    """Return the example task as JSON types, a fresh copy, whose output's size is not known."""
    text = (ROOT / "examples" / "digits" / "task.yml").read_text(encoding="utf-8")
    found = copy.deepcopy(yaml.safe_load(text))
    for component in found["components"]:
        for output in component["outputs"]:
            output.pop("size_mib", None)
    return found


def parsed(data=None):
    """Return the Task of a document, of the example by default."""
    return tasks.parse(digits() if data is None else data)


def facts(task):
    """Return Facts for every input and code of a task; sizes as in the example."""
    inputs, codes = {}, {}
    for item in task.components:
        if item.code:
            codes[item.id] = tasks.CodeFact(item.code.path, "c" * 64, 4096)
        for entry in item.inputs:
            if entry.uri:
                held = ("e" * 64, 52_000) if entry.holdout else None
                kept = ("f" * 64, 210_000) if entry.holdout else None
                size = entry.size or 262_000
                digest = entry.sha256 or ("d" * 64)
                inputs[(item.id, entry.name)] = tasks.FileFact(
                    entry.uri, pathlib.PurePosixPath(entry.uri).name, f"/data/{entry.uri}", digest, size, kept, held
                )
    return tasks.Facts(inputs, codes)


def component(name="train", **fields):
    """Return a component of a task as JSON types: a run of plain Python that takes 100 s."""
    base = {
        "id": name,
        "kind": "run",
        "framework": "none",
        "code": {"path": "code", "entry": "main.py"},
        "work": {"duration_s": 100},
    }
    return {**base, **fields}


def document(*components, **fields):
    """Return a task as JSON types."""
    return {"name": "test", "tenant": "demo", "components": list(components), **fields}


def proposals(data=None, places=None, links=LINKS, commitments=(), tenants=TENANTS, now=NOW):
    """Return the Proposals of a document."""
    task = parsed(data)
    return proposing.propose(
        task, facts(task), pools() if places is None else places, links, commitments, POLICY, tenants, now
    )


def nos(data, place, links=LINKS, tenants=TENANTS, now=NOW):
    """Return the broken rules {rule: sentence} of the first component of a document on one pool."""
    task = parsed(data)
    graph = expansion.expand(task, facts(task))
    found = feasible.matrix(graph, [place], POLICY, now, tenants=tenants, links=links)
    return {no.rule: no.sentence for no in found[task.components[0].id][place.id]}


def plan(proposal, task=None, now=NOW):
    """Return (plan, estimate) of a proposal."""
    task = task or parsed()
    return planning.build(
        proposal,
        task,
        facts(task),
        run=RUN,
        requester="requester@lab.invalid",
        task_sha256="9" * 64,
        site_pins=PINS,
        policy=POLICY,
        now=now,
    )


def schema(name):
    """Return a JSON Schema of the collection."""
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
