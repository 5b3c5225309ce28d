"""What belongs together in the tree. Each rule returns its violations as sentences."""

import ast
import re
from pathlib import Path

import yaml

from tests.structure.tree import COLLECTION
from tests.structure.tree import files
from tests.structure.tree import imports
from tests.structure.tree import MODULE_UTILS
from tests.structure.tree import stems
from tests.structure.tree import syntax
from tests.structure.tree import words

HOUSE = """
    .ci/run ansible.cfg execution-environment.yml LICENSE Makefile pyproject.toml README.md
    README.zh-CN.md requirements.in requirements.lock requirements.yml
    collections config/example config/lab examples/digits inventories/example inventories/lab
    inventories/localhost.yml playbooks plugins tests webhook
""".split()
NO_PLATFORM = {"base", "registry"}
LINES = 500
CODE = (".py", ".yml", ".sh", ".html", ".css", ".js")


def read(root, path):
    file = Path(root, path)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def differ(what, have, want):
    missing = [f"{what}: {name} is missing" for name in sorted(want - have)]
    return missing + [f"{what}: {name} is too many" for name in sorted(have - want)]


def platforms(root):
    found = stems(root, f"{MODULE_UTILS}/platforms") - NO_PLATFORM
    # A part of a platform, where one file would be too long for one sitting.
    return {name for name in found if name.partition("_")[0] not in found - {name}}


def table(root, path, name):
    """The keys of a dictionary at the top of a file: strings, and `X.NAME` as `X` in small."""
    for node in syntax(root, path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return {key.value if isinstance(key, ast.Constant) else key.value.id.lower() for key in node.value.keys}
    return set()


def everything_is_there(root):
    """An empty folder does not count: git does not keep it."""
    return [f"{name} is missing" for name in HOUSE if not Path(root, name).is_file() and not any(files(root, name))]


def modules_have_actions(root):
    modules = stems(root, f"{COLLECTION}/plugins/modules")
    return differ("plugins/action", stems(root, f"{COLLECTION}/plugins/action"), modules)


def action_group_is_what_talks_to_sites(root):
    """A module that is shipped imports `module.py`; the others are the controller's."""
    folder = f"{COLLECTION}/plugins/modules"
    shipped = {
        name
        for name in stems(root, folder)
        if any(
            dots and target.startswith("module_utils.module")
            for _, dots, target in imports(root, Path(folder, f"{name}.py"))
        )
    }
    group = yaml.safe_load(read(root, f"{COLLECTION}/meta/runtime.yml"))["action_groups"]["brain"]
    verbs = table(root, f"{MODULE_UTILS}/verbs/__init__.py", "VERBS")
    order = [] if group == sorted(group) else ["action_groups.brain is not sorted"]
    return order + differ("action_groups.brain", set(group), shipped) + differ("VERBS", verbs, shipped)


def registry_is_the_folder(root):
    path = Path(MODULE_UTILS, "platforms/registry.py")
    imported = {name.partition(".")[0] for _, dots, name in imports(root, path) if dots == 1}
    listed = table(root, path, "PLATFORMS")
    have = platforms(root)
    return differ("registry imports", imported - NO_PLATFORM, have) + (
        [] if len(listed) == len(have) else ["registry: PLATFORMS does not list every import"]
    )


def platforms_are_complete(root):
    found = []
    contract = "".join(f"{path} {read(root, path)}" for path in files(root, "tests/contract", ".py"))
    for name in sorted(platforms(root)):
        if not Path(root, COLLECTION, "plugins/inventory", f"{name}.py").is_file():
            found.append(f"{name}: no inventory plugin of that name")
        if not re.search(rf"\b{name}\b", contract):
            found.append(f"{name}: the contract suite in tests/contract does not know it")
        for readme in ("README.md", "README.zh-CN.md", f"{COLLECTION}/README.md"):
            if not re.search(rf"\b{name}\b", read(root, readme), re.IGNORECASE):
                found.append(f"{name}: {readme} does not name it")
    return found


def platforms_are_named_at_home_only(root):
    found = []
    for path in files(root, f"{COLLECTION}/plugins", ".py"):
        if path.parent.name in ("platforms", "inventory"):
            continue
        for line, word in words(root, path):
            for name in platforms(root):
                if re.search(rf"(?<![a-z]){name}(?![a-z])", word, re.IGNORECASE):
                    found.append(f"{path}:{line}: names the platform {name}")
    return found


def playbooks_have_a_line_outside(root):
    inside = {path.name for path in Path(root, COLLECTION, "playbooks").glob("*.yml")}
    outside = {path.name for path in Path(root, "playbooks").glob("*.yml")}
    found = differ("playbooks", outside, inside)
    for name in sorted(inside & outside):
        plays = yaml.safe_load(read(root, f"playbooks/{name}"))
        want = f"suanwang.brain.{Path(name).stem}"
        if len(plays) != 1 or plays[0].pop("ansible.builtin.import_playbook", "") != want:
            found.append(f"playbooks/{name}: does not import {want}, and nothing else")
        elif plays[0].keys() - {"name"}:
            found.append(f"playbooks/{name}: holds more than an import")
    return found


def roles_say_what_they_take(root):
    return [
        f"{role.relative_to(root)}: no meta/argument_specs.yml"
        for role in sorted(Path(root, COLLECTION, "roles").glob("*"))
        if role.is_dir() and not Path(role, "meta/argument_specs.yml").is_file()
    ]


def no_file_is_long(root):
    return [
        f"{path}: {count} lines, more than {LINES}"
        for path in files(root, "", *CODE)
        if (count := len(read(root, path).splitlines())) > LINES
    ]


def nothing_is_ignored(root):
    return [
        f"{path}: an ignore file"
        for path in files(root)
        if re.fullmatch(r"ignore-[\d.]+\.txt|ignore\.txt|\.ansible-lint-ignore", path.name)
    ]


def requirements_are_locked(root):
    def names(text):
        lines = (re.match(r"[A-Za-z0-9_.-]+", line) for line in text.splitlines())
        return {re.sub(r"[-_.]+", "-", line[0]).lower() for line in lines if line}

    locked = names(read(root, "requirements.lock"))
    wanted = names(read(root, "requirements.in"))
    collection = names(read(root, f"{COLLECTION}/requirements.txt"))
    return [f"requirements.lock: {name} is missing" for name in sorted(wanted - locked)] + [
        f"requirements.in: {name}, which the collection needs, is missing" for name in sorted(collection - wanted)
    ]


RULES = [
    everything_is_there,
    modules_have_actions,
    action_group_is_what_talks_to_sites,
    registry_is_the_folder,
    platforms_are_complete,
    platforms_are_named_at_home_only,
    playbooks_have_a_line_outside,
    roles_say_what_they_take,
    no_file_is_long,
    nothing_is_ignored,
    requirements_are_locked,
]
