"""Who may import whom: one table, read from the imports of the tree."""

import graphlib
from pathlib import Path

from tests.structure.tree import COLLECTION
from tests.structure.tree import files
from tests.structure.tree import imports
from tests.structure.tree import MODULE_UTILS

FLOOR = {"said", "errors", "resources", "plain", "names", "jobfile", "configfile"}
TRANSPORT = {"http", "ssh", "shell", "networks"}
WEBHOOK_FLOOR = {"planning", "store", "resources", "plain", "said", "errors", "names", "plugin_utils"} | {
    f"webhook {room}" for room in ("records", "settings", "rights", "runs")
}

# Room → the rooms it may import. A room may always import itself, but for PLATFORMS.
ROOMS = {
    "said": set(),
    "errors": {"said"},
    "resources": set(),
    "plain": {"resources"},
    "names": {"errors"},
    "configfile": {"errors"},
    "jobfile": {"errors", "names"},
    "hints": set(),
    "pins": set(),
    "hostvars": {"errors", "resources", "plain"},
    "networks": {"errors"},
    "hops": {"resources"},
    "netpath": {"errors", "resources", "networks", "hops", "sshlink"},
    "httplink": {"errors"},
    "http": {"errors", "resources", "httplink", "networks"},
    "files": {"errors", "resources"},
    "sshlink": {"errors", "files"},
    "ssh": {"errors", "resources", "files", "sshlink"},
    "nodefacts": {"names", "resources"},
    "shell": {"errors", "resources", "ssh"},
    "profiled": FLOOR | TRANSPORT | {"files", "platform base", "nodefacts"},
    "platform base": FLOOR | TRANSPORT,
    "machines": FLOOR | TRANSPORT,
    "platforms": FLOOR | TRANSPORT | {"platform base", "profiled", "nodefacts", "machines"},
    "registry": {"errors", "platform base", "platforms"},
    "sitechecks": {"errors", "configfile", "networks", "registry"},
    "sites": FLOOR | TRANSPORT | {"registry", "platform base", "sitechecks", "hints", "pins"},
    "verbs": FLOOR | {"sites", "machines", "netpath", "networks"},
    "module": FLOOR | {"sites", "verbs"},
    "planning": {"said", "errors", "resources", "plain"},
    "store": {"errors", "names", "hints"},
    "plugin_utils": FLOOR
    | {"hostvars", "sites", "verbs", "planning", "store", "http", "netpath", "sshlink", "machines"},
    "modules": {"module"},
    "action": FLOOR | {"hostvars", "sites", "verbs", "planning", "store", "plugin_utils"},
    "inventory": {"plugin_utils"},
    "callback": {"plugin_utils"},
    "connection": set(),
    "doc_fragments": set(),
    "filter": {"errors", "resources"},
    "installation plugins": {"errors", "resources", "filter"},
    "webhook records": {"said"},
    "webhook settings": {"said", "errors", "store", "plugin_utils"},
    "webhook rights": {"webhook records", "webhook settings"},
    "webhook runs": {"webhook records", "webhook settings", "said", "errors", "names", "store", "plugin_utils"},
    "webhook": WEBHOOK_FLOOR,
    "webhook api": WEBHOOK_FLOOR | {"webhook"},
    "webhook pages": WEBHOOK_FLOOR | {"webhook", "webhook api"},
    "webhook app": WEBHOOK_FLOOR | {"webhook", "webhook api", "webhook pages"},
}

