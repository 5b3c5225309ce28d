"""The digits in a framework on a real cluster: planned, approved, carried out, brought home and measured."""

import json
import platform

import yaml

from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project
from tests.real import frameworks

SITE = "centre-a"
#: A framework is imported for minutes on a busy machine.
APPLY_S = 1200


def digits(framework, slurm, folder):
    """Return what came of it; fail where a step does, or the framework is not what ran.

    {accuracy, rows}: measured on rows that never left the controller. {device, said_version}: the job's own words.
    """
    project = Project(slurm, folder)
    _offer(project.own_config(), framework)
    run = project.approved(CHECKOUT / "examples" / "digits" / f"task-{framework}.yml")
    component = next(one for one in project.plan(run)["components"] if one["id"] == "train")
    assert component["framework"] == framework
    assert {pool.split("/")[0] for pool in component["pools"]} == {SITE}, f"only there is {framework}"
    project.apply(run, timeout=APPLY_S).good()
    (number,) = slurm.site(SITE).copies(f"swb-{run}-train.a1")
    assert slurm.site(SITE).tool("sacct", "-n", "-X", "-P", "-j", number, "-o", "State").strip() == "COMPLETED"
    (measured,) = project.events(run, "evaluated")
    said = json.loads((project.store.run_dir(run) / "artifacts" / "train" / "metrics.json").read_text("utf-8"))
    assert said["framework"] == framework
    assert said["version"].partition("+")[0] == frameworks.version(framework)
    return {"accuracy": float(measured["accuracy"]), "rows": measured["rows"],
            "device": said["device"], "said_version": said["version"]}  # fmt: skip


def _offer(config, framework):
    """Let the site files say that one site has the framework, where it is, and no other has it."""
    python = frameworks.python(framework)
    for path in (config / "sites").glob("*.yml"):
        site = yaml.safe_load(path.read_text("utf-8"))
        site["runtimes"] = [one for one in site["runtimes"] if one["framework"] != framework]
        if path.stem == SITE:
            version = frameworks.version(framework)
            there = {"framework": framework, "version": version, "arch": platform.machine(), "launch": [str(python)]}
            site["runtimes"].append(there)
        path.write_text(yaml.safe_dump(site, allow_unicode=True, sort_keys=False), "utf-8")
