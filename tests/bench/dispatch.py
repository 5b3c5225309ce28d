"""A plan of many trivial components, applied on the lab, against a bare playbook of as many `command: true`."""

import json

from tests.bench.measure import CommandFailed
from tests.bench.measure import Row
from tests.lab.lab import Lab
from tests.playbooks.project import Project


def measure(bench):
    with Lab(bench.folder / "lab", settings={"pending_s": [0, 0.1]}) as lab:
        for count in (2,) if bench.small else (20, 100):
            yield from _measured(bench, lab, count)


def _measured(bench, lab, count):
    project = Project(lab, bench.folder / f"project-{count}")
    task = trivial(bench.folder / f"task-{count}", count)
    environment = {**project.environment, "SUANWANG_CONFIG": lab.config}
    runs = []

    def approved(_number):
        try:
            runs.append(project.approved(task))
        except AssertionError as error:
            raise CommandFailed(f"the plan could not be made: {error}") from error
        return ("-e", f"plan={runs[-1]}")

    apply = bench.cost("ansible-playbook", "playbooks/apply.yml", prepare=approved, **environment)
    for run in runs:
        if [event["state"] for event in project.events(run, "closed")] != ["succeeded"]:
            raise CommandFailed(f"run {run} did not succeed")
    again = bench.cost("ansible-playbook", "playbooks/apply.yml", "-e", f"plan={runs[-1]}", **environment)
    bare = bench.cost("ansible-playbook", "-i", hosts(bench, count), "-f", "60", playbook(bench, "/bin/true"))
    start = bench.cost("ansible-playbook", "-i", "localhost,", _empty(bench))
    ours, peer = apply.over(start), bare.over(start)
    against = f"{count} local command: /bin/true"
    note = (
        f"start of {start.cpu:.2f} s subtracted; each component is placed, given code, run as a job, watched, judged"
        f" and its scratch removed; wall {apply.wall:.1f} s against {bare.wall:.1f} s"
    )
    yield Row("dispatch", f"{count} components of one `run`", ours.cpu, against, peer.cpu, note=note)
    yield Row("dispatch", "the same plan applied again", again.over(start).cpu, against, peer.cpu)


def trivial(folder, count, code="", needs=lambda number: []):
    """Write a task of many components with one code; return its file. needs: number → ids."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "main.py").write_text(code)
    component = {
        "kind": "run",
        "framework": "none",
        "code": {"path": "code", "entry": "main.py"},
        "resources": {"cpu": 1, "memory_gib": 1},
        "work": {"duration_s": 1},
    }
    components = [{"id": f"c{number}", "needs": needs(number), **component} for number in range(count)]
    path = folder / "task.yml"
    path.write_text(json.dumps({"name": "trivial", "tenant": "demo", "components": components}))
    return path


def hosts(bench, count):
    path = bench.folder / "hosts.yml"
    named = {f"h{number}": {} for number in range(count)}
    path.write_text(json.dumps({"all": {"vars": {"ansible_connection": "local"}, "hosts": named}}))
    return path


def playbook(bench, command):
    path = bench.folder / "bare.yml"
    tasks = [{"ansible.builtin.command": command}]
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return path


def _empty(bench):
    path = bench.folder / "empty.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False}]))
    return path
