"""The benches still run: the two cheapest with tiny numbers. What they measure here is not looked at."""

import json

import pytest

from tests.bench import __main__ as command
from tests.bench import measure
from tests.bench import perception


def test_a_bench_prints_ratios_and_keeps_them(tmp_path, capsys):
    assert command.main(["proposals", "--small", "--runs", "1", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "examples/digits" in shown and "ratio" in shown
    (path,) = tmp_path.glob("bench-*.json")
    kept = json.loads(path.read_text())
    assert {"cpu", "cores", "python", "ansible_core", "load", "load_after"} <= kept["machine"].keys()
    assert [row["bench"] for row in kept["rows"]] == ["proposals"] * 3
    assert all(row["ratio"] > 0 for row in kept["rows"])


def test_pools_of_a_snapshot_become_hosts(tmp_path):
    (row,) = perception._many(measure.Bench(tmp_path, runs=1, small=True))
    assert row.what == "20 pools" and row.ours > 0


def test_a_bench_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["speed"])
    assert "there is no bench 'speed'" in capsys.readouterr().err


def test_a_target_is_met_or_missed_and_a_failing_command_is_told(tmp_path):
    assert measure.Row("b", "w", 1, "p", 10, target=0.1).verdict == "<= 0.1: met"
    assert measure.Row("b", "w", 2, "p", 10, target=0.1).verdict == "<= 0.1: MISSED"
    bench = measure.Bench(tmp_path, runs=1)
    with pytest.raises(measure.CommandFailed, match="ended with 1"):
        bench.cost("false")
