"""The READMEs' table of frameworks: ``python -m tests.frameworks_table`` writes it anew from docs/frameworks.json.

``make frameworks`` keeps there what ran and what did not; no figure of the table is written by hand. A test holds the
READMEs to it.
"""

import json

from tests import readme
from tests.real.frameworks import ARCHS

KEPT = readme.ROOT / "docs" / "frameworks.json"
TITLES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch", "paddlepaddle": "PaddlePaddle", "mindspore": "MindSpore"}
WORDS = {
    "README.md": {
        "head": ["framework", "version", "on real Slurm", *(f"wheel for {arch}" for arch in ARCHS)],
        "ran": "**ran here**: Python {python}, {arch}, accuracy {accuracy:.3f}",
        "no wheel": "no wheel: Python {python}, {arch}", "failed": "failed: Python {python}, {arch}",
        "none": "no wheel", "never": "not run by us", "npu": "every build for NPUs", "; ": "; ",
    },
    "README.zh-CN.md": {
        "head": ["框架", "版本", "在真实 Slurm 上", *(f"{arch} 的 wheel" for arch in ARCHS)],
        "ran": "**已运行**：Python {python}，{arch}，准确率 {accuracy:.3f}",
        "no wheel": "无 wheel：Python {python}，{arch}", "failed": "失败：Python {python}，{arch}",
        "none": "无 wheel", "never": "我们未运行", "npu": "所有 NPU 版本", "; ": "；",
    },
}  # fmt: skip


def kept():
    """Return {runs: [record], wheels: {framework: {architecture: [Python]}}}."""
    return json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {"runs": [], "wheels": {}}


def keep(record):
    """Keep a framework's record in place of the last one of the same Python and architecture."""

    def where(one):
        return one["framework"], one["python"], one["arch"]

    found = kept()
    found["runs"] = sorted([*(one for one in found["runs"] if where(one) != where(record)), record], key=where)
    _write(found)


def keep_wheels(framework, wheels):
    """Keep architecture → the Pythons that have a wheel of a framework."""
    found = kept()
    found["wheels"][framework] = wheels
    _write(found)


def _write(found):
    KEPT.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


def table(words):
    """Return the table as Markdown, in the words of one README."""
    found = kept()
    lines = [words["head"], ["---"] * len(words["head"])]
    for framework, title in TITLES.items():
        runs = [one for one in found["runs"] if one["framework"] == framework]
        versions = sorted({f"`{one['package']}` {one['version']}" for one in runs})
        ran = words["; "].join(words[one["result"]].format(**one) for one in runs)
        pythons = found["wheels"].get(framework, {})
        there = [", ".join(pythons[arch]) if pythons.get(arch) else words["none"] for arch in ARCHS]
        lines.append([title, ", ".join(versions), ran or words["never"], *there])
    lines += [[title, "–", words["never"], "–", "–"] for title in ("Caffe", words["npu"])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    readme.write("frameworks", {name: table(words) for name, words in WORDS.items()})


if __name__ == "__main__":
    main()
