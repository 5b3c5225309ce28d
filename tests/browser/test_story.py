"""The pages in a real browser: the whole story, in both languages, at 360 and 1440 pixels, looked over by axe."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.service import Service

HERE = Path(__file__).parent
NEEDS = "the browser tests need chromium, node and npm: apt-get install chromium fonts-wqy-microhei nodejs npm"


def missing():
    if not (shutil.which("chromium") and shutil.which("node")):
        return NEEDS
    if not (HERE / "node_modules" / "playwright-core").is_dir() and shutil.which("npm"):
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=False, timeout=300)
    return None if (HERE / "node_modules" / "playwright-core").is_dir() else NEEDS


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    if why := missing():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("browser")
    with Lab(folder / "lab") as lab, Service(lab, folder / "state") as started:
        yield started


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_story_of_two_people(service, language, width, tmp_path):
    pictures = Path(os.environ.get("SUANWANG_PICTURES") or tmp_path)
    passwords = json.dumps({who: one["password"] for who, one in service.people().items()})
    done = subprocess.run(
        ["node", "story.mjs", service.url, passwords, language, str(width), str(pictures)],
        cwd=HERE, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + service.tail()
    pages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [page["name"] for page in pages] == [
        "home", "new", "wrong", "task", "tune", "plan", "approve", "run", "done", "report", "refused",
        "sites", "alarms", "organisations", "notices",
    ]  # fmt: skip
    for page in pages:
        assert page["overflow"] <= 0, page
        assert page["violations"] == [], page
        assert page["troubles"] == [], page
        assert page["maps"] == (1 if page["name"] == "home" else 0), page
        assert page["english"] == [] or language != "zh-CN", page
        assert page["language"] == ("zh-CN" if language == "zh-CN" else "en"), page
