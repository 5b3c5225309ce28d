"""What goes wrong, as a user meets it: each names the field or the site and the way out, and leaves nothing behind."""

import json
import shutil

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import carried
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from tests.playbooks.project import write_task

SITES = ("hunan", "centre-a")


def refused(done, *words):
    """Check that a command failed with a sentence that holds all words."""
    assert done.code != 0, done.text[-3000:]
    assert "Traceback" not in done.text
    for word in words:
        assert word in done.flat, done.text[-4000:]


def untouched(lab):
    """Check that no site has seen a write, nor a read, since its counters were at zero."""
    for name in SITES:
        counters = lab.site(name).counters()
        assert (counters["reads"], counters["writes"]) == (0, 0), (name, counters)


def reset(lab):
    for name in SITES:
        lab.site(name).reset_counters()


def test_no_inventory_given(project, digits):
    refused(project.play("perceive"), "no pool in the inventory", "-i inventories/lab/fleet.brain.yml")
    refused(project.play("propose", "-e", f"task={digits}"), "-i inventories/lab/fleet.brain.yml")


def test_task_that_is_not_yaml(project):
    path = project.folder / "task.yml"
    path.write_text("name: [unclosed\n")
    refused(project.propose(path), "task.yml:", "is not YAML", "Correct that line")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"framework": "tensorfow"}, ("components[0].framework", "tensorflow", "mindspore")),
        ({"resources": {"accelerators": 17}}, ("hunan/slurm/npu", "16", "17")),
        ({"id": "Train-1"}, ("components[0].id", "Train-1", "1 to 20 of a-z, 0-9 and _, starting with a letter")),
        (
            {"inputs": [{"name": "d", "uri": "nowhere.csv"}]},
            ("components[0].inputs[0].uri", "nowhere.csv", "not there"),
        ),
        ({"code": {"path": "code", "entry": "absent.py"}}, ("components[0].code", "absent.py", "not there")),
    ],
    ids=["framework", "too many cards", "component id", "no dataset", "no code"],
)
def test_task_with_a_wrong_field(project, lab, changes, words):
    refused(project.propose(write_task(project.folder / "t", **changes)), *words)
    assert project.store.runs() == []


def test_dataset_with_another_checksum(project):
    folder = project.folder / "t"
    task = write_task(folder, inputs=[{"name": "d", "uri": "d.csv", "sha256": "0" * 64}])
    (folder / "d.csv").write_text("1,2\n")
    refused(project.propose(task), "components[0].inputs[0].sha256", "0000", "Get the right file")


def test_dataset_that_changed_after_approval(project, lab):
    folder = project.folder / "t"
    task = write_task(folder, inputs=[{"name": "d", "uri": "d.csv", "data_level": "public"}])
    (folder / "d.csv").write_text("1,2\n")
    run = project.approved(task)
    (folder / "d.csv").write_text("3,4\n")
    refused(project.apply(run), "d.csv", "checksum")
    assert not project.events(run, "submitted")


def test_unknown_pick_names_the_labels(project, digits):
    refused(project.propose(digits, pick="quickest"), "quickest", "fastest")


def test_requester_must_be_known(project, digits):
    refused(project.propose(digits, "-e", "requester=stranger"), "stranger", "requester@lab.invalid")


def test_plan_edited_by_one_byte(project, lab, digits):
    run = project.approved(digits)
    path = project.store.find_plan(run) / "plan.json"
    data = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(data.replace(b'"cpu":1', b'"cpu":2', 1))
    assert path.read_bytes() != data
    reset(lab)
    refused(project.apply(run), "was changed", "Propose again")
    # Neither another inventory nor variables help: the bytes are looked at, and no site is.
    other = project.folder / "other.yml"
    other.write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    refused(project.apply(run, "-i", other, "-e", "brain_digest=0"), "was changed")
    untouched(lab)


def test_variables_change_nothing(project, lab, digits):
    """An inventory, host_vars and -e beside an approved plan: the plan's bytes decide, the variables are ignored."""
    run = project.approved(digits)
    folder = project.folder / "hostile"
    (folder / "host_vars").mkdir(parents=True)
    (folder / "hosts.yml").write_text(
        json.dumps({"all": {"hosts": {"localhost": {"ansible_connection": "local"}}, "children": {"brain_components": {
            "hosts": {"c-train": {"brain_kind": "collect"}, "c-stranger": {"brain_component": "train"}}}}}})
    )  # fmt: skip
    (folder / "host_vars" / "c-train.yml").write_text(
        "brain_component: collect_model\nbrain_run: other\nbrain_pools_allowed: [nowhere]\nwall_s: 1\n"
    )
    done = project.apply(
        run, "-i", folder / "hosts.yml", "-e", "brain_component=other", "-e", "brain_run=other", "-e", "pool=nowhere",
        "-e", "ansible_connection=local",
    ).good()  # fmt: skip
    assert project.events(run, "closed")[-1]["state"] == "succeeded"
    assert len(project.events(run, "submitted")) == 1
    assert "c-stranger" not in [event["component"] for event in project.events(run)]
    assert done.code == 0


