"""The digits, the same bytes of code and data, trained once on each platform by the playbooks a user runs."""

import functools
import hashlib
import threading

import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.plugin_utils import intake
from tests.contract.benches import THIRD
from tests.lab.lab import Lab
from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import digits_accuracy
from tests.playbooks.project import Project

DIGITS = CHECKOUT / "examples" / "digits"
#: platform → its place, and an accelerator that is there
PLACES = {
    "aofei": ("hangzhou-b/aofei", "h800-sxm"),
    "custom": ("lakeside/third", "l20"),
    "donau": ("hangzhou-c/donau", "910b4"),
    "openstack": ("hunan/cloud", "910b4"),
    "slurm": ("hunan/slurm", "910b4"),
    "tianyin": ("hunan/tianyin", "910b3"),
}


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """Return a function: site → a lab of that site alone, started at the first call."""
    started = {}

    def lab_of(site):
        if site not in started:
            options = {"source": THIRD} if site == "lakeside" else {"more": True}
            started[site] = Lab(tmp_path_factory.mktemp(site), sites=[site], **options).start()
        return started[site]

    yield lab_of
    for lab in started.values():
        lab.stop()


def only(config, place):
    """Leave of a config folder one site, its links, and the tenant's account at one platform, with its login node."""
    site, _slash, endpoint = place.partition("/")
    for other in [path for path in (config / "sites").glob("*.yml") if path.stem != site]:
        other.unlink()
    links, tenants = (yaml.safe_load((config / name).read_text()) for name in ("links.yml", "tenants.yml"))
    kept = [row for row in links["links"] if site in row.values()]
    (config / "links.yml").write_text(yaml.safe_dump({"links": kept}))
    demo = tenants["tenants"]["demo"]
    accounts = demo["sites"][site]
    demo["sites"] = {site: {name: accounts[name] for name in (endpoint, "login") if name in accounts}}
    (config / "tenants.yml").write_text(yaml.safe_dump(tenants, allow_unicode=True))


class Witness:
    """Looks, while a run goes on, at the bytes of code that lie in its work folder at the site."""

    def __init__(self, site, run):
        below = f"brain/{run}/train/a1/code.tar"
        self._look = lambda: [*site.home.glob(below), *site.folder.glob(f"machines/*/home/{below}")]
        self._over, self.seen = threading.Event(), []

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.1):
            for path in self._look():
                try:
                    self.seen.append(hashlib.sha256(path.read_bytes()).hexdigest())
                except OSError:  # given back in between
                    continue


@pytest.fixture(scope="module", params=PLACES)
def trained(request, labs, tmp_path_factory):
    """A digits run taken to its end on one platform; yields (project, run, place, site, what was seen of its code)."""
    place, model = PLACES[request.param]
    lab = labs(place.partition("/")[0])
    site = next(one for name in (place, place.partition("/")[0]) for one in lab.sites if one.name == name)
    folder = tmp_path_factory.mktemp(request.param)
    task = (DIGITS / "task.yml").read_text()
    assert "accelerators: 1," in task
    task = task.replace("accelerators: 1,", f"accelerators: 1, accelerator: {model},")
    for name in ("digits.csv", "code"):
        (folder / name).symlink_to(DIGITS / name)
    (folder / "task.yml").write_text(task)
    project = Project(lab, folder)
    only(project.own_config(), place)
    run = project.approved(folder / "task.yml")
    with Witness(site, run) as witness:
        project.apply(run).good()
    return project, run, place, site, witness.seen


@functools.cache
def code():
    """Return the SHA-256 of the example's code as it travels, made here and not by any run."""
    return hashlib.sha256(intake.archive(DIGITS / "code")).hexdigest()


def test_the_model_comes_home_and_is_as_good_as_anywhere(trained):
    project, run, place, _site, _seen = trained
    assert [event["state"] for event in project.events(run, "closed")] == ["succeeded"]
    (component,) = [c for c in project.plan(run)["components"] if c["id"] == "train"]
    assert {pool.rpartition("/")[0] for pool in component["pools"]} == {place}
    assert digits_accuracy(project, run) >= 0.94


def test_the_code_that_lay_there_is_the_same_bytes_as_everywhere(trained):
    _project, _run, _place, _site, seen = trained
    assert seen and seen[-1] == code()


def test_it_ran_there_once_as_a_real_process_and_left_nothing(trained):
    project, run, place, site, _seen = trained
    assert len(project.events(run, "submitted")) == 1
    if place == "hunan/cloud":
        info = site.info()
        assert info["servers"] == [] and not any(info["network"].values())
        return
    (job,) = [job for job in site.jobs() if run in job["name"]]
    assert job["hosts"] and job["exit_code"] == 0
    assert [path for path in (site.home / "brain").glob(f"{run}*")] == []


def test_applying_it_again_changes_nothing(trained):
    project, run, _place, site, _seen = trained
    site.reset_counters()
    again = project.apply(run).good()
    assert again.changed == {"localhost": 0}
    assert site.counters()["writes"] == 0


def test_perceive_shows_the_pool(trained):
    project, _run, place, _site, _seen = trained
    shown = project.perceive().good()
    assert place.rpartition("/")[2] in shown.flat or place.partition("/")[0] in shown.flat
    assert "live" in shown.flat
