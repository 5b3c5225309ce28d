"""The READMEs' table of platform × verb × what it is tested against: ``python -m tests.verbs_table`` writes it anew.

What a platform can is the registry's word; against what it is tried is read from the tests that call the verb. A test
holds the READMEs to it.
"""

import re

from ansible_collections.suanwang.brain.plugins.module_utils.platforms.base import VERBS
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from ansible_collections.suanwang.brain.plugins.module_utils.profiled.platform import Profiled
from tests import readme

#: platform → the tests that call it as the real software. The contract suite runs on the real Slurm clusters.
REAL = {
    "openstack": ("tests/real/test_openstack_real.py",),
    "prometheus": ("tests/real/test_prometheus_real.py",),
    "slurm": (
        "tests/real/test_slurm_real.py",
        "tests/contract/test_platforms.py",
        "tests/contract/test_quota.py",
        "tests/contract/test_reservations.py",
    ),
}
STAND_IN = ("tests/contract/*.py", "tests/playbooks/*.py")
#: verbs that are the data endpoint's
FILES = {
    "put_dataset": "files.put", "dataset": "files.dataset", "remove_dataset": "files.remove_tree",
    "log": "files.tail", "fetch_artifact": "files.fetch",
}  # fmt: skip
PLANNED = ("h3c_cas", "manageone", "modelarts", "scnet")
WORDS = {
    "README.md": {
        "verb": "verb", "real": "real", "stand-in": "stand-in", "profile": "profile", "untried": "untried", "no": "–",
        "cli": "CLI, not an API", "planned": "Planned, with no verb yet:",
    },
    "README.zh-CN.md": {
        "verb": "动词", "real": "真实", "stand-in": "模拟", "profile": "配置档", "untried": "未试", "no": "–",
        "cli": "命令行，非接口", "planned": "计划中，尚无任何动词：",
    },
}  # fmt: skip


def against(name, kind, verb):
    """Return `real`, `stand-in`, `profile` (a stand-in of an assumed shape), `untried`, or `no` where it cannot."""
    if kind.can(verb):
        return "no"
    if _called(verb, REAL.get(name, ())):
        return "real"
    if not _called(verb, STAND_IN):
        return "untried"
    return "profile" if issubclass(kind, Profiled) else "stand-in"


def _called(verb, patterns):
    word = re.compile(rf"\b{re.escape(FILES.get(verb, verb))}\b")
    return any(word.search(path.read_text("utf-8")) for one in patterns for path in sorted(readme.ROOT.glob(one)))


def table(words):
    """Return the table as Markdown, in the words of one README."""
    names = [f"`{name}`" + (f" ({words['cli']})" if name == "donau" else "") for name in PLATFORMS]
    lines = [[words["verb"], *names], ["---"] * (len(names) + 1)]
    for verb in VERBS:
        cells = [against(name, kind, verb) for name, kind in PLATFORMS.items()]
        lines.append([f"`{verb}`", *(words[cell] for cell in cells)])
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{rows}\n\n{words['planned']} {', '.join(f'`{name}`' for name in PLANNED)}"


def main():
    readme.write("verbs", {name: table(words) for name, words in WORDS.items()})


if __name__ == "__main__":
    main()
