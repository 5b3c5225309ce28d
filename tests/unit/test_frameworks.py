# SPDX-License-Identifier: GPL-3.0-or-later
"""The digits are one task in every framework, and whether a framework has a wheel is what pip says."""

import json
import zipfile

import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils.resources import Runtime
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import task
from tests.readme import ROOT
from tests.real import frameworks
from tests.real import packages

DIGITS = ROOT / "examples" / "digits"
FRAMEWORKS = sorted(
    set(json.loads(task.SCHEMA.read_text("utf-8"))["$defs"]["component"]["properties"]["framework"]["enum"]) - {"none"}
)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_task_is_the_same_in_every_framework(framework):
    document = yaml.safe_load((DIGITS / f"task-{framework}.yml").read_text("utf-8"))
    task.parse(document)
    (component,) = document["components"]
    assert (document["name"], component["framework"]) == (f"digits-{framework}", framework)
    assert (DIGITS / component["code"]["path"] / component["code"]["entry"]).is_file()
    text = (DIGITS / f"task-{framework}.yml").read_text("utf-8").split("name:", 1)[1]
    other = (DIGITS / "task-pytorch.yml").read_text("utf-8").split("name:", 1)[1]
    assert text == other.replace("pytorch", framework)


@pytest.mark.parametrize(
    "found, asked, fits",
    [("2.4.1", "2.4", True), ("2.4.1", "2.4.1", True), ("2.4", "2.4.1", False), ("2.40", "2.4", False),
     ("2.4.1", None, True), (None, "2.4", True)],
)  # fmt: skip
def test_a_version_is_asked_for_by_its_beginning(found, asked, fits):
    assert Runtime("mindspore", found).has_version(asked) is fits


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Let pip know a folder of ours, and a package index that is a folder without anything; return the first."""
    for name in ("wheels", "index"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for name, value in {"CONFIG_FILE": "/dev/null", "CONSTRAINT": "", "EXTRA_INDEX_URL": "", "FIND_LINKS": "wheels",
                        "INDEX_URL": (tmp_path / "index").as_uri()}.items():  # fmt: skip
        monkeypatch.setenv(f"PIP_{name}", value)
    return tmp_path / "wheels"


def put(shelf, tag):
    """Put a wheel of the pinned MindSpore on the shelf."""
    version = frameworks.version("mindspore")
    info, name = f"mindspore-{version}.dist-info", f"mindspore-{version}-{tag}.whl"
    with zipfile.ZipFile(shelf / name, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: mindspore\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name


def test_a_wheel_is_found_for_the_python_and_machine_that_it_is_for(shelf):
    name = put(shelf, "cp312-cp312-manylinux_2_28_aarch64")
    assert frameworks.wheel("mindspore", "3.12", "aarch64") == name
    for python, arch in (("3.12", "x86_64"), ("3.13", "aarch64")):
        with pytest.raises(frameworks.NoWheel, match="mindspore==.*from versions: none"):
            frameworks.wheel("mindspore", python, arch)


def test_here_a_wheel_for_every_machine_is_found(shelf):
    with pytest.raises(frameworks.NoWheel):
        frameworks.wheel("mindspore")
    name = put(shelf, "py3-none-any")
    assert frameworks.wheel("mindspore") == name


def test_an_index_that_does_not_answer_is_not_one_without_a_wheel(shelf, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    with pytest.raises(packages.Missing, match="has to reach a package index") as error:
        frameworks.wheel("mindspore")
    assert not isinstance(error.value, frameworks.NoWheel)
