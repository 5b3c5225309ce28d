# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A component of the verified plan → the parameters of a verb.

Each function returns a list of dicts of parameters, one a place, or a sentence (str) where the verb has nothing to do
for that component.
"""

from __future__ import annotations

import json

from ..module_utils.errors import Conflict
from ..module_utils.errors import Invalid
from ..module_utils.jobfile import Layout

WORK = ("train", "infer", "run")


def _place(run_pass, placed):
    return {
        "config": run_pass.facts["config"],
        "site": placed["site"],
        "endpoint": placed["endpoint"],
        "tenant": run_pass.plan["tenant"],
    }


def _places(run_pass, component):
    """Return every place where an earlier pass may have left something of a component."""
    pairs = dict.fromkeys(tuple(pool.split("/", 2)[:2]) for pool in component["pools"])
    return [_place(run_pass, {"site": site, "endpoint": endpoint}) for site, endpoint in pairs]


def _layout(run_pass, component):
    # Relative to the storage root, which only the site can resolve.
    return Layout("", run_pass.run, component)


def job(run_pass, component, state):
    """Return the parameters of `job`, or a sentence."""
    if component["kind"] not in WORK:
        return f"a {component['kind']} component has no job"
    base = {
        "state": state,
        "run": run_pass.run,
        "component": component["id"],
        "attempts": 1 + component.get("retry", 0),
    }
    if state == "absent":
        return [{**place, **base} for place in _places(run_pass, component)]
    placed = run_pass.placed(component)
    code = component["code"]
    runtime = _runtime(run_pass, component, placed) if placed["submits"] else {}
    return [
        {
            **_place(run_pass, placed),
            **base,
            "pool": placed["name"],
            "code": {
                "source": str(run_pass.store.object_path(code["sha256"])),
                "sha256": code["sha256"],
            },
            "command": [*runtime["launch"], code["entry"], *code["arguments"]] if runtime else [],
            "image": runtime.get("image"),
            "environment": {"SWB_PARAMETERS": json.dumps(component.get("parameters", {}), sort_keys=True)},
            "inputs": _inputs(run_pass, component) if placed["submits"] else [],
            "outputs": component.get("outputs", []),
            "nodes": component.get("nodes", 1),
            "accelerators": component.get("accelerators", 0),
            "accelerator": placed["accelerator"],
            "cpu": component.get("cpu", 1),
            "memory_mib": component.get("memory_mib"),
            "wall_s": component["wall_s"],
            "start": run_pass.facts["may_start"],
            "reservation": (run_pass.told("held", component["id"]) or {}).get("name"),
            "expected": placed["found"] and not placed["submits"],
        }
    ]


def _runtime(run_pass, component, placed):
    """Return what starts the component's framework at its site, as the site file says."""
    site = run_pass.config.site(placed["site"])
    for runtime in site.runtimes:
        fits = (
            runtime["framework"] == component.get("framework", "none")
            and runtime.get("arch") in (None, placed["arch"])
            and runtime.get("accelerator") in (None, placed["accelerator"])
            and (component.get("framework_version") in (None, runtime.get("version")))
        )
        if fits:
            return runtime
    raise Invalid(
        f"the site file has no runtime for {component.get('framework', 'none')} on"
        f" {placed['accelerator'] or placed['arch']}.",
        site=site.id,
        way_out="Add one under `runtimes`.",
    )


def _inputs(run_pass, component):
    found = []
    for item in component.get("inputs", []):
        mover = _mover(run_pass, component, item["name"])
        datum = run_pass.told("datum", mover["id"])
        if datum is None:
            if run_pass.check:
                datum = {"path": "?", "sha256": item.get("file", {}).get("sha256", "?")}
            else:
                raise Conflict(f"input {item['name']} of {component['id']} was not moved in this pass.")
        where = {"path": datum["path"], "sha256": datum["sha256"], "folder": item.get("folder") == "true"}
        found.append({"name": item["name"], **where})
    return found


def _mover(run_pass, component, name):
    for item in run_pass.plan["components"]:
        if item["kind"] == "move_data" and item["of"] == component["id"] and item["datum"]["name"] == name:
            return item
    raise Invalid(f"the plan moves no input {name} for {component['id']}.")


def dataset(run_pass, component, state):
    """Return the parameters of `dataset`: of a datum to move, or of what a component may leave behind."""
    if state == "absent":
        return _scratch(run_pass, component)
    if component["kind"] != "move_data":
        return f"a {component['kind']} component moves no data"
    placed = run_pass.placed(component)
    if not placed["submits"]:
        return f"{component['of']} was submitted already; its data are not needed again"
    datum = component["datum"]
    if "from" in datum:
        return _handed_on(run_pass, component, placed)
    kept = run_pass.store.object_path(datum["file"]["sha256"])
    source = str(kept) if kept.is_file() else datum["file"].get("source", str(kept))
    return [
        {
            **_place(run_pass, placed),
            "state": "present",
            "path": _layout(run_pass, component["of"]).data(datum["file"]["sha256"], datum["filename"])[1:],
            "source": source,
            "sha256": datum["file"]["sha256"],
            "rate_kbps": component.get("shares", {}).get(placed["pool"]),
        }
    ]


