# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a login node: words stay words, ends are told apart, and nothing is taken for an answer that is none."""

import threading

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Timeout
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unauthorized
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Unreachable
from ansible_collections.suanwang.brain.plugins.module_utils.shell import Shell


@pytest.fixture
def shell(files):
    return Shell(files)


def test_words_input_and_environment_arrive_as_they_are(shell):
    words = ["a b", "$HOME", "'", '"', "`id`", "; rm x", "*", "数据", ""]
    assert shell.run(["printf", "%s|", *words]).out == "".join(f"{word}|" for word in words)
    assert shell.run(["cat"], input="一\n").out == "一\n"
    done = shell.run(["sh", "-c", 'printf "%s" "$A"'], environment={"A": "x; y '$HOME'", "TZ": "UTC0"})
    assert done == (0, "x; y '$HOME'", "")


@pytest.mark.parametrize(("script", "done"), [
    ("exit 0", (0, "", "")), ("echo out; echo no >&2; exit 7", (7, "out\n", "no\n")), ("printf '\\377'", (0, "�", "")),
])  # fmt: skip
def test_an_end_is_told_as_it_is(shell, script, done):
    assert shell.run(["sh", "-c", script]) == done


def test_what_it_said_is_one_text(shell):
    assert shell.run(["sh", "-c", "echo a; echo b >&2"]).said == "a\nb"


@pytest.mark.parametrize("word", ["a\nb", "a\0b", 7, None])
def test_what_is_no_word_is_not_sent(server, shell, word):
    with pytest.raises(Invalid):
        shell.run(["echo", word])
    assert server.commands == 0


@pytest.mark.parametrize("environment", [None, {"TZ": "UTC0"}])
def test_a_command_that_is_not_there_is_refused_by_its_name(shell, environment):
    with pytest.raises(Refused) as caught:
        shell.run(["scontrol-of-nobody", "show"], environment=environment)
    assert "scontrol-of-nobody" in caught.value.message and caught.value.site == "hunan" and caught.value.way_out


@pytest.mark.parametrize("stream", [1, 2])
def test_too_long_an_answer_is_no_answer(files, shell, monkeypatch, stream):
    whole = "head -c 2000000 /dev/zero"
    assert len(files.run(["sh", "-c", f"{whole} >&{stream}"])[stream]) == 2_000_000
    with pytest.raises(Refused, match="more than 1000000 bytes"):
        files.run(["sh", "-c", f"{whole} >&{stream}"], limit=1_000_000)
    assert shell.run(["echo", "still there"]).out == "still there\n"


def test_a_command_that_does_not_end_may_have_done_its_work(server, shell):
    with pytest.raises(Timeout) as caught:
        shell.run(["sh", "-c", "echo done > made; sleep 10"], timeout_s=1)
    assert caught.value.details["doubt"] is True and (server.home / "made").exists()
    assert shell.run(["true"]).code == 0


def test_a_connection_that_ends_leaves_a_doubt_and_is_not_retried(server, shell):
    assert shell.run(["true"]).code == 0
    cut = threading.Timer(0.5, server.drop)
    cut.start()
    with pytest.raises(Unreachable) as caught:
        shell.run(["sh", "-c", "echo x >> made; sleep 3"])
    cut.join()
    assert caught.value.details["doubt"] is True
    assert (server.home / "made").read_text() == "x\n"


def test_an_unknown_host_key_is_refused(server, make, tmp_path):
    (tmp_path / "none").write_text("")
    with pytest.raises(Unauthorized, match="not the one it should be"):
        Shell(make(known_hosts=tmp_path / "none")).run(["true"])
    assert server.commands == 0
