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
from ..module_utils.machines.login import SSH_PORT
from ..module_utils.plain import from_plain
from ..module_utils.resources import Runtime
from .locating import on_machines
from .locating import place_of
from .locating import places_of
from .locating import platform_class
from .locating import same_files

WORK = ("train", "infer", "run")
#: What a deployment keeps, and is given back by its name.
KEPT = ("provision", "serve")


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
        # On a machine of ours it ends with that, which may not even answer.
        there = [place for place in places_of(run_pass, component["pools"]) if not on_machines(run_pass, place)]
        return [{**place, **base} for place in there] or "its job ends with the machine that it runs on"
    placed = run_pass.placed(component)
    return [
        {
            **place_of(run_pass, placed),
            **base,
            **_code(run_pass, component, placed),
            "outputs": component.get("outputs", []),
            "nodes": component.get("nodes", 1),
            "accelerators": component.get("accelerators", 0),
            "wall_s": component["wall_s"],
            "start": run_pass.facts["may_start"],
            "reservation": (run_pass.told("held", component["id"]) or {}).get("name"),
            "expected": placed["found"] and not placed["submits"],
        }
    ]


def _code(run_pass, component, placed):
    """Return what a job and a service have alike: where, what code on what data, how much of a node."""
    code = component["code"]
    runtime = _runtime(run_pass, component, placed) if placed["submits"] else None
    return {
        "pool": placed["name"],
        "code": {
            "source": str(run_pass.store.object_path(code["sha256"])),
            "sha256": code["sha256"],
        },
        "command": [*runtime.launch, code["entry"], *code["arguments"]] if runtime else [],
        "image": runtime.image if runtime else None,
        "environment": {"SWB_PARAMETERS": json.dumps(component.get("parameters", {}), sort_keys=True)},
        "inputs": _inputs(run_pass, component) if placed["submits"] else [],
        "accelerator": placed["accelerator"],
        "cpu": component.get("cpu", 1),
        "memory_mib": component.get("memory_mib"),
    }


def inference_service(run_pass, component, state):
    """Return the parameters of `inference_service`, or a sentence."""
    if component["kind"] != "serve":
        return f"a {component['kind']} component serves nothing"
    base = {"state": state, "deployment": run_pass.plan["deployment"], "component": component["id"]}
    if state == "absent":
        return _stood(run_pass, component)
    placed, copies = run_pass.placed(component), component.get("nodes", 1)
    return [
        {
            **place_of(run_pass, placed),
            **base,
            **_code(run_pass, component, placed),
            "replicas": copies,
            "accelerators": component.get("accelerators", 0) // copies,
            "wait_s": component["wall_s"],
            "start": run_pass.facts["may_start"],
        }
    ]


