"""The rules hold for this tree, and each of them notices a planted violation."""

import shutil

import pytest

from tests.structure import arrows
from tests.structure import house
from tests.structure.tree import COLLECTION
from tests.structure.tree import files
from tests.structure.tree import MODULE_UTILS
from tests.structure.tree import ROOT

PLANNING = f"{COLLECTION}/plugins/plugin_utils/planning"
PLATFORMS = f"{MODULE_UTILS}/platforms"

# A file, a line put at its end, a piece of the sentence that has to come back.
IMPORTS = [
    (f"{MODULE_UTILS}/errors.py", "from .sites import connect", "errors may not import sites"),
    (f"{MODULE_UTILS}/errors.py", "from . import sites", "errors may not import sites"),
    (f"{MODULE_UTILS}/errors.py", "def f():\n    from . import sites", "circle: "),
    (f"{MODULE_UTILS}/sites.py", "import requests", "requests belongs in"),
    (f"{MODULE_UTILS}/sites.py", "from requests import Session", "requests belongs in"),
    (f"{MODULE_UTILS}/sites.py", "import asyncssh", "asyncssh belongs in"),
    (f"{MODULE_UTILS}/sites.py", "import ansible_runner", "ansible_runner belongs in"),
    (f"{MODULE_UTILS}/sites.py", "import webhook.app", "imports itself relatively"),
    (
        f"{MODULE_UTILS}/sites.py",
        "from ansible_collections.suanwang.brain.plugins.module_utils import errors",
        "imports itself relatively",
    ),
    (f"{PLATFORMS}/planted.py", "from . import slurm", "one platform imports another"),
    (f"{PLANNING}/plan.py", "import time", "time: planning is pure"),
    (f"{PLANNING}/plan.py", "import ansible.errors", "ansible: planning is pure"),
    (f"{PLANNING}/plan.py", "NOW = datetime.now()", "planning has no clock"),
    (f"{PLANNING}/plan.py", "from ...module_utils import sites", "planning may not import sites"),
    (f"{COLLECTION}/plugins/strange/file.py", "", "no room of the table"),
    ("webhook/app.py", "import ansible_runner", "ansible_runner belongs in"),
    (
        "webhook/app.py",
        "from ansible_collections.suanwang.brain.plugins.module_utils import sites",
        "webhook app may not import sites",
    ),
    ("webhook/api/runs.py", "from tests import lab", "does not import its tests"),
]
PLANTED = [
    (house.modules_have_actions, f"{COLLECTION}/plugins/modules/lonely.py", "lonely is missing"),
    (house.modules_have_actions, f"{COLLECTION}/plugins/action/lonely.py", "lonely is too many"),
    (house.action_group_is_what_talks_to_sites, f"{COLLECTION}/plugins/modules/lonely.py", "lonely"),
    (house.registry_is_the_folder, f"{PLATFORMS}/planted.py", "planted is missing"),
    (house.platforms_are_complete, f"{PLATFORMS}/planted.py", "planted: no inventory plugin"),
    (house.platforms_are_complete, f"{PLATFORMS}/planted.py", "planted: README.md does not"),
    (house.platforms_are_complete, f"{PLATFORMS}/planted.py", "planted: the contract suite"),
    (house.playbooks_have_a_line_outside, f"{COLLECTION}/playbooks/lonely.yml", "lonely.yml is"),
    (house.roles_say_what_they_take, f"{COLLECTION}/roles/lonely/tasks/main.yml", "lonely: no"),
    (house.no_file_is_long, f"{COLLECTION}/plugins/filter/long.py", "filter/long.py: "),
    (house.nothing_is_ignored, f"{COLLECTION}/tests/sanity/ignore-2.19.txt", "an ignore file"),
    (house.platforms_are_named_at_home_only, f"{MODULE_UTILS}/lonely.py", "lonely.py:"),
]
TEXT = "from ..module_utils.module import run\n" + "NAME = 'slurm'\n" * 600


@pytest.fixture
def copy(tmp_path):
    for path in files(ROOT):
        if path.suffix in (".py", ".yml", ".md", ".txt", ".in", ".lock"):
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target)
    return tmp_path


def plant(root, path, text):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(f"{before}\n{text}\n", encoding="utf-8")


def test_the_arrows_point_one_way():
    assert arrows.violations(ROOT) == []


@pytest.mark.parametrize("rule", house.RULES, ids=lambda rule: rule.__name__)
def test_the_house_is_in_order(rule):
    assert rule(ROOT) == []


@pytest.mark.parametrize(("path", "text", "sentence"), IMPORTS)
def test_a_planted_import_is_noticed(copy, path, text, sentence):
    plant(copy, path, text)
    assert sentence in "\n".join(arrows.violations(copy))


@pytest.mark.parametrize(("rule", "path", "sentence"), PLANTED)
def test_a_planted_file_is_noticed(copy, rule, path, sentence):
    assert sentence not in "\n".join(rule(copy))
    plant(copy, path, TEXT)
    assert sentence in "\n".join(rule(copy))


def test_a_missing_folder_and_an_unlocked_package_are_noticed(copy):
    shutil.rmtree(copy / "inventories/lab")
    assert "inventories/lab is missing" in house.everything_is_there(copy)
    plant(copy, f"{COLLECTION}/requirements.txt", "unheard-of>=1")
    assert "unheard-of" in "\n".join(house.requirements_are_locked(copy))


def test_a_playbook_with_more_than_its_line_is_noticed(copy):
    plant(copy, "playbooks/perceive.yml", "  vars: {}")
    assert "more than an import" in "\n".join(house.playbooks_have_a_line_outside(copy))
