"""A plan in one word: what was packed comes out byte for byte, and anything else is a sentence."""

import base64
import json

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Conflict
from ansible_collections.suanwang.brain.plugins.plugin_utils import carried
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
PLAN = {"run": RUN, "task": {"name": "手写数字"}, "caps": {"wall_s": 3600}}


@pytest.fixture
def packed(tmp_path):
    """(word, digest, folder) of a plan with two approvals."""
    store = Store(tmp_path / "there")
    digest, path = store.save_plan(PLAN, {"objectives": {"finish_s": 60}})
    for name in ("a@x", "b@x"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        approval = statement.sign(key, digest, RUN, name, "2026-11-25T03:40:00Z", "2026-11-26T03:40:00Z")
        store.save_approval(path.parent, statement.key_id(statement.public_blob(key)), approval)
    return carried.pack(store, path.parent), digest, path.parent


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("estimate")
    }


def test_what_was_packed_comes_out(packed, tmp_path):
    word, digest, original = packed
    assert word.startswith("b64:") and not set(word) & set("{}% \n")
    folder = carried.unpack(word, tmp_path / "here")
    assert folder.name == digest and content(folder) == content(original) and len(content(folder)) == 5
    wrapped = "\n".join(word[start : start + 76] for start in range(0, len(word), 76))
    assert content(carried.unpack(wrapped, tmp_path / "again")) == content(original)


def test_it_is_kept_in_the_store_and_one_run_has_one_plan(packed, tmp_path):
    word, digest, original = packed
    store = Store(tmp_path / "store")
    folder = carried.unpack(word, tmp_path / "here")
    kept = store.adopt(folder, PLAN, digest)
    assert kept == store.plan_dir(digest) == store.find_plan(RUN) and content(kept) == content(original)
    assert store.runs() == [RUN] and store.estimate(digest) == {"objectives": {"finish_s": 60}}
    assert store.adopt(kept, PLAN, digest) == kept
    other = {**PLAN, "caps": {"wall_s": 1}}
    text = json.dumps({"plan": statement.canonical(other).decode(), "approvals": []}).encode()
    folder = carried.unpack("b64:" + base64.b64encode(text).decode(), tmp_path / "other")
    with pytest.raises(Conflict, match="another plan"):
        store.adopt(folder, other, folder.name)
    assert store.find_plan(RUN) == kept


def word_of(value):
    return "b64:" + base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "word",
    [
        "b64:",
        "b64:no base64!",
        "b64:" + base64.b64encode(b"[" * 100_000).decode(),
        word_of([]),
        word_of({"plan": {"run": RUN}, "approvals": []}),
        word_of({"plan": "{}"}),
        word_of({"plan": "{}", "approvals": ["x"]}),
        word_of({"plan": "{}", "approvals": [], "estimate": 1}),
        word_of({"plan": "{}", "approvals": [{"statement": "{}", "signature": "none"}]}),
        word_of({"plan": "{}", "approvals": [{"statement": "{}", "signature": 1}]}),
        "b64:" + "A" * (carried.MAX_BYTES + 4),
    ],
)
def test_what_does_not_read_is_a_sentence(word, tmp_path):
    with pytest.raises(BrainError) as caught:
        carried.unpack(word, tmp_path / "here")
    assert len(str(caught.value)) < 400


def test_a_cut_word_is_a_sentence(packed, tmp_path):
    for length in range(4, len(packed[0]), 97):
        with pytest.raises(BrainError):
            carried.unpack(packed[0][:length], tmp_path / "here")
