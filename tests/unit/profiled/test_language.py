# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile language: what holds after merging, and what an error says."""

import copy
import doctest
import inspect
import pathlib
import re

import pytest
import yaml

from ansible_collections.suanwang.brain.plugins.module_utils import configfile
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.platforms.registry import PLATFORMS
from ansible_collections.suanwang.brain.plugins.module_utils.profiled import language
from tests.contract.benches import THIRD

SHIPPED = sorted(name for name, kind in PLATFORMS.items() if getattr(kind, "PROFILE", None))
WHOLE = THIRD / "profiles" / "third.yml"


def effective(tmp_path, text, base="aofei"):
    path = tmp_path / "site.yml"
    path.write_text(text)
    return language.effective(PLATFORMS[base].PROFILE, path)


def test_the_examples_hold():
    assert doctest.testmod(language).failed == 0


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_good_and_says_that_it_is_assumed(name):
    assert language.effective(PLATFORMS[name].PROFILE) == PLATFORMS[name].PROFILE
    assert PLATFORMS[name].PROFILE["about"]["basis"].startswith("Assumed")
    assert "ASSUMPTION" in inspect.getdoc(inspect.getmodule(PLATFORMS[name]))


def test_a_whole_profile_needs_no_python():
    profile = language.effective(None, WHOLE)
    assert set(language.capabilities(profile)) >= {"quota", "alarms", "reserve"}


def test_the_example_of_the_page_is_good(tmp_path):
    page = pathlib.Path(inspect.getfile(configfile)).parents[2] / "docs" / "profiles.md"
    (text,) = re.findall(r"<!-- example: profile -->\n```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    shipped = copy.deepcopy(PLATFORMS["aofei"].PROFILE)
    profile = effective(tmp_path, text)
    assert profile["paths"]["ping"] == {"method": "GET", "path": "/openapi/v1/version"}
    assert profile["auth"]["headers"] == {"X-Auth-Token": "{token}"}
    assert "names no call `alarms`" in language.capabilities(profile)["alarms"]
    assert profile["states"]["Evicted"] == "failed" and profile["states"]["Running"] == "running"
    assert PLATFORMS["aofei"].PROFILE == shipped


@pytest.mark.parametrize(("text", "line", "said"), [
    ("states:\n  Frozen: cool\n", 2, "states.Frozen: 'cool' is not one of"),
    ("states: {}\nsurprise: 1\n", 1, "surprise"),
    ("\nfields:\n  job:\n    name: '[['\n", 4, "fields.job.name: '[[' is no JMESPath"),
    ("paths:\n  submit:\n    body:\n      name: '{nmae}'\n", 4, "paths.submit.body.name: there is no {nmae} here"),
    ("paths:\n  job: {path: '/jobs/{name}'}\n", 2, "there is no {name} here"),
    ("errors:\n  '9':\n    class: bad\n", 3, "errors.9.class: 'bad' is not one of"),
    ("time: {timezone: null, format: '%Y'}\n", 1, "times without a zone need `timezone`"),
    ("asynchronous: {kind: operation, operation: a, state: b, succeeded: [x], failed: [y]}\n", 1, "needs paths."),
    ("envelope:\n  code: null\n", 1, "envelope"),
    ("names: {length: 20}\n", 1, "names.length: 20 must be at least 58"),
    ("auth:\n  login: null\n", 1, "auth"),
    ("profile: 2\n", 1, "profile"),
    ("paths: null\n", 1, "paths"),
])  # fmt: skip
def test_an_error_names_file_line_and_entry(tmp_path, text, line, said):
    with pytest.raises(Invalid) as caught:
        effective(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/site.yml:{line}: ")
    assert said in str(caught.value) and caught.value.way_out


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "a: [\n", ""])
def test_what_is_no_mapping_is_said(tmp_path, text):
    with pytest.raises(Invalid) as caught:
        effective(tmp_path, text)
    assert "site.yml" in str(caught.value)


def test_every_call_of_the_schema_has_its_words():
    schema = configfile._schema(configfile._SCHEMAS / "profile.json")
    assert set(schema["properties"]["paths"]["properties"]) == set(language.CALLS)


def test_what_is_filled_in_is_no_template():
    assert language.fill({"a": "{name}-{label}"}, {"name": "{label}", "label": "x"}) == {"a": "{label}-x"}
    assert language.fill_path("/x/{name}", {"name": "../../{id}?a=b"}) == "/x/..%2F..%2F%7Bid%7D%3Fa%3Db"


@pytest.mark.parametrize(("value", "time", "seconds"), [
    ("2026-11-25T11:26:58+08:00", {"format": "rfc3339"}, 1795577218),
    ("2026-11-25T03:26:58Z", {"format": "rfc3339", "timezone": "+08:00"}, 1795577218),
    ("2026-11-25T11:26:58", {"format": "rfc3339", "timezone": "+08:00"}, 1795577218),
    ("2026-11-25 11:26:58", {"format": "%Y-%m-%d %H:%M:%S", "timezone": "+08:00"}, 1795577218),
    ("2026-11-24 21:56:58", {"format": "%Y-%m-%d %H:%M:%S", "timezone": "-05:30"}, 1795577218),
    ("1795577218", {"format": "epoch_s"}, 1795577218), (1795577218999, {"format": "epoch_ms"}, 1795577218),
    ("soon", {"format": "rfc3339"}, None), (None, {"format": "epoch_s"}, None), ("", {"format": "rfc3339"}, None),
])  # fmt: skip
def test_times(value, time, seconds):
    assert language.epoch(value, time) == seconds


# -- in a config folder -----------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path):
    """A config folder with one site of a profiled platform, and a function that changes its endpoint."""
    source = THIRD
    for name in ("links.yml", "policy.yml", "tenants.yml", "sites/lakeside.yml", "profiles/third.yml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((source / name).read_text("utf-8"))

    def change(**fields):
        path = tmp_path / "sites/lakeside.yml"
        site = yaml.safe_load(path.read_text("utf-8"))
        endpoint = {**site["endpoints"][0], **fields}
        site["endpoints"] = [{key: value for key, value in endpoint.items() if value is not None}]
        path.write_text(yaml.safe_dump(site))

    return tmp_path, change


def test_the_profile_is_part_of_a_sites_pin(folder):
    path, _change = folder
    before = sites.load(str(path)).site("lakeside").pin
    assert sites.load(str(path)).site("lakeside").pin == before
    file = path / "profiles/third.yml"
    file.write_text(file.read_text("utf-8") + "# another day\n")
    assert sites.load(str(path)).site("lakeside").pin != before


@pytest.mark.parametrize(("fields", "said"), [
    ({"profile": None}, "nothing but a profile"),
    ({"profile": "profiles/none.yml"}, "none.yml cannot be read"),
    ({"platform": "slurm"}, "the platform slurm has no profile"),
])  # fmt: skip
def test_a_site_file_that_names_the_wrong_profile_is_said_with_its_line(folder, fields, said):
    path, change = folder
    change(**fields)
    with pytest.raises(Invalid) as caught:
        sites.load(str(path))
    assert said in str(caught.value) and "endpoints[0].profile" in str(caught.value)


def test_a_profile_with_a_mistake_stops_the_config_with_both_places(folder):
    path, _change = folder
    file = path / "profiles/third.yml"
    file.write_text(file.read_text("utf-8").replace("成功: succeeded", "成功: splendid"))
    with pytest.raises(Invalid) as caught:
        sites.load(str(path))
    line = 1 + file.read_text("utf-8").split("splendid")[0].count("\n")
    assert f"{file}:{line}: states.成功: 'splendid'" in str(caught.value)
