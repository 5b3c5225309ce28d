"""The journal as sentences: every event that is written has words, and repeats are left out."""

import json
import re
from pathlib import Path

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import telling

BRAIN = Path(__file__).resolve().parents[2] / "collections/ansible_collections/suanwang/brain"
CONTRACTS = (BRAIN / "docs/contracts.md").read_text()
JOURNAL = re.search(r"<!-- example: journal -->\n```json\n(.*?)```", CONTRACTS, re.S)[1]


def at(second, event, **fields):
    return {"at": f"2026-11-25T03:41:{second:02d}Z", "component": "train", "event": event, **fields}


def test_every_event_of_the_contract_is_a_sentence():
    lines = [telling.Teller().line(json.loads(text)) for text in JOURNAL.splitlines()]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S.*[.]$", line) for line in lines), lines
    assert "train: submitted as job 77, attempt 1, queued." in lines[4]
    assert lines[-1].endswith("  Closed as succeeded.")


def test_every_event_that_the_code_writes_has_words():
    source = "".join(path.read_text() for path in (BRAIN / "plugins").rglob("*.py"))
    written = set(re.findall(r"""(?:report|note)\((?:None, |component\["id"\], |\s)*"([a-z]+)\"""", source))
    assert {"intent", "end", "loaded", "closed", "progress", "doubt"} <= written
    assert written <= set(telling._SENTENCES), written - set(telling._SENTENCES)


def test_progress_is_told_when_it_is_news():
    teller = telling.Teller()
    events = [
        (at(0, "progress", percent=1), True),
        (at(5, "progress", percent=30), False),
        (at(11, "progress", percent=60), True),
        (at(12, "progress", percent=100), True),
        (at(12, "progress", percent=100), False),
        (at(13, "progress", state="running"), True),
        (at(14, "end", state="succeeded"), True),
        (at(15, "progress", state="running"), True),
    ]
    assert [(event, bool(teller.line(event))) for event, _told in events] == events


@pytest.mark.parametrize("event", [{"event": "submitted"}, {"event": "end"}, {"event": "news of another version"}])
def test_what_does_not_read_is_left_out(event):
    assert telling.Teller().line({"at": "2026-11-25T03:41:10Z", "component": "train", **event}) is None


def test_no_control_character_of_a_site_reaches_the_terminal():
    said = telling.sentence(at(1, "unreachable", message="no\x1b[2J answer\r\n行\x9b"))
    assert said == "waits for the site: no·[2J answer··行·"


def test_a_service_is_told_with_its_address_and_what_requests_took():
    said = telling.sentence(at(1, "answers", url="https://127.30.0.1:1/apps/x/", median_ms=3.5, requests=5))
    assert said == "answers at https://127.30.0.1:1/apps/x/: 3.5 ms, the median of 5 requests."
