"""A verb in the worker against a module that does nothing, a host-task each; an empty play is subtracted."""

import json

from tests.bench.measure import Row
from tests.lab.lab import Lab

TASKS = {
    "nothing": None,
    "true": {"ansible.builtin.command": "/bin/true"},
    "assert": {"ansible.builtin.assert": {"that": "true"}},
    "job_info": {
        "suanwang.brain.job_info": {"site": "hunan", "run": "01kaz4m6q3h8v0c9t2x5r7n1de", "component": "train"}
    },
    "pool_info": {"suanwang.brain.pool_info": {"site": "hunan"}},
}
TARGET = 0.1


def measure(bench):
    hosts = 2 if bench.small else 20
    inventory = bench.folder / "hosts.yml"
    names = {f"h{number}": {} for number in range(hosts)}
    inventory.write_text(json.dumps({"all": {"vars": {"ansible_connection": "local"}, "hosts": names}}))
    with Lab(bench.folder / "lab", sites=["hunan"]) as lab:
        commands = {}
        for name, task in TASKS.items():
            path = bench.folder / f"{name}.yml"
            path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task] if task else []}]))
            command = ["ansible-playbook", "-i", inventory, "-f", "20", path]
            commands[name] = (command, {"SUANWANG_CONFIG": lab.config})
        found = bench.alternately(**commands)
    start = found["nothing"]
    each = {name: found[name].over(start).cpu / hosts for name in TASKS if name != "nothing"}
    peer = "ansible.builtin.command: /bin/true"
    for name in ("job_info", "pool_info"):
        yield Row("verb", f"{name}, a host of {hosts}", each[name], peer, each["true"], target=TARGET)
    yield Row("verb", f"assert (the floor), a host of {hosts}", each["assert"], peer, each["true"])
