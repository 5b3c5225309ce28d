"""A folder of small files as input: it travels as one archive, and the job finds it as a folder."""

import hashlib
import json

from tests.playbooks.project import write_task

CODE = """\
import hashlib, json, os
folder, found = os.environ["SWB_INPUT_PICTURES"], {}
for root, _, names in os.walk(folder):
    for name in names:
        path = os.path.join(root, name)
        found[os.path.relpath(path, folder)] = hashlib.sha256(open(path, "rb").read()).hexdigest()
with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "found.json"), "w") as stream:
    json.dump(found, stream)
"""


def test_a_folder_of_files_arrives_whole(project, tmp_path):
    pictures = tmp_path / "task" / "图片 集"
    wanted = {}
    for number in range(300):
        path = pictures / f"第{number % 3}类" / f"{'long-' * 25}{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"picture {number}".encode() * 50)
        wanted[str(path.relative_to(pictures))] = hashlib.sha256(path.read_bytes()).hexdigest()
    task = write_task(
        tmp_path / "task",
        inputs=[{"name": "pictures", "uri": "图片 集", "data_level": "public"}],
        outputs=[{"name": "found", "path": "found.json"}],
    )
    (tmp_path / "task" / "code" / "main.py").write_text(CODE)
    run = project.approved(task)
    project.apply(run).good()
    found = json.loads((project.store.run_dir(run) / "artifacts" / "train" / "found.json").read_text())
    assert found == wanted
    (moved,) = [one for one in project.plan(run)["components"] if one["kind"] == "move_data"]
    again = project.plan(project.planned(task))
    assert [one["datum"]["file"] for one in again["components"] if one["kind"] == "move_data"] == [
        moved["datum"]["file"]
    ], "equal folders are equal bytes"


def test_a_folder_has_no_holdout_and_no_links(project, tmp_path):
    (tmp_path / "task" / "rows").mkdir(parents=True)
    (tmp_path / "task" / "rows" / "a").write_text("a")
    item = {"name": "rows", "uri": "rows", "data_level": "public"}
    task = write_task(tmp_path / "task", inputs=[{**item, "holdout": {"modulo": 5, "remainder": 0}}])
    done = project.propose(task)
    assert done.code != 0 and "is a folder, and a holdout takes parts of a file" in done.flat
    (tmp_path / "task" / "rows" / "b").symlink_to("a")
    done = project.propose(write_task(tmp_path / "task", inputs=[item]))
    assert done.code != 0 and "is a symbolic link, which does not travel" in done.flat
