"""The examples that several components, or several sites, take part in: as a user runs them, over the whole lab."""

import json
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import numpy
import pytest
import yaml

from tests.lab.lab import Lab
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import digits_accuracy
from tests.playbooks.project import digits_held
from tests.playbooks.project import Project

EXAMPLES = CHECKOUT / "examples"
TRAINERS = {"north": "hunan", "east": "hangzhou-b", "south": "hangzhou-c"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), more=True) as made:
        yield made


@pytest.fixture
def project(lab, tmp_path):
    return Project(lab, tmp_path)


def jobs_of(lab, run):
    """Every job of a run that any platform of the lab ever knew; a cloud has machines and no jobs."""
    sites = [site for site in lab.sites if not site.name.endswith("/cloud")]
    return [job for site in sites for job in site.jobs() if run in job["name"]]


def files_of(lab, run):
    return [path for site in lab.sites for path in (site.home / "brain").glob(f"{run}*")]


def test_three_sites_train_together_and_a_fourth_averages(lab, project):
    run = project.approved(EXAMPLES / "joint-digits/task.yml")
    done = project.apply(run).good()
    (gang,) = project.events(run, "gang")
    assert set(gang["starts"]) == set(TRAINERS) and gang["skew_s"] <= gang["allowed_s"]
    assert f"started together, within {gang['skew_s']} s" in done.flat
    placed = {event["component"]: event["site"] for event in project.events(run, "placed")}
    assert placed == {**TRAINERS, "average": "centre-a"}
    assert digits_accuracy(project, run) >= 0.94
    trained = [job for job in jobs_of(lab, run) if any(f"-{name}" in job["name"] for name in TRAINERS)]
    assert len(trained) == 3 and {job["job_state"] for job in trained} == {"COMPLETED"}
    assert files_of(lab, run) == []


def changed_joint(folder, change):
    """Return the joint task in a folder of its own, with each of its components changed."""
    shutil.copytree(EXAMPLES / "joint-digits", folder / "task")
    path = folder / "task/task.yml"
    document = yaml.safe_load(path.read_text())
    for one in document["components"]:
        change(one)
    path.write_text(yaml.safe_dump(document))
    return path


def test_where_the_fourth_site_refuses_nothing_is_begun_anywhere(lab, project, tmp_path):
    # At centre A one pool has accelerators.
    task = changed_joint(tmp_path, lambda one: one["resources"].update(accelerators=1))
    run = project.approved(task)
    centre = lab.site("centre-a")
    centre.fault("partition", name="gpu", state="DOWN")
    for site in lab.sites:
        site.reset_counters()
    done = project.apply(run)
    centre.heal()
    assert done.code != 0 and "average has no place" in done.flat, done.text[-3000:]
    # What a cloud counts as a write is its login.
    written = {site.name: site.counters()["writes"] for site in lab.sites if not site.name.endswith("/cloud")}
    assert set(written.values()) == {0}, written
    assert jobs_of(lab, run) == [] and files_of(lab, run) == []
    project.apply(run).good()


def test_where_a_trainer_is_refused_none_of_the_gang_goes_on_and_release_leaves_nothing(lab, project, tmp_path):
    # So many steps that no trainer is done before it is ended.
    task = changed_joint(tmp_path, lambda one: one.get("parameters", {}).update(steps=2_000_000))
    run = project.approved(task)
    lab.site("hangzhou-c/donau").set(limits={"demo": {"grp_submit_jobs": 0}})
    done = project.apply(run)
    lab.site("hangzhou-c/donau").set(limits={"demo": {}})
    assert done.code != 0 and "hangzhou-c" in done.flat, done.text[-3000:]
    assert {job["job_state"] for job in jobs_of(lab, run)} <= {"CANCELLED"}
    assert project.events(run, "evaluated") == []
    project.play("release", "-e", f"plan={run}").good()
    assert files_of(lab, run) == []
    assert not [name for site in ("hunan", "centre-a") for name in lab.site(site).info()["reservations"] if run in name]


def test_predictions_of_a_second_dataset_come_home_and_are_measured(lab, project):
    run = project.approved(EXAMPLES / "infer-digits/task.yml")
    project.apply(run).good()
    (measured,) = project.events(run, "evaluated")
    found = numpy.loadtxt(measured["path"])
    accuracy = float((found == digits_held()[:, 64]).mean())
    assert accuracy >= 0.94 and measured["accuracy"] == f"{accuracy:.6f}" and measured["rows"] == len(found) == 360
    (sent,) = [c["datum"]["file"]["sha256"] for c in project.plan(run)["components"] if c["id"] == "move_second"]
    assert project.store.object_path(sent).read_text().count(",") == 63 * 360, "the labels stay here"


def test_predictions_that_are_not_good_enough_are_refused(lab, project, tmp_path):
    task = tmp_path / "task"
    shutil.copytree(EXAMPLES / "infer-digits", task)
    code = Path(task / "predict/predict.py")
    code.write_text(code.read_text().replace("argmax", "argmin"))
    done = project.apply(project.approved(task / "task.yml"))
    assert done.code != 0 and "0.94 was asked for" in done.flat


