# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands over SSH, against a small server that misbehaves on purpose."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import warnings

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils import ssh
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from tests.lab import keys

MIB = 1024 * 1024
FRESH = {"runs": True, "cut_after": None, "flip": False, "freeze": False,
         "written": 0, "commands": 0, "connections": 0}  # fmt: skip


class Server:
    """An SSH server on loopback in a process of its own; home of every user is `home`.

    written: bytes; commands, connections: counted. Set `runs` False: no command is executed; `cut_after`: bytes
    written, then the connection ends; `flip`: a byte of the next write changes; `freeze`: no write is answered.
    """

    def __init__(self, folder):
        self.home, self.key = folder / "home", folder / "login"
        self.host_public = keys.ssh_key(folder / "host", "host")
        (folder / "authorized").write_text(keys.ssh_key(folder / "login", "login") + "\n")
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        self.port = json.loads(self.process.stdout.readline())["port"]

    def ask(self, **changes):
        self.process.stdin.write(json.dumps(changes).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    @property
    def written(self):
        return self.ask()["written"]

    @property
    def commands(self):
        return self.ask()["commands"]

    @property
    def connections(self):
        return self.ask()["connections"]

    def drop(self):
        """End all connections, as a firewall or a restart does."""
        self.ask(drop=True)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def serve(folder):
    """What the server's process does: serve until stdin ends; each line there changes or asks."""
    home, links = os.path.join(folder, "home"), []
    state = dict(FRESH)

    class Login(asyncssh.SSHServer):
        def connection_made(self, connection):
            state["connections"] += 1
            links.append(connection)

    class Sftp(asyncssh.SFTPServer):
        def __init__(self, channel):
            super().__init__(channel)
            self.link = channel.get_connection()

        def realpath(self, path):
            return os.path.realpath(os.path.join(os.fsencode(home), path))

        async def write(self, file, offset, data):
            while state["freeze"]:
                await asyncio.sleep(0.02)
            if state["flip"]:
                data, state["flip"] = bytes([data[0] ^ 1]) + data[1:], False
            limit = state["cut_after"]
            if limit is not None and state["written"] + len(data) > limit:
                state["cut_after"] = None
                self.link.abort()
                raise asyncssh.SFTPFailure("cut")
            state["written"] += len(data)
            return super().write(file, offset, data)

    async def run(process):
        state["commands"] += 1
        if not state["runs"]:
            process.stderr.write(b"This service allows sftp connections only.\n")
            process.exit(127)
            return
        child = await asyncio.create_subprocess_shell(process.command, stdin=-1, stdout=-1, stderr=-1, cwd=home)
        await process.redirect(stdin=child.stdin)
        for line, piece in zip(
            (process.stdout, process.stderr),
            await asyncio.gather(child.stdout.read(), child.stderr.read()),
            strict=True,
        ):
            line.write(piece)
        process.exit(await child.wait())

    async def main():
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[f"{folder}/host"], server_factory=Login,
            authorized_client_keys=f"{folder}/authorized", process_factory=run,
            sftp_factory=Sftp, encoding=None,
        )  # fmt: skip
        print(json.dumps({"port": server.get_port()}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            changes = json.loads(line)
            if changes.pop("drop", False):
                for link in links:
                    link.abort()
            state.update(changes)
            print(json.dumps(state), flush=True)
        os._exit(0)

    asyncio.run(main())


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("ssh"))
    yield made
    made.stop()


@pytest.fixture
def server(process):
    process.home.mkdir()
    process.ask(**FRESH)
    yield process
    process.drop()
    shutil.rmtree(process.home)


@pytest.fixture
def make(server, tmp_path):
    made = []
    hosts = tmp_path / "known_hosts"
    hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_public}\n")

    def build(root="brain", port=server.port, **changed):
        endpoint = sites.Endpoint(
            id="login", protocol="ssh", via="intranet", address="127.0.0.1", port=port,
            storage={"root": root}, **changed.pop("endpoint", {}),
        )  # fmt: skip
        site = sites.Site("hunan", {}, {}, (endpoint,), "")
        given = {"user": "brain", "key_path": server.key, "known_hosts": hosts, **changed}
        made.append(ssh.Files(site, endpoint, **given))
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.fixture
def files(make):
    return make()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# -- where things are -------------------------------------------------------------------------------
def test_a_relative_root_lies_in_the_home_and_looking_makes_nothing(server, files):
    assert files.root() == str(server.home / "brain")
    assert not files.exists("x") and files.dataset("x") is None and files.read_text("x") is None
    assert files.tail("x") == []
    assert list(server.home.iterdir()) == []


