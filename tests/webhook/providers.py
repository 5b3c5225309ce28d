"""Real identity providers as processes of a test, and a browser without scripts that goes through their pages."""

import contextlib
import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import requests

HERE = Path(__file__).parent


def openid_is_here():
    """Whether the OpenID provider's packages are here; they are fetched once where npm is."""
    if not shutil.which("node"):
        return False
    folder = HERE / "idp"
    if not (folder / "node_modules" / "oidc-provider").is_dir() and shutil.which("npm"):
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=False, timeout=300)
    return (folder / "node_modules" / "oidc-provider").is_dir()


def campus_is_here():
    return importlib.util.find_spec("cas_server") is not None


@contextlib.contextmanager
def running(command, folder, **environment):
    """Run a server until the test is over; it says ``ready`` when it listens."""
    with open(folder / "provider.log", "ab") as log:
        process = subprocess.Popen(
            command, cwd=HERE, stdout=subprocess.PIPE, stderr=log, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "NODE_NO_WARNINGS": "1", **environment},
        )  # fmt: skip
    try:
        line = process.stdout.readline()
        while line and "ready" not in line:
            line = process.stdout.readline()
        assert line, (folder / "provider.log").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def openid(folder, port, secret, public_url):
    addresses = [f"{public_url}/login/oidc/{word}" for word in ("back", "logout")]
    return running(["node", "idp/provider.mjs", str(port), secret, *addresses], folder)


def campus(folder, port, public_url):
    return running(
        [sys.executable, "-m", "campus", str(port), f"{public_url}/login/cas/back"], folder, CAMPUS_FOLDER=str(folder)
    )


class Walker:
    """Follows redirects and fills in forms, as a person does at an identity provider's page."""

    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, address):
        return self.session.get(address, timeout=20)

    def send(self, answer, **fields):
        """Send the first form of a page, its hidden inputs and these fields."""
        action = re.search(r'<form[^>]*action="([^"]*)"', answer.text)
        target = urllib.parse.urljoin(answer.url, html.unescape(action[1]) if action else answer.url)
        data = {}
        for tag in re.findall(r"<input[^>]*>", answer.text):
            found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            if found.get("type", "").lower() == "hidden" and "name" in found:
                data[found["name"]] = html.unescape(found.get("value", ""))
        return self.session.post(target, data={**data, **fields}, timeout=20, headers={"Referer": answer.url})