# -- a model that is served ----------------------------------------------------------------------------
def asked(lab, url, rows=None):
    context = ssl.create_default_context(cafile=lab.config / "ca.pem")
    data = json.dumps({"rows": rows}).encode() if rows else None
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20, context=context) as answer:
        return json.loads(answer.read())


def serves(lab, url):
    """Return whether the model answers. A gateway without it refuses, one of them with status 200."""
    try:
        return asked(lab, url).get("serves") == "digits"
    except urllib.error.HTTPError:
        return False


@pytest.fixture
def serving(tmp_path):
    """Return a function that writes the serving task, with its copies as asked, and returns the file."""

    def write(site, copies=1, deployment="digits"):
        folder = tmp_path / f"{site}-{copies}"
        shutil.copytree(EXAMPLES / "serve-digits", folder)
        document = yaml.safe_load((folder / "task.yml").read_text())
        document["deployment"] = deployment
        (web,) = [one for one in document["components"] if one["id"] == "web"]
        web["sites"] = [site]
        web["resources"] |= {"nodes": copies, "accelerators": copies}
        (folder / "task.yml").write_text(yaml.safe_dump(document))
        return folder / "task.yml"

    return write


@pytest.mark.parametrize(("site", "platform"), [("hangzhou-b", "aofei"), ("hunan", "tianyin")])
def test_a_model_is_served_scaled_in_place_and_ended_by_its_deployment(lab, project, serving, site, platform):
    first = project.approved(serving(site))
    done = project.apply(first).good()
    (answers,) = project.events(first, "answers")
    assert f"web answers at {answers['url']}: {answers['median_ms']} ms" in done.flat
    assert answers["median_ms"] > 0 and answers["status"] == 200 and answers["requests"] == 5
    held = digits_held()
    found = asked(lab, answers["url"], held[:, :64].tolist())["digits"]
    assert sum(a == b for a, b in zip(found, held[:, 64], strict=True)) / len(held) >= 0.94
    assert files_of(lab, first) == [], "the run's own files are gone, and it answers all the same"
    assert project.apply(first).good().changed["localhost"] == 0

    second = project.approved(serving(site, copies=2))
    project.apply(second).good()
    (scaled,) = project.events(second, "answers")
    assert scaled["replicas"] == 2 and asked(lab, scaled["url"])["serves"] == "digits"
    assert [event["found"] for event in project.events(second, "placed") if event["component"] == "web"] == [True]

    project.play("release", "-e", f"plan={second}").good()
    assert asked(lab, scaled["url"])["serves"] == "digits", "it is the deployment's, and not the run's"
    project.play("release", "-e", "deployment=digits", "--check", "--diff").good()
    assert asked(lab, scaled["url"])["serves"] == "digits"
    project.play("release", "-e", "deployment=digits").good()
    assert not serves(lab, scaled["url"])
    copies = [job for job in lab.site(f"{site}/{platform}").jobs() if job["name"] == "swb-digits-web"]
    assert len(copies) == 3 and {job["job_state"] for job in copies} == {"CANCELLED"}
    assert not list((lab.site(f"{site}/{platform}").home / "brain").glob("digits*"))


def test_a_service_moves_to_another_site_and_leaves_the_old_one_when_it_answers(lab, project, serving):
    first = project.approved(serving("hunan", deployment="moving"))
    project.apply(first).good()
    (old,) = project.events(first, "answers")
    second = project.approved(serving("hangzhou-b", deployment="moving"))
    (web,) = [one for one in project.plan(second)["components"] if one["id"] == "web"]
    assert {pool.partition("/")[0] for pool in web["pools"]} == {"hangzhou-b"}
    assert [pool.partition("/")[0] for pool in web["leaves"]] == ["hunan"]
    shown = project.apply(second, "--check", "--diff").good()
    assert "-service swb-moving-web" in shown.flat and "+service swb-moving-web" in shown.flat
    assert asked(lab, old["url"])["serves"] == "digits"
    project.apply(second).good()
    (new,) = project.events(second, "answers")
    assert asked(lab, new["url"])["serves"] == "digits" and not serves(lab, old["url"])
    steps = [event["event"] for event in project.events(second) if event.get("component") == "web"]
    assert steps.index("answers") < len(steps) - 1 - steps[::-1].index("intent"), "the old one ended after that"
    assert not list((lab.site("hunan/tianyin").home / "brain").glob("moving*")), "and its files with it"
    assert project.apply(second).good().changed["localhost"] == 0
    project.play("release", "-e", "deployment=moving").good()
    assert not serves(lab, new["url"])


def test_check_says_that_it_would_be_served_and_makes_nothing(lab, project, serving):
    run = project.approved(serving("hangzhou-b", deployment="shown"))
    done = project.apply(run, "--check", "--diff").good()
    assert "service swb-shown-web" in done.flat and "1 copies: running" in done.flat
    assert (
        jobs_of(lab, run) == [] and [job for job in lab.site("hangzhou-b/aofei").jobs() if "shown" in job["name"]] == []
    )


def test_where_no_site_keeps_services_the_refusal_says_so(project, serving):
    done = project.propose(serving("centre-a"))
    assert done.code != 0 and "keeps no service that answers" in done.flat
