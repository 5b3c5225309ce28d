"""``python -m tests.bench [name …]``: print a table of ratios, and keep them as bench-<date>.json."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.bench import CHECKOUT
from tests.bench import dispatch
from tests.bench import measure
from tests.bench import perception
from tests.bench import proposals
from tests.bench import service
from tests.bench import transfer
from tests.bench import verb
from tests.bench import waiting

BENCHES = {
    "verb": verb.measure,
    "perception": perception.measure,
    "dispatch": dispatch.measure,
    "waiting": waiting.measure,
    "proposals": proposals.measure,
    "transfer": transfer.measure,
    "service": service.measure,
}


def main(argv=None):
    arguments = _arguments(argv)
    before = measure.machine()
    print(
        f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, ansible-core {before['ansible_core']},"
        f" load {before['load'][0]}; median of {arguments.runs}",
        flush=True,
    )
    rows, skipped, failed = [], [], []
    for name in arguments.names or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            bench = measure.Bench(folder, arguments.runs, arguments.small)
            try:
                found = list(BENCHES[name](bench))
            except measure.CommandFailed as error:
                failed.append(name)
                print(f"{name} failed: {error}", file=sys.stderr)
                continue
        rows += [one for one in found if isinstance(one, measure.Row)]
        skipped += [one for one in found if isinstance(one, measure.Skipped)]
    print("\n".join(measure.table(rows)))
    for one in skipped:
        print(f"{one.bench}: {one.sentence}")
    path = _keep(arguments.out, before, rows, skipped)
    print(f"load {before['load'][0]} before, {os.getloadavg()[0]:.2f} after; kept in {path}")
    return 1 if failed else 0


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--runs", type=int, default=3, help="how often each is run; the median counts")
    parser.add_argument("--small", action="store_true", help="tiny numbers: does the code of the bench still work?")
    parser.add_argument("--out", type=Path, default=CHECKOUT, help="the folder of bench-<date>.json")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}; there are: {', '.join(BENCHES)}")
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    return arguments


def _keep(folder, before, rows, skipped):
    at = before["at"].replace(":", "").replace("-", "")
    path = folder / f"bench-{at}.json"
    kept = {
        "machine": {**before, "load_after": [round(one, 2) for one in os.getloadavg()]},
        "rows": [row.plain() for row in rows],
        "skipped": [f"{one.bench}: {one.sentence}" for one in skipped],
    }
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