def test_an_absolute_root_stays(make, tmp_path):
    files = make(root=f"{tmp_path}/a b/")
    assert files.root() == f"{tmp_path}/a b"
    assert files.put(b"x", "c/d") and (tmp_path / "a b/c/d").read_bytes() == b"x"


# -- put --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 5])
@pytest.mark.parametrize("name", ["a", "数据 集/训 练'\"$(x)`\\.bin", "-n"])
def test_put_and_fetch(server, files, tmp_path, size, name):
    content = os.urandom(size)
    source = tmp_path / "source"
    source.write_bytes(content)
    assert files.put(source, name, sha256=sha256(content)) is True
    assert (server.home / "brain" / name).read_bytes() == content
    found = files.dataset(name)
    assert (found.size, found.sha256, found.path) == (size, sha256(content), f"{files.root()}/{name}")
    assert files.fetch(name, tmp_path / "新" / "home", sha256=sha256(content), size=size) is True
    assert (tmp_path / "新" / "home").read_bytes() == content
    assert sorted(p.name for p in (tmp_path / "新").iterdir()) == ["home"]


def test_the_same_bytes_are_not_written_twice(server, files):
    assert files.put(b"abc", "x") is True
    written = server.written
    assert files.put(b"abc", "x") is False
    assert files.put(b"abd", "x", check=True) is True
    assert server.written == written and (server.home / "brain/x").read_bytes() == b"abc"
    assert files.put(b"abd", "x") is True
    assert (server.home / "brain/x").read_bytes() == b"abd"
    assert sorted(p.name for p in (server.home / "brain").iterdir()) == ["x"]


def test_a_wrong_checksum_here_sends_nothing(server, files):
    with pytest.raises(Corrupt) as caught:
        files.put(b"abc", "x", sha256="0" * 64)
    assert caught.value.request == "SFTP put brain/x" and "nothing was sent" in str(caught.value)
    assert server.written == 0 and list(server.home.iterdir()) == []


def test_bytes_that_change_on_the_way_are_found(server, files):
    server.ask(flip=True)
    with pytest.raises(Corrupt) as caught:
        files.put(b"abc" * 1000, "d/x")
    assert caught.value.site == "hunan"
    assert list((server.home / "brain/d").iterdir()) == []
    assert files.put(b"abc" * 1000, "d/x") is True


def test_a_part_is_continued_if_it_is_true(server, files):
    content = os.urandom(4 * MIB)
    (server.home / "brain").mkdir()
    part = server.home / "brain/x.part"
    part.write_bytes(content[: 3 * MIB])
    assert files.put(content, "x") is True
    assert server.written == MIB
    assert (server.home / "brain/x").read_bytes() == content and not part.exists()


@pytest.mark.parametrize("damage", ["byte", "longer"])
def test_a_part_that_lies_is_begun_anew(server, files, damage):
    content = os.urandom(2 * MIB)
    (server.home / "brain").mkdir()
    bad = content[:1000] + b"????" + content[1004:MIB] if damage == "byte" else content + b"more"
    (server.home / "brain/x.part").write_bytes(bad)
    assert files.put(content, "x") is True
    assert server.written == 2 * MIB
    assert (server.home / "brain/x").read_bytes() == content


def test_a_cut_keeps_the_part_and_the_next_put_goes_on(server, files):
    content = os.urandom(12 * MIB)
    server.ask(cut_after=8 * MIB)
    with pytest.raises(Unreachable) as caught:
        files.put(content, "x")
    assert caught.value.request == "SFTP put brain/x" and not (server.home / "brain/x").exists()
    before = server.written
    assert files.put(content, "x") is True
    assert server.written - before < 12 * MIB
    assert files.dataset("x").sha256 == sha256(content)


def test_the_rate_is_kept_and_told(files):
    told = []
    began = time.monotonic()
    files.put(b"x" * MIB, "x", rate_kbps=8000, report=told.append)
    took = time.monotonic() - began
    assert took > 0.7
    assert told[-1]["bytes"] == told[-1]["total"] == MIB and told[-1]["percent"] == 100
    assert told[-1]["eta_s"] == 0 and 0 < told[-1]["rate_kbps"] < 12000
    assert len(told) <= took / ssh.REPORT_S + 1
    assert set(told[0]) == {"bytes", "total", "percent", "rate_kbps", "eta_s"}


def test_nothing_that_moves_is_a_timeout(server, files, monkeypatch):
    monkeypatch.setattr(ssh, "STALL_S", 0.6)
    monkeypatch.setattr(ssh, "REPORT_S", 0.2)
    server.ask(freeze=True)
    began = time.monotonic()
    with pytest.raises(Timeout) as caught:
        files.put(b"x" * MIB, "x")
    server.ask(freeze=False)
    assert time.monotonic() - began < 5 and "kept" in str(caught.value)
    assert files.put(b"x" * MIB, "x") is True