def _runtime(run_pass, component, placed):
    """Return what starts the component's framework at its site, as the site file says."""
    site = run_pass.config.site(placed["site"])
    for runtime in (from_plain(Runtime, item) for item in site.runtimes):
        fits = (
            runtime.framework == component.get("framework", "none")
            and runtime.arch in (None, placed["arch"])
            and runtime.accelerator in (None, placed["accelerator"])
            and runtime.has_version(component.get("framework_version"))
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
            **place_of(run_pass, placed),
            "state": "present",
            "path": _data_path(run_pass, component, placed, datum["file"]["sha256"], datum["filename"]),
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
    producer = run_pass.component(component["datum"]["from"].partition(".")[0])
    if not _stays(run_pass, component) and same_files(run_pass, run_pass.placed(producer), placed):
        return f"{component['datum']['from']} is at {placed['site']} already"
    return [
        {
            **place_of(run_pass, placed),
            "state": "present",
            "path": _data_path(run_pass, component, placed, datum["sha256"], datum["filename"]),
            "source": datum["local"],
            "sha256": datum["sha256"],
            "rate_kbps": component.get("shares", {}).get(placed["pool"]),
        }
    ]


def _data_path(run_pass, component, placed, sha256, filename):
    """Return the path of a datum below the storage root: of the run, or of its reader where jobs share no files."""
    layout = _layout(run_pass, component["of"])
    if _stays(run_pass, component):
        # Copies begin anew long after the run, whose own folder is scratch.
        return f"{run_pass.plan['deployment']}/{component['of']}/data/{sha256}/{filename}"
    if platform_class(run_pass, placed).SHARED_FILES:
        return layout.data(sha256, filename)[1:]
    return f"{layout.component_dir[1:]}/data/{sha256}/{filename}"


def _stays(run_pass, component):
    """Return whether a move_data component brings what a service goes on reading."""
    return component["kind"] == "move_data" and run_pass.component(component["of"])["kind"] == "serve"


def instance(run_pass, component, state):
    """Return the parameters of `instance`: machines that are asked for, or the one that a component's work runs on.

    A gang's machines are made before any data moves, all others when their turn comes.
    """
    if state == "present" and "hold_s" not in component and run_pass.told("turn", component["id"]) is None:
        return f"what {component['id']} needs is made when its turn comes"
    if state == "present" and (refusal := run_pass.refusal_of_all()):
        return f"nothing is made, because nothing begins: {refusal[1]}"
    if component["kind"] == "provision":
        return _kept(run_pass, component, state)
    if component["kind"] == "serve":
        return "a serve component has no machine"
    if state == "absent":
        return _given_back(run_pass, component)
    worker = run_pass.component(component["of"]) if component["kind"] == "move_data" else component
    if worker["kind"] not in WORK:
        return f"a {component['kind']} component needs no machine"
    placed = run_pass.placed(worker)
    if not on_machines(run_pass, placed):
        return f"{placed['site']}/{placed['endpoint']} has machines of its own"
    if not placed["submits"]:
        return f"{worker['id']} was submitted already"
    said = run_pass.config.site(placed["site"]).endpoint(placed["endpoint"]).machines
    return [
        {
            **_machine(run_pass, placed, worker),
            "run": run_pass.run,
            "ports": [said.get("port", SSH_PORT)],
        }
    ]


def _machine(run_pass, placed, component):
    """Return what is the same of every machine of a component at a place."""
    site = run_pass.config.site(placed["site"])
    said = site.endpoint(placed["endpoint"]).machines
    image = component.get("image") or said.get("images", {}).get(placed["arch"])
    if image is None:
        raise Invalid(
            f"endpoint {placed['endpoint']} names no image for {placed['arch'] or 'what is of no known architecture'}.",
            site=site.id,
            way_out="Add it to `machines.images` in the site file.",
        )
    return {
        **place_of(run_pass, placed),
        "state": "present",
        "component": component["id"],
        "pool": placed["pool"],
        "image": image,
        "cpu": component.get("cpu", 1),
        "memory_mib": component.get("memory_mib"),
        "accelerators": component.get("accelerators", 0) // component.get("nodes", 1),
        "networks": list(said.get("networks", ())),
        "login": True,
    }


def _kept(run_pass, component, state):
    """The machines of a deployment: as many as the plan says, numbered, and none beyond them."""
    base = {"deployment": run_pass.plan["deployment"], "component": component["id"]}
    if state == "absent":
        return _stood(run_pass, component, beyond=True)
    placed = run_pass.placed(component)
    count = component.get("nodes", 1)
    one = {**_machine(run_pass, placed, component), **base, "ports": component.get("ports", [])}
    one["replace"] = "changed" in run_pass.plan["deletions"]
    beyond = {**place_of(run_pass, placed), **base, "state": "absent", "number": count + 1, "beyond": True}
    if "surplus" not in run_pass.plan["deletions"]:
        return [{**one, "number": number} for number in range(1, count + 1)]
    return [*({**one, "number": number} for number in range(1, count + 1)), beyond]


def _stood(run_pass, component, **more):
    """Return the parameters that end what a deployment keeps, at every place where it may stand; or a sentence."""
    stood, deployment = run_pass.facts["stood"], run_pass.plan["deployment"]
    if stood is None and component.get("leaves"):
        return _left(run_pass, component, more)
    if stood is None:
        return f"{component['id']} stays until its lease ends, or release.yml -e deployment={deployment}"
    kept = [item["id"] for item in run_pass.plan["components"] if item["kind"] == component["kind"]]
    # The first of a kind sees to those as well that the newest plan has no more.
    mine = [row for row in stood if row["kind"] == component["kind"]]
    mine = [
        row for row in mine if row["id"] == component["id"] or (component["id"] == kept[0] and row["id"] not in kept)
    ]
    absent = {"deployment": deployment, "state": "absent", **more}
    return [{**place, **absent, "component": row["id"]} for row in mine for place in places_of(run_pass, row["pools"])]


def _left(run_pass, component, more):
    """What a component stood on before its plan moved it: ended once it stands in its new place, and not before.

    Of a service that is asked for by its role, after it answered; of machines when all is given back, failed or not.
    """
    ended = run_pass.told("end", component["id"]) or {}
    there = component["kind"] == "serve" or ended.get("state") == "succeeded"
    if run_pass.facts["purpose"] != "apply" or not there or "moved" not in run_pass.plan["deletions"]:
        return f"{component['id']} stays where it was"
    absent = {"deployment": run_pass.plan["deployment"], "state": "absent", "component": component["id"], **more}
    return [{**place, **absent} for place in places_of(run_pass, component["leaves"])]


def _given_back(run_pass, component):
    """The machine of a component whose outputs have left it, or of every one where everything is given back."""
    if run_pass.facts["purpose"] == "release":
        if component["kind"] not in WORK:
            return f"a {component['kind']} component has no machine"
        there = [one for one in places_of(run_pass, component["pools"]) if on_machines(run_pass, one)]
        absent = {"state": "absent", "run": run_pass.run, "component": component["id"]}
        return [{**place, **absent} for place in there] or f"{component['id']} ran on no machine of ours"
    if component["kind"] not in WORK:
        return f"a {component['kind']} component has no machine"
    placed = run_pass.placed(component)
    if not on_machines(run_pass, placed):
        return f"{component['id']} ran on no machine of ours"
    if not run_pass.succeeded():
        return f"the run did not succeed; the machine of {component['id']} stays until release.yml"
    # A pass after this one must not look for what is being removed.
    run_pass.all_done()
    return [{**place_of(run_pass, placed), "state": "absent", "run": run_pass.run, "component": component["id"]}]


def _scratch(run_pass, component):
    if "scratch" not in run_pass.plan["deletions"]:
        return "the plan deletes nothing"
    if run_pass.facts["purpose"] == "apply" and not run_pass.succeeded():
        return "the run did not succeed; what it left stays until release.yml"
    if component["kind"] == "provision":
        return "it leaves no files at a site"
    if component["kind"] == "serve" or _stays(run_pass, component):
        return _kept_files(run_pass, component)
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
        places = [place_of(run_pass, run_pass.placed(component))]
    else:
        places = places_of(run_pass, component["pools"])
    places = [place for place in places if not on_machines(run_pass, place)]
    if not places:
        return "its files go with the machine that they are on"
    return [{**place, "state": "absent", "path": path} for place in places]


def _kept_files(run_pass, component):
    """The files of a service: they go with it."""
    ended = _stood(run_pass, component) if component["kind"] == "serve" else "it stays with its service"
    if isinstance(ended, str):
        return ended
    return [{**one, "path": f"{one['deployment']}/{one['component']}"} for one in ended]


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
    elif not _stays(run_pass, component) and same_files(run_pass, run_pass.placed(component), placed):
        dest = None
    else:
        dest = run_pass.store.run_dir(run_pass.run) / "handed_on" / datum["from"]
    return [
        {
            **place_of(run_pass, placed),
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
        return [{**place, **base} for place in places_of(run_pass, component["pools"])]
    placed = run_pass.placed(component)
    if state == "absent":
        if not _is_over(run_pass, component, placed):
            return f"the job of {component['id']} may be running; its nodes stay held"
        return [{**place_of(run_pass, placed), **base}]
    if not placed["submits"]:
        return f"{component['id']} was submitted already"
    if refusal := run_pass.refusal_of_all():
        return f"nothing is held, because nothing begins: {refusal[1]}"
    return [
        {
            **place_of(run_pass, placed),
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
    """Return what only one worker of a pass may be at: the link of a transfer, or a machine; None for all else."""
    if name == "instance":
        return f"machine-{asked['component']}"
    if not asked.get("rate_kbps"):
        return None
    return f"controller-{asked['site']}" if name == "dataset" else f"{asked['site']}-controller"


PARAMETERS = {
    "artifact": artifact,
    "dataset": dataset,
    "inference_service": inference_service,
    "instance": instance,
    "job": job,
    "reservation": reservation,
}
