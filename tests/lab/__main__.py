"""``python -m tests.lab up | down | status | run``: the lab at its committed ports, in the background.

With ``--more`` before the verb: a lab of its own, at free ports, with what ``config/lab/more`` lays over the sites
(AoFei, TianYin). ``up`` prints its config folder, which SUANWANG_CONFIG takes.
"""

import sys

from tests.lab.lab import default_state
from tests.lab.lab import Lab
from tests.lab.lab import LabError


def _line(site) -> str:
    rows = [f"{row['id']} {row['protocol']}://{row['address']}:{row['port']}" for row in site.need["endpoints"]]
    return f"{site.name}: {', '.join(rows)}, home {site.home}"


def up(lab: Lab) -> int:
    before = {site.name for site in lab.attach()}
    try:
        lab.start()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    for site in lab.sites:
        print(_line(site) + (" (already up)" if site.name in before else ""), flush=True)
    print(f"config {lab.config}")
    return 0


def down(lab: Lab) -> int:
    found = [site.name for site in lab.attach()]
    lab.stop()
    print(f"stopped: {', '.join(found)}" if found else "nothing was running")
    return 0


def status(lab: Lab) -> int:
    found = lab.attach()
    for site in lab.sites:
        pid = f"pid {site.running['pid']}, {_line(site)}" if site in found else f"{site.name}: not running"
        print(pid)
    if not found:
        print("the lab is not running: python -m tests.lab up")
    return 0 if found else 1


def main(argv: list[str]) -> int:
    commands = {"up": up, "down": down, "status": status}
    more, argv = argv[:1] == ["--more"], argv[argv[:1] == ["--more"] :]
    verb = argv[0] if argv else ""
    if verb == "run":
        from tests.lab import tour

        return tour.main(argv[1:]) or 0
    if verb not in commands or argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    if more:
        return commands[verb](Lab(default_state().with_name("more"), background=True, more=True))
    return commands[verb](Lab(default_state(), ports="committed", background=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