def test_a_local_file_that_is_not_there_is_our_fault(files, tmp_path):
    with pytest.raises(Invalid) as caught:
        files.put(tmp_path / "none", "x")
    assert str(tmp_path / "none") in str(caught.value)


def test_a_folder_is_no_file(server, files, tmp_path):
    (server.home / "brain/x").mkdir(parents=True)
    with pytest.raises(Refused):
        files.put(b"1", "x")
    with pytest.raises(Refused):
        files.fetch("x", tmp_path / "y")


# -- fetch ------------------------------------------------------------------------------------------
def test_fetch_goes_on_from_a_true_part(files, tmp_path):
    content = os.urandom(3 * MIB)
    files.put(content, "x")
    (tmp_path / "y.part").write_bytes(content[: 2 * MIB])
    told = []
    assert files.fetch("x", tmp_path / "y", report=told.append) is True
    assert (tmp_path / "y").read_bytes() == content and not (tmp_path / "y.part").exists()
    (tmp_path / "y").unlink()
    (tmp_path / "y.part").write_bytes(b"?" + content[1 : 2 * MIB])
    assert files.fetch("x", tmp_path / "y") is True
    assert (tmp_path / "y").read_bytes() == content


def test_fetch_finds_what_differs(files, tmp_path):
    files.put(b"abc", "x")
    with pytest.raises(Corrupt):
        files.fetch("x", tmp_path / "y", sha256="0" * 64)
    with pytest.raises(Corrupt):
        files.fetch("x", tmp_path / "y", size=4)
    assert not (tmp_path / "y").exists() and not (tmp_path / "y.part").exists()


def test_fetch_of_nothing_is_not_found(files, tmp_path):
    with pytest.raises(NotFound) as caught:
        files.fetch("none", tmp_path / "y")
    assert caught.value.request == "SFTP fetch brain/none"


def test_fetch_writes_nothing_where_it_is_already(files, tmp_path):
    files.put(b"abc", "x")
    (tmp_path / "y").write_bytes(b"abc")
    assert files.fetch("x", tmp_path / "y", sha256=sha256(b"abc")) is False


# -- reading ----------------------------------------------------------------------------------------
def test_read_text(server, files):
    files.put("一二\n".encode(), "x")
    assert files.read_text("x") == "一二\n"
    with pytest.raises(Refused):
        files.read_text("x", limit=3)
    (server.home / "brain/x").chmod(0)
    if os.geteuid():  # root may read everything
        with pytest.raises(Unauthorized):
            files.read_text("x")


def test_tail(files):
    lines = [f"line {n} 行" for n in range(10_000)]
    files.put("\n".join(lines).encode(), "log")
    assert files.tail("log", 3) == lines[-3:]
    assert files.tail("log", 1000, limit_bytes=100) == lines[-7:]
    files.put(b"", "empty")
    assert files.tail("empty") == []


# -- removing ---------------------------------------------------------------------------------------
def test_remove_tree(server, files):
    for path in ("r/a/b", "r/c d", "keep/x"):
        files.put(b"1", path)
    outside = server.home / "outside"
    outside.mkdir()
    (outside / "mine").write_text("1")
    (server.home / "brain/r/link").symlink_to(outside)
    for name in (b"no utf-8 \xff", b"back\\slash", b"*"):
        with open(os.path.join(os.fsencode(server.home / "brain/r"), name), "wb"):
            pass
    files.remove_tree("r")
    assert not files.exists("r") and files.exists("keep/x") and (outside / "mine").exists()
    files.remove_tree("keep/x")
    assert not files.exists("keep/x")
    files.remove_tree("never/was")


@pytest.mark.parametrize("path", ["", ".", "/", "..", "a/../..", "../brain2/x", "/etc/passwd", "/tmp"])
def test_what_is_not_below_the_root_is_refused(server, files, path):
    (server.home / "brain2").mkdir()
    (server.home / "brain2/x").write_text("1")
    files.put(b"1", "a/b")
    for act in (files.remove_tree, lambda path: files.put(b"2", path)):
        with pytest.raises(Refused):
            act(path)
    assert (server.home / "brain2/x").exists() and files.exists("a/b")


def test_a_link_in_the_way_does_not_lead_out(server, files):
    files.put(b"1", "a/b")
    (server.home / "outside/deep").mkdir(parents=True)
    (server.home / "brain/a/link").symlink_to(server.home / "outside")
    with pytest.raises(Refused):
        files.remove_tree("a/link/deep")
    assert (server.home / "outside/deep").exists()
    files.remove_tree("a/link")
    assert (server.home / "outside/deep").exists() and not files.exists("a/link")


