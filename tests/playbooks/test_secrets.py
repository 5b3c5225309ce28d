"""A planted token, password and key reach their site, and are found in no file, log, argument or environment."""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.playbooks.project import write_task
from tests.playbooks.test_credentials import spoil

#: What of a credential would give it away: any piece of so many characters.
LEAST = 24


class Needles:
    """Strings that must be nowhere; each as it is, and as base64 of it."""

    def __init__(self, **named):
        self.found = {}
        self.pieces = [
            (name, form)
            for name, texts in named.items()
            for text in texts
            for form in (text.encode(), base64.b64encode(text.encode()).rstrip(b"=")[:-1])
        ]
        assert all(len(form) >= LEAST for _name, form in self.pieces)

    def look(self, data, where):
        for name, piece in self.pieces:
            if piece in data:
                self.found.setdefault(name, set()).add(where)


class Watch(threading.Thread):
    """Looks again and again at every process that may be looked at, and at every file below some folders."""

    def __init__(self, needles, folders, kept):
        super().__init__(daemon=True)
        self.needles, self.folders, self.kept = needles, folders, kept
        self.known, self.over, self.looks, self.processes = {}, threading.Event(), 0, set()

    def run(self):
        while not self.over.is_set():
            self.look()
            time.sleep(0.05)

    def look(self):
        self._processes()
        for folder in self.folders:
            self._files(folder)
        self.looks += 1

    def _processes(self):
        for path in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    data = (path / name).read_bytes()
                except OSError:
                    continue
                self.needles.look(data, f"{name} of a process")
                if b"ansible" in data and name == "cmdline":
                    self.processes.add(path.name)

    def _files(self, folder):
        for root, below, names in os.walk(folder):
            below[:] = [name for name in below if Path(root, name) not in self.kept]
            for name in names:
                path = os.path.join(root, name)
                try:
                    facts = os.lstat(path)
                    mark = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
                    if self.known.get(path) == mark or not os.path.isfile(path):
                        continue
                    data = Path(path).read_bytes()
                except OSError:
                    continue
                self.known[path] = mark
                self.needles.look(data + path.encode(), path)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.look()


def pieces(text):
    """Return what of a credential's text gives it away: the whole, its parts between dots, the lines of a key."""
    parts = [text.strip(), *text.strip().split("."), *text.splitlines()]
    return sorted({part for part in parts if len(part) >= LEAST and not part.startswith("-----")})


def kept(project, lab):
    """Return the folders in which credentials may lie."""
    return {project.config / "credentials", lab.config / "credentials", lab.state / "secrets"}


@pytest.fixture
def planted(project, lab):
    """Plant credentials of this test's own; return (Needles, token, password)."""
    config = project.own_config()
    token = lab.site("hunan").token(planted=secrets.token_hex(24))
    password = f"pw-{secrets.token_hex(24)}"
    spoil(config, "hunan-slurm", token.encode())
    login = (config / "credentials" / "hunan-login").read_text()
    signer = (config / "credentials" / "approver").read_text()
    # The head of a token says no more than its kind, and the first lines of a key are those of every key.
    shown = pieces(lab.site("hunan").token())
    return (
        Needles(
            token=[one for one in pieces(token) if one not in shown],
            password=[password],
            **{"login key": pieces(login)[1:], "signing key": pieces(signer)[1:]},
        ),
        token,
        password,
    )


def test_the_watch_sees_what_it_looks_for(tmp_path):
    """A watch that never finds anything proves nothing."""
    canary = secrets.token_hex(24)
    needles = Needles(argument=[canary], environment=[f"e{canary}"], file=[f"f{canary}"], coded=[f"c{canary}"])
    with Watch(needles, [tmp_path], {tmp_path / "kept"}):
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "is").write_text(f"f{canary}")
        (tmp_path / "short-lived").write_bytes(b"x" + base64.b64encode(f"c{canary}".encode()))
        command = [sys.executable, "-c", "import time; time.sleep(1)", canary]
        subprocess.run(command, check=True, env={"SOME": f"e{canary}"})
        (tmp_path / "short-lived").unlink()
        assert "file" not in needles.found
        (tmp_path / "log").write_text(f"..f{canary}..")
    assert set(needles.found) == {"argument", "environment", "file", "coded"}


def test_no_credential_is_left_anywhere_by_a_whole_run_and_a_failing_one(project, lab, planted, request):
    needles, token, password = planted
    log = project.home / "ansible.log"
    # Not below the project: ansible-core 2.21 listens on a Unix socket there, whose path has 107 characters at most.
    scratch = tempfile.TemporaryDirectory(prefix="swb-")
    request.addfinalizer(scratch.cleanup)
    loud = {"ANSIBLE_LOG_PATH": str(log), "ANSIBLE_KEEP_REMOTE_FILES": "1", "TMPDIR": scratch.name}
    task = write_task(project.folder / "t", outputs=[{"name": "model", "path": "model.bin"}])
    (project.folder / "t/code/main.py").write_text(
        "import os; print(dict(os.environ)); open(os.environ['SWB_OUTPUT_DIR'] + '/model.bin', 'w').write('done')\n"
    )
    said = []

    def play(name, *arguments):
        done = project.play(name, *arguments, "-vvv", **loud)
        said.append(done.text)
        return done

    watch = Watch(needles, [project.folder, lab.state, scratch.name], kept(project, lab))
    with watch:
        play("perceive", "-i", project.inventory).good()
        play("propose", "-i", project.inventory, "-e", f"task={task}", "-e", "pick=cheapest").good()
        (run,) = project.store.runs()
        key = project.config / "credentials" / "approver"
        play("approve", "-e", f"plan={run}", "-e", f"key={key}").good()
        play("apply", "-e", f"plan={run}", "--check", "--diff").good()
        play("apply", "-e", f"plan={run}").good()
        said.append(project.run("ansible-inventory", "-i", project.inventory, "--list", **loud).good().text)
        # And a run that fails on the credential itself.
        task = write_task(project.folder / "t", sites=["centre-a"])
        second = project.approved(task)
        spoil(project.config, "centre-a-slurm", password.encode())
        assert play("perceive", "-i", project.inventory).code == 0
        failed = play("apply", "-e", f"plan={second}")
        assert failed.code != 0 and "centre-a-slurm" in failed.flat
        play("release", "-e", f"plan={second}")
    assert lab.site("hunan").has_seen(token), "the token never reached its site"
    assert lab.site("centre-a").has_seen(password), "the password never reached its site"
    assert not lab.site("hunan").has_seen(password)
    assert any(peer["service"] == "ssh" for peer in lab.site("hunan").peers()), "nobody logged in with the key"
    for text in said:
        needles.look(text.encode(), "the console")
    assert log.stat().st_size > 10_000
    assert watch.looks > 20 and len(watch.processes) > 5, "the watch was asleep"
    assert (project.home / ".ansible").is_dir()
    assert needles.found == {}
