"""The collection, built and installed into an empty folder: no checkout, no ansible.cfg of ours."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.playbooks.project import CHECKOUT
from tests.playbooks.project import Project
from tests.playbooks.project import write_task

SOURCE = CHECKOUT / "collections" / "ansible_collections" / "suanwang" / "brain"


class Installed(Project):
    """A user who has the tarball only, installed into a folder of their own."""

    @property
    def environment(self):
        given = super().environment
        del given["ANSIBLE_CONFIG"]
        return {**given, "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"), "ANSIBLE_FORKS": "20"}

    def play(self, name, *arguments, **options):
        return self.run("ansible-playbook", f"suanwang.brain.{name}", *arguments, cwd=self.folder, **options)


def test_perceive_propose_approve_apply(lab, tmp_path):
    user = Installed(lab, tmp_path)
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    source = tmp_path / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "output"))
    for command in (
        ["build", str(source), "--output-path", str(tmp_path)],
        ["install", str(tmp_path / "suanwang-brain-0.1.0.tar.gz"), "-p", str(tmp_path / "collections"), "--offline"],
    ):
        subprocess.run([galaxy, "collection", *command], check=True, env=user.environment, cwd=tmp_path)
    shutil.rmtree(source)
    assert (tmp_path / "collections/ansible_collections/suanwang/brain/MANIFEST.json").is_file()

    seen = user.perceive().good()
    assert "slurm:npu" in seen.text
    (tmp_path / "t" / "code").mkdir(parents=True)
    (tmp_path / "t" / "code" / "main.py").write_text(
        "import os; open(os.environ['SWB_OUTPUT_DIR'] + '/said', 'w').write('alone')\n"
    )
    task = write_task(tmp_path / "t", outputs=[{"name": "said", "path": "said"}])
    # A relative path is looked up from where the user stands, not inside the collection.
    run = user.planned(task.relative_to(tmp_path))
    user.approve(run).good()
    user.apply(run).good()
    assert (user.store.run_dir(run) / "artifacts/train/said").read_text() == "alone"
