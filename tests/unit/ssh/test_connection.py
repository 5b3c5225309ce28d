# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking, removing, running commands, and the connection itself."""

import os
import time
import warnings

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from tests.lab import keys
from tests.unit.ssh.conftest import MIB
from tests.unit.ssh.conftest import sha256


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


def test_a_growing_log_is_followed_by_whole_lines(server, files):
    assert files.more("log", None) == ("", 0)
    files.put("first 行\nseco".encode(), "log")
    assert files.more("log", None) == ("first 行\n", 10)
    assert files.more("log", 10) == ("", 10)
    with open(server.home / "brain/log", "ab") as stream:
        stream.write("nd 行\n".encode())
    assert files.more("log", 10) == ("second 行\n", 21)
    assert files.more("log", 21) == ("", 21)
    # Begun late, it begins with a whole line; a line longer than the limit is not waited for.
    assert files.more("log", None, limit_bytes=15) == ("second 行\n", 21)
    assert files.more("log", 0, limit_bytes=3) == ("fir", 3)


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


def test_files_that_are_collected_while_another_session_works_end_in_peace(make):
    old = make()
    assert old.run(["true"])[0] == 0
    session, other = old._own, make()

    async def work(_session):
        session.end()

    other._call("SSH", work)
    assert session.loop.is_closed() and other.run(["true"])[0] == 0