def test_a_carried_plan_is_verified_like_a_folder(project, lab, digits):
    run = project.approved(digits)
    folder, elsewhere = project.store.find_plan(run), Store(project.folder / "elsewhere")
    objects, word = project.store.root / "objects", carried.pack(project.store, folder)
    unsigned = carried.pack(elsewhere, shutil.copytree(folder, project.folder / "x", ignore=lambda *_: ["approvals"]))
    edited = project.folder / "y"
    shutil.copytree(folder, edited)
    (edited / "plan.json").chmod(0o600)
    (edited / "plan.json").write_bytes((edited / "plan.json").read_bytes().replace(b'"cpu":1', b'"cpu":2', 1))
    project.store = elsewhere
    shutil.copytree(objects, elsewhere.root / "objects")
    reset(lab)
    refused(project.apply(unsigned), "is not approved: 1 approval(s) missing")
    refused(project.apply(carried.pack(elsewhere, edited)), "is not approved", "another plan")
    refused(project.apply(word[:-40]), "does not read")
    project.apply(word, "--check")
    assert elsewhere.runs() == []
    project.apply(word).good()
    assert elsewhere.runs() == [run] and elsewhere.find_plan(run) == elsewhere.plan_dir(folder.name)
    assert project.events(run, "closed")[-1]["state"] == "succeeded"
    assert "nothing is left to do" in project.apply(run).good().flat
    assert project.play("release", "-e", f"plan={word}").good().code == 0


def test_another_config_folder_is_another_site(project, lab, digits):
    run = project.approved(digits)
    copy = project.own_config()
    site = copy / "sites" / "hunan.yml"
    site.write_text(site.read_text().replace("address: 127.10.0.1", "address: 127.10.0.9"))
    reset(lab)
    refused(project.apply(run), "hunan", "otherwise than the plan's approval")
    untouched(lab)


def test_component_called_localhost(project, lab):
    task = write_task(project.folder / "t", id="localhost", outputs=[])
    run = project.approved(task)
    done = project.apply(run).good()
    assert done.changed["c-localhost"] >= 1
    assert done.changed["localhost"] == 0


def test_unapproved_plan(project, lab, digits):
    run = project.planned(digits)
    reset(lab)
    refused(project.apply(run), "is not approved: 1 approval(s) missing", "playbooks/approve.yml")
    untouched(lab)


def test_requester_cannot_approve(project, digits):
    run = project.planned(digits)
    refused(project.approve(run, "requester"), "requester@lab.invalid")
    refused(project.apply(run), "is not approved")


def test_signature_by_an_unknown_key(project, lab, digits):
    run = project.planned(digits)
    key = project.folder / "stranger"
    made = asyncssh.generate_private_key("ssh-ed25519")
    made.write_private_key(str(key))
    made.write_public_key(f"{key}.pub")
    refused(project.approve(run, key), "stands in no line of allowed_signers", "SHA256:")
    # Signed elsewhere and put beside the plan by hand: the play refuses it too.
    config = project.own_config()
    signers = config / "allowed_signers"
    public = key.with_suffix(".pub").read_text().split()
    kept = signers.read_text()
    signers.write_text(kept + f"approver@lab.invalid {public[0]} {public[1]}\n")
    project.approve(run, key).good()
    signers.write_text(kept)
    reset(lab)
    refused(project.apply(run), "by a key that allowed_signers does not know")
    untouched(lab)


def test_dead_site_does_not_blind_the_other(project, lab):
    project.perceive().good()
    lab.site("centre-a").fault("dead")
    seen = project.perceive().good()
    assert "centre-a" in seen.flat and "stale" in seen.text and "live" in seen.text
    # A site that was never seen is shown as lost, not as empty.
    shutil.rmtree(project.store.root / "snapshots")
    seen = project.perceive().good()
    assert "centre-a/slurm is lost" in seen.flat
    # Its pool is not there to be planned on, the other one is.
    task = write_task(project.folder / "t")
    run = project.planned(task)
    assert project.plan(run)["components"][0]["pools"] == ["hunan/slurm/npu"]


def test_job_that_exits_3(project, lab):
    folder = project.folder / "t"
    task = write_task(folder, outputs=[{"name": "model", "path": "model.npz"}])
    (folder / "code/main.py").write_text("import sys; print('the last words'); sys.exit(3)\n")
    run = project.approved(task)
    done = project.apply(run)
    refused(done, "exit code 3", "the last words", "collect_model", "release.yml")
    assert project.events(run, "closed")[-1]["state"] == "failed"
    assert len(project.events(run, "submitted")) == 1
    # The same again looks, finds the failed job, and submits nothing.
    refused(project.apply(run), "exit code 3")
    assert len(project.events(run, "submitted")) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("port: ", "port: 70000 # ", ("hunan.yml:", "port", "70000", "at most 65535")),
        ("address: 127.10.0.1", "address: 127.99.0.1", ("hunan.yml:", "127.99.0.1", "intranet", "127.10.0.0/16")),
        ("platform: slurm", "platform: slorm", ("slorm", "slurm")),
    ],
    ids=["port", "address", "platform"],
)
def test_site_file_with_a_wrong_field(project, lab, old, new, words):
    site = project.own_config() / "sites" / "hunan.yml"
    site.write_text(site.read_text().replace(old, new, 1))
    reset(lab)
    refused(project.perceive(), *words)
    untouched(lab)


def test_partial_runs_are_refused_by_the_judge(project, lab, digits):
    run = project.approved(digits)
    refused(project.apply(run, "--limit", "localhost"), "did not run in this pass")
    refused(project.apply(run, "--tags", "nothing"), "did not run in this pass")


def test_too_few_forks(project, lab, digits):
    run = project.approved(digits)
    reset(lab)
    refused(project.apply(run, "--forks", "2"), "needs 8 forks", "--forks 8")
    untouched(lab)


def test_ignored_keywords_are_refused(project, lab):
    book = project.folder / "book.yml"
    book.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - suanwang.brain.pool_info: {site: hunan}\n      become: true\n"
    )
    refused(project.run("ansible-playbook", book), "cannot honour `become`")


def test_pool_refuses_to_be_a_machine(project, lab):
    done = project.run("ansible", "all", "-i", project.inventory, "-m", "ansible.builtin.ping")
    refused(done, "a pool is not a machine", "all:!brain_pools")
