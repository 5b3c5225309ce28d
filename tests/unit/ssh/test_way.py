# SPDX-License-Identifier: GPL-3.0-or-later
"""A server behind a jump host or a proxy: each a real one, on loopback."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from tests.lab import keys
from tests.unit.ssh.conftest import FRESH
from tests.unit.ssh.conftest import Server

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")


@pytest.fixture(scope="module")
def bastion_process(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("bastion"))
    yield made
    made.stop()


@pytest.fixture
def bastion(bastion_process):
    bastion_process.ask(**FRESH)
    yield bastion_process
    bastion_process.drop()


@pytest.fixture
def through(make, server, bastion, tmp_path):
    """Return a function: the Files of the server, reached through the jump host."""

    def build(port=bastion.port, host_key=bastion.host_public, key_path=bastion.key, user="brain"):
        known = tmp_path / "known_hosts_bastion"
        known.write_text(f"[127.0.0.1]:{port} {host_key}\n")
        jump = make(port=port, key_path=key_path, known_hosts=known, user=user, endpoint={"zone": "edge"})
        return make(jump=jump, endpoint={"jump": "bastion"})

    return build


# -- a jump host ------------------------------------------------------------------------------------
def test_files_and_commands_go_through_the_jump_host(server, bastion, through):
    files = through()
    assert files.put(b"x" * 100_000, "a/b") is True
    assert files.read_text("a/b") == "x" * 100_000
    assert (bastion.forwarded, bastion.commands, server.connections) == (1, 0, 1)
    assert bastion.connections == 1, "one way serves many calls"


def test_a_lost_way_is_made_again(bastion, through):
    files = through()
    files.put(b"1", "x")
    bastion.drop()
    assert files.read_text("x") == "1" and bastion.forwarded == 2


def test_closing_ends_both_connections(server, bastion, through):
    files = through()
    files.put(b"1", "x")
    files.close()
    until = time.monotonic() + 5
    while server.ask()["open"] + bastion.ask()["open"]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_each_of_both_must_be_the_one_it_should_be(server, bastion, through, tmp_path):
    with pytest.raises(Unauthorized, match="its jump host login: the server is not the one"):
        through(host_key=server.host_public).exists("x")
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {bastion.host_public}\n")
    with pytest.raises(Unauthorized) as caught:
        through().exists("x")
    assert "jump host" not in str(caught.value)
    assert server.commands == 0


def test_what_is_wrong_with_the_jump_host_is_said_of_it(server, bastion, through):
    with pytest.raises(Unauthorized, match="its jump host login: the site does not accept our key"):
        through(key_path=server.key).exists("x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match="its jump host login: no answer: connection refused"):
        through(port=port).exists("x")
    bastion.ask(forwards=False)
    with pytest.raises(Unreachable):
        through().exists("x")
    assert server.connections == 0


@pytest.mark.skipif(
    SSHD is None and "CI" not in os.environ,
    reason="sshd is not installed; on Debian: apt install openssh-server",
)
def test_openssh_is_a_jump_host_too(server, through, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    host = keys.ssh_key(tmp_path / "host", "host")
    (tmp_path / "authorized").write_text(keys.ssh_key(tmp_path / "mine", "mine") + "\n")
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/authorized\nPermitRootLogin yes\nPermitOpen 127.0.0.1:{server.port}\n"
        "PasswordAuthentication no\nForceCommand /bin/false\n"
    )
    with contextlib.ExitStack() as after:
        daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=subprocess.PIPE)
        after.callback(daemon.stderr.close)
        after.callback(daemon.wait, 10)
        after.callback(daemon.terminate)
        until = time.monotonic() + 10
        while daemon.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until
        assert daemon.poll() is None, daemon.stderr.read().decode()[-500:]
        files = through(port, host, tmp_path / "mine", getpass.getuser())
        assert files.put(b"1", "x") is True and files.read_text("x") == "1"
        files.close()


# -- a proxy ----------------------------------------------------------------------------------------
class Proxy:
    """A small HTTP proxy that knows CONNECT. asked: the first line of each request; says: its status."""

    def __init__(self, says="200 Connection established"):
        self.says, self.asked = says, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.listener.accept()[:1], daemon=True).start()

    def _serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        line = head.split(b"\r\n")[0].decode()
        self.asked.append(line)
        client.sendall(f"HTTP/1.1 {self.says}\r\nVia: small\r\n\r\n".encode())
        if not self.says.startswith("200"):
            return client.close()
        host, _colon, port = line.split()[1].rpartition(":")
        server = socket.create_connection((host, int(port)))
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        return self._pump(client, server)

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def proxy():
    made = Proxy()
    yield made
    made.stop()


def test_files_go_through_a_proxy(server, make, proxy):
    files = make(endpoint={"proxy": proxy.url})
    assert files.put(b"x" * 100_000, "a") is True and files.read_text("a") == "x" * 100_000
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]


def test_a_proxy_that_refuses_or_is_not_there_is_said_of_it(server, make, proxy):
    proxy.says = "403 Forbidden"
    with pytest.raises(Refused, match="the proxy 127.0.0.1:[0-9]+ opens no way: HTTP/1.1 403 Forbidden"):
        make(endpoint={"proxy": proxy.url}).exists("x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(Unreachable, match="the proxy 127.0.0.1:[0-9]+ does not answer"):
        make(endpoint={"proxy": nobody}).exists("x")
    assert server.connections == 0