# Longest prefix wins.
PLACES = {
    **{f"{MODULE_UTILS}/{name}.py": name for name in ROOMS if " " not in name},
    f"{MODULE_UTILS}/profiled/": "profiled",
    f"{MODULE_UTILS}/machines/": "machines",
    f"{MODULE_UTILS}/services.py": "resources",
    f"{MODULE_UTILS}/platforms/": "platforms",
    f"{MODULE_UTILS}/platforms/__init__.py": "platform base",
    f"{MODULE_UTILS}/platforms/base.py": "platform base",
    f"{MODULE_UTILS}/platforms/registry.py": "registry",
    f"{MODULE_UTILS}/verbs/": "verbs",
    f"{COLLECTION}/plugins/plugin_utils/": "plugin_utils",
    f"{COLLECTION}/plugins/plugin_utils/planning/": "planning",
    **{
        f"{COLLECTION}/plugins/plugin_utils/{name}.py": "store"
        for name in ("autoapproval", "clock", "statement", "store", "claim")
    },
    **{
        f"{COLLECTION}/plugins/{kind}/": kind
        for kind in ("modules action inventory callback connection doc_fragments filter".split())
    },
    "plugins/": "installation plugins",
    "webhook/": "webhook",
    "webhook/pages/": "webhook pages",
    "webhook/api/": "webhook api",
    "webhook/rights.py": "webhook rights",
    "webhook/config.py": "webhook settings",
    "webhook/app.py": "webhook app",
    "webhook/__main__.py": "webhook app",
    "webhook/runs/": "webhook runs",
    **{f"webhook/{name}": "webhook records" for name in "states.py database.py models.py audit.py migrations/".split()},
}

# Package → the files that may import it.
ONLY_IN = {
    "requests": {f"{MODULE_UTILS}/httplink.py"},
    "asyncssh": {
        f"{MODULE_UTILS}/sshlink.py",
        f"{COLLECTION}/plugins/plugin_utils/statement.py",
    },
    "ansible_runner": {"webhook/runs/process.py"},
}

# What a pure function cannot have.
IMPURE = {"ansible", "requests", "asyncssh", "socket", "subprocess", "urllib", "http", "time"}
CLOCK_CALLS = ("datetime.now(", "datetime.utcnow(", "date.today(", ".today()")


def room_of(path):
    places = [place for place in PLACES if str(path).startswith(place)]
    return PLACES[max(places, key=len)] if places else None


def target_of(root, path, dots, name):
    """The file of ours that an import leads to, or None for a foreign package."""
    if dots:
        base = path.parents[dots - 1]
    elif name.startswith("ansible_collections.suanwang.brain."):
        base = Path("collections")
    else:
        base = Path()
    parts = name.split(".")
    while parts:
        place = base.joinpath(*parts)
        for target in (place.with_suffix(".py"), place / "__init__.py"):
            if Path(root, target).is_file():
                return target
        parts.pop()
    return base / "__init__.py" if dots else None


def violations(root):
    found = []
    graph = {}
    sources = [
        path for folder in (f"{COLLECTION}/plugins", "plugins", "webhook") for path in files(root, folder, ".py")
    ]
    for path in sources:
        room = room_of(path)
        if room is None and not Path(root, path).read_text(encoding="utf-8"):
            continue
        if room is None:
            found.append(f"{path}: no room of the table holds this file")
            continue
        ours = str(path).startswith(COLLECTION)
        for line, dots, name in imports(root, path):
            where = f"{path}:{line}"
            package = "" if dots else name.partition(".")[0]
            target = target_of(root, path, dots, name)
            if ours and package in ("ansible_collections", "webhook", "plugins", "tests"):
                found.append(f"{where}: {name}: the collection imports itself relatively, no other")
            if package == "tests":
                found.append(f"{where}: {name}: the product does not import its tests")
            if str(path) not in ONLY_IN.get(package, {str(path)}):
                found.append(f"{where}: {package} belongs in {' or '.join(ONLY_IN[package])}")
            if room == "planning" and package in IMPURE:
                found.append(f"{where}: {package}: planning is pure")
            if target is None or target == path:
                continue
            graph.setdefault(path, set()).add(target)
            other = room_of(target)
            # `<platform>_<part>.py` is a part of that platform, and nobody else's.
            family = path.stem.partition("_")[0]
            if room == other == "platforms" and not target.stem.startswith(f"{family}_"):
                found.append(f"{where}: one platform imports another, {target.name}")
            elif other != room and other not in ROOMS[room] and other is not None:
                found.append(f"{where}: {room} may not import {other} ({target})")
        if room == "planning":
            text = Path(root, path).read_text(encoding="utf-8")
            found += [f"{path}: {call}: planning has no clock" for call in CLOCK_CALLS if call in text]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append(f"circle: {' → '.join(map(str, error.args[1]))}")
    return found
