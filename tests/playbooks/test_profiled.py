"""The digits, the same bytes of code and data, trained on each platform by the playbooks a user runs.

On a cloud they run on a machine that is made for them: test_cloud.py.
"""

import hashlib
import json
from pathlib import Path

import numpy
import pytest
import yaml

from tests.contract.benches import THIRD
from tests.lab.lab import Lab
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project

#: platform → its place, what only that platform has, and the lab it is in
PLACES = {
    "aofei": ("hangzhou-b/aofei", "h800-sxm", {"sites": ["hangzhou-b"], "more": True}),
    "donau": ("hangzhou-c/donau", "910b4", {"sites": ["hangzhou-c"], "more": True}),
    "tianyin": ("hunan/tianyin", "910b3", {"sites": ["hunan"], "more": True}),
    "slurm": ("hunan/slurm", "910b4", {"sites": ["hunan"]}),
    "custom": ("lakeside/third", "l20", {"source": THIRD}),
}


@pytest.fixture(scope="module", params=PLACES)
def trained(request, tmp_path_factory):
    """A digits run taken to its end on one platform; yields (project, run, place, site)."""
    place, model, options = PLACES[request.param]
    site = place.partition("/")[0]
    folder = tmp_path_factory.mktemp(request.param)
    task = (CHECKOUT / "examples/digits/task.yml").read_text()
    assert "accelerators: 1," in task
    task = task.replace("accelerators: 1,", f"accelerators: 1, accelerator: {model},")
    (folder / "digits.csv").symlink_to(CHECKOUT / "examples/digits/digits.csv")
    (folder / "code").symlink_to(CHECKOUT / "examples/digits/code")
    (folder / "task.yml").write_text(task)
    with Lab(folder / "lab", **options) as lab:
        for other in [path for path in (lab.config / "sites").glob("*.yml") if path.stem != site]:
            other.unlink()
        links = lab.config / "links.yml"
        kept = [row for row in yaml.safe_load(links.read_text())["links"] if site in row.values()]
        links.write_text(yaml.safe_dump({"links": kept}))
        project = Project(lab, folder)
        run = project.approved(folder / "task.yml")
        project.apply(run).good()
        yield project, run, place, next(one for name in (place, site) for one in lab.sites if one.name == name)


def test_the_model_comes_home_and_is_as_good_as_anywhere(trained):
    project, run, place, _site = trained
    assert [event["state"] for event in project.events(run, "closed")] == ["succeeded"]
    (component,) = [c for c in project.plan(run)["components"] if c["id"] == "train"]
    assert {pool.rpartition("/")[0] for pool in component["pools"]} == {place}
    (measured,) = project.events(run, "evaluated")
    model = Path(measured["path"])
    assert hashlib.sha256(model.read_bytes()).hexdigest() == measured["sha256"]
    rows = numpy.loadtxt(CHECKOUT / "examples/digits/digits.csv", delimiter=",")
    held = rows[numpy.arange(len(rows)) % 5 == 0]
    with numpy.load(model, allow_pickle=False) as arrays:
        scores = held[:, :64] / 16 @ arrays["W"] + arrays["b"]
    assert float((scores.argmax(axis=1) == held[:, 64]).mean()) >= 0.94


def test_it_ran_there_once_as_a_real_process_and_left_nothing(trained):
    project, run, _place, site = trained
    (job,) = [job for job in site.jobs() if run in job["name"]]
    assert job["hosts"] and json.loads(json.dumps(job["exit_code"])) == 0
    assert [path for path in (site.home / "brain").glob(f"{run}*")] == []


def test_applying_it_again_changes_nothing(trained):
    project, run, _place, site = trained
    site.reset_counters()
    again = project.apply(run).good()
    assert again.changed == {"localhost": 0}
    assert site.counters()["writes"] == 0


def test_perceive_shows_the_pool(trained):
    project, _run, place, _site = trained
    shown = project.perceive().good()
    assert place.rpartition("/")[2] in shown.flat or place.partition("/")[0] in shown.flat
    assert "live" in shown.flat
