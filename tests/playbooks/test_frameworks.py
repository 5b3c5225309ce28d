"""A component's framework chooses where it may run and what starts it there. The frameworks themselves: tests/real."""

import yaml

from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import write_task

EXAMPLES = CHECKOUT / "examples" / "digits"
#: Writes who started it.
CODE = """import os
with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "starter.txt"), "w") as file:
    file.write(os.environ["STARTER"])
"""


def offers(config, site, *runtimes):
    """Let a site file say that the site has these frameworks, as (framework, version), and plain Python no more."""
    path = config / "sites" / f"{site}.yml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["runtimes"] = [
        {"framework": framework, "version": version, "launch": ["/usr/bin/env", f"STARTER={framework}-{version}",
         "{root}/sw/bin/python3"]} for framework, version in runtimes
    ]  # fmt: skip
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


def test_only_pools_that_have_it_are_allowed_and_the_others_say_what_they_have(project):
    shown = project.propose(EXAMPLES / "task-pytorch.yml").good()
    assert "hunan/slurm/npu has no pytorch; it has mindspore, none" in shown.flat
    (run,) = project.store.runs()
    component = next(one for one in project.plan(run)["components"] if one["id"] == "train")
    assert component["framework"] == "pytorch" and component["pools"] == ["centre-a/slurm/gpu"]


def test_where_no_site_has_it_each_says_so_and_nothing_is_planned(project):
    done = project.propose(EXAMPLES / "task-caffe.yml")
    assert done.code != 0
    for words in (
        "hunan/slurm/npu has no caffe",
        "centre-a/slurm/gpu has no caffe",
        "use mindspore or none (for hunan",
    ):
        assert words in done.flat, done.text
    assert project.store.runs() == []


def test_the_version_that_was_planned_is_the_one_that_starts(project, lab):
    config = project.own_config()
    offers(config, "centre-a", ("pytorch", "2.5.0"), ("tensorflow", "2.4.1"), ("pytorch", "2.4.1"))
    task = write_task(
        project.folder / "t",
        framework="pytorch",
        framework_version="2.4",  # of 2.4.1
        outputs=[{"name": "starter", "path": "starter.txt"}],
    )
    (task.parent / "code" / "main.py").write_text(CODE)
    run = project.approved(task)
    project.apply(run).good()
    starter = project.store.run_dir(run) / "artifacts" / "train" / "starter.txt"
    assert starter.read_text() == "pytorch-2.4.1"