# -- commands ---------------------------------------------------------------------------------------
def test_run_quotes_every_word(files):
    words = ["printf", "%s|", "a b", "$HOME", "'", '"', "`id`", "; rm x", "数据"]
    assert files.run(words) == (0, "a b|$HOME|'|\"|`id`|; rm x|数据|", "")


def test_run_passes_input_and_status(files):
    assert files.run(["cat"], input="一\n") == (0, "一\n", "")
    assert files.run(["sh", "-c", "echo no >&2; exit 7"]) == (7, "", "no\n")
    with pytest.raises(Timeout) as caught:
        files.run(["sleep", "10"], timeout_s=0.3)
    assert caught.value.request == "SSH sleep"


def test_checksums_without_a_shell_come_by_sftp(server, files):
    server.ask(runs=False)
    content = os.urandom(MIB + 1)
    assert files.put(content, "x") is True
    assert files.put(content, "x") is False
    assert files.dataset("x").sha256 == sha256(content)
    assert server.commands == 1


# -- who it is --------------------------------------------------------------------------------------
def test_another_host_key_is_refused(server, make, tmp_path):
    other = keys.ssh_key(tmp_path / "other", "other")
    hosts = tmp_path / "wrong_hosts"
    for line in (f"[127.0.0.1]:{server.port} {other}\n", ""):
        hosts.write_text(line)
        with pytest.raises(Unauthorized) as caught:
            make(known_hosts=hosts).exists("x")
        assert "host key" in str(caught.value) and str(hosts) in str(caught.value)
        assert caught.value.site == "hunan"


def test_no_known_hosts_no_connection(server, make, tmp_path):
    with pytest.raises(Invalid):
        make(known_hosts=tmp_path / "none").exists("x")
    assert server.connections == 0


def test_another_key_is_refused(make, tmp_path):
    keys.ssh_key(tmp_path / "stranger", "stranger")
    with pytest.raises(Unauthorized) as caught:
        make(key_path=tmp_path / "stranger").exists("x")
    assert "authorized_keys" in str(caught.value)


def test_what_is_no_key_is_said_without_its_text(make, tmp_path):
    (tmp_path / "bad").write_text("SECRET SECRET")
    with pytest.raises(Invalid) as caught:
        make(key_path=tmp_path / "bad").exists("x")
    assert "SECRET" not in str(caught.value)


def test_the_users_own_ssh_is_not_looked_at(server, make, tmp_path, monkeypatch):
    home = tmp_path / "somebody"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/config").write_text("Host *\n  ProxyCommand false\n  Port 1\n  User nobody\n")
    keys.ssh_key(home / ".ssh/id_ed25519", "own")
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_public}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    assert make().exists("x") is False
    (tmp_path / "known_hosts").write_text("")
    with pytest.raises(Unauthorized):
        make().exists("x")


@pytest.mark.parametrize("field", ["proxy", "jump"])
def test_what_cannot_be_honoured_is_refused(make, field):
    with pytest.raises(Refused) as caught:
        make(endpoint={field: "127.0.0.1:1"}).exists("x")
    assert field in str(caught.value)


# -- connections ------------------------------------------------------------------------------------
def test_one_connection_serves_many_calls(server, files):
    for number in range(4):
        files.put(b"1", f"x{number}")
        files.run(["true"])
    assert server.connections == 1


def test_a_lost_connection_is_made_again(server, files):
    files.put(b"1", "x")
    server.drop()
    assert files.read_text("x") == "1"
    server.drop()
    assert files.put(b"2", "x") is True
    server.drop()
    time.sleep(0.1)
    assert files.run(["echo", "a"]) == (0, "a\n", "")
    assert files.read_text("x") == "2"


def test_nobody_there_is_unreachable(make):
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        make(root="/data", port=1).exists("x")
    assert time.monotonic() - began < 3 and "connection refused" in str(caught.value)
    assert caught.value.request == "SFTP stat /data/x"


def test_a_child_has_its_own_connection(server, files):
    files.put(b"parent", "x")
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork beside the server's thread
        child = os.fork()
    if child == 0:
        try:
            said = files.read_text("x").encode()
            files.put(b"child", "y")
        except BaseException as error:
            said = repr(error).encode()
        os.write(writes, said)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as stream:
        assert stream.read() == b"parent"
    os.waitpid(child, 0)
    assert files.read_text("y") == "child"
    assert server.connections == 2


def test_close_and_use_again(server, files):
    files.put(b"1", "x")
    files.close()
    files.close()
    assert files.read_text("x") == "1"
    assert server.connections == 2


def test_errors_are_plain_data(make):
    with pytest.raises(BrainError) as caught:
        make(port=1).exists("x")
    failure = caught.value.failure()
    assert failure["site"] == "hunan" and failure["code"] == "unreachable"


if __name__ == "__main__":
    serve(sys.argv[1])