def _handed_on(run_pass, component, placed):
    """An output of another component: already there where both ran at one site, else it was fetched before."""
    datum = run_pass.told("datum", component["id"])
    if datum is None:
        if run_pass.check:
            return "what its producer leaves is not known before it ran"
        raise Conflict(f"the datum of {component['id']} was not fetched in this pass.")
    if datum["site"] == placed["site"]:
        return f"{component['datum']['from']} is at {placed['site']} already"
    return [
        {
            **_place(run_pass, placed),
            "state": "present",
            "path": _layout(run_pass, component["of"]).data(datum["sha256"], datum["filename"])[1:],
            "source": datum["local"],
            "sha256": datum["sha256"],
            "rate_kbps": component.get("shares", {}).get(placed["pool"]),
        }
    ]


def _scratch(run_pass, component):
    if "scratch" not in run_pass.plan["deletions"]:
        return "the plan deletes nothing"
    if run_pass.facts["purpose"] == "apply" and not run_pass.succeeded():
        return "the run did not succeed; what it left stays until release.yml"
    if component["kind"] in WORK:
        path = f"{run_pass.run}/{component['id']}"
    elif component["kind"] == "move_data" and "file" in component["datum"]:
        path = f"{run_pass.run}/data/{component['datum']['file']['sha256']}"
    elif component["kind"] == "move_data":
        path = f"{run_pass.run}/data"
    else:
        return f"a {component['kind']} component leaves nothing at a site"
    if run_pass.facts["purpose"] == "apply":
        # A pass after this one must not look for what is being removed.
        run_pass.all_done()
        places = [_place(run_pass, run_pass.placed(component))]
    else:
        places = _places(run_pass, component)
    return [{**place, "state": "absent", "path": path} for place in places]


def artifact(run_pass, component, state):
    """Return the parameters of `artifact`: an output that goes home, or one handed to another site."""
    if component["kind"] not in ("collect", "move_data"):
        return f"a {component['kind']} component brings nothing home"
    datum = component["datum"]
    if "from" not in datum:
        return f"{datum['name']} comes from here"
    producer_name, _dot, output = datum["from"].partition(".")
    producer = run_pass.component(producer_name)
    placed = run_pass.placed(producer)
    if component["kind"] == "collect":
        dest = artifact_path(run_pass, component)
    elif not run_pass.placed(component)["submits"]:
        return f"{component['of']} was submitted already; its data are not needed again"
    elif run_pass.placed(component)["site"] == placed["site"]:
        dest = None
    else:
        dest = run_pass.store.run_dir(run_pass.run) / "handed_on" / datum["from"]
    return [
        {
            **_place(run_pass, placed),
            "run": run_pass.run,
            "component": producer_name,
            "attempts": 1 + producer.get("retry", 0),
            "output": output,
            "dest": str(dest) if dest else None,
            # Shares stand beside the pools of the component that is served, which for a hand-over is the reader.
            "rate_kbps": component.get("shares", {}).get(run_pass.placed(component)["pool"]),
        }
    ]


def artifact_path(run_pass, component):
    """Return where a collect component puts its output at home."""
    datum = component["datum"]
    producer, _dot, _output = datum["from"].partition(".")
    folder = run_pass.store.run_dir(run_pass.run) / "artifacts" / producer
    return folder / datum["path"].rpartition("/")[2]


def reservation(run_pass, component, state):
    """Return the parameters of `reservation`: the nodes of a gang's member, from before any data moves."""
    if "hold_s" not in component:
        return f"{component['id']} starts by itself: no nodes are held for it"
    base = {"state": state, "run": run_pass.run, "component": component["id"]}
    if state == "absent" and run_pass.facts["purpose"] == "release":
        return [{**place, **base} for place in _places(run_pass, component)]
    placed = run_pass.placed(component)
    if state == "absent":
        if not _is_over(run_pass, component, placed):
            return f"the job of {component['id']} may be running; its nodes stay held"
        return [{**_place(run_pass, placed), **base}]
    if not placed["submits"]:
        return f"{component['id']} was submitted already"
    return [
        {
            **_place(run_pass, placed),
            **base,
            "pool": placed["name"],
            "nodes": component.get("nodes", 1),
            "duration_s": component["hold_s"],
            "least_s": component["wall_s"],
        }
    ]


def _is_over(run_pass, component, placed):
    """Return whether no job of a component can be running: it ended, or nothing was ever submitted."""
    end = run_pass.told("end", component["id"]) or {}
    if end.get("state") == "succeeded" or end.get("code") in ("job_failed", "gang_failed"):
        return True
    return placed["submits"] and not any("attempt" in event for event in run_pass.earlier(component["id"]))


def link(name, asked):
    """Return the name of the link that a verb's transfer moves on, or None where it has no share of one."""
    if not asked.get("rate_kbps"):
        return None
    return f"controller-{asked['site']}" if name == "dataset" else f"{asked['site']}-controller"


PARAMETERS = {"artifact": artifact, "dataset": dataset, "job": job, "reservation": reservation}
