"""A store that is read-only, full, or full in the middle of a run: what is said, and what comes of it."""

import contextlib
import os
import resource
import shutil
import subprocess

import pytest

from tests.faults import bench

WAY_OUT = "Free space or rights there, or name another folder in SUANWANG_STATE."


def untouched(lab):
    for name in bench.SITES:
        counters = lab.site(name).counters()
        assert (counters["reads"], counters["writes"]) == (0, 0), (name, counters)


@contextlib.contextmanager
def read_only(folder):
    """Take the right to write from a folder and all below it; the administrator's needs another mount."""
    if os.getuid() == 0:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    below = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in below:
        path.chmod(0o500)
    try:
        yield
    finally:
        for path in below:
            path.chmod(0o700)


def may_mount():
    """Whether this user may mount here: an ordinary user may not."""
    return os.getuid() == 0 and not subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode


def test_a_read_only_store_starts_nothing(template, lab, tmp_path):
    project, run = template.mint(tmp_path / "run")
    for name in bench.SITES:
        lab.site(name).reset_counters()
    with read_only(project.store.root):
        done = project.apply(run)
        assert done.code != 0 and "Traceback" not in done.text
        assert f"the store cannot write {project.store.run_dir(run)}" in done.flat, done.text
        assert WAY_OUT in done.flat
        untouched(lab)
        proposed = project.propose(template.folder / "task" / "task.yml")
        assert proposed.code != 0 and "Traceback" not in proposed.text
        assert f"the store cannot write {project.store.root}" in proposed.flat, proposed.text
    assert bench.our_jobs(lab, run) == []
    project.apply(run).good()
    bench.ended_well(project, lab, run)


@contextlib.contextmanager
def full_disk(store, run):
    """Put the store on a disk without a free byte; where nothing may be mounted, its journal at the limit of a file.

    Yields that limit, or None.
    """
    if not may_mount():
        path = store.journal_path(run)
        path.write_bytes(b"\n" * (1 << 20))
        yield 1 << 20
        path.unlink()
        return
    kept = store.root.with_name("kept")
    shutil.copytree(store.root, kept)
    size = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) + (2 << 20)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", store.root], check=True)
    try:
        shutil.copytree(kept, store.root, dirs_exist_ok=True)
        handle = os.open(store.root / "ballast", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while os.write(handle, bytes(4096)):
                pass
        os.close(handle)
        yield None
    finally:
        subprocess.run(["umount", store.root], check=True)


def test_a_full_disk_starts_nothing(template, lab, tmp_path):
    project, run = template.mint(tmp_path / "run")
    with full_disk(project.store, run) as limit:
        for name in bench.SITES:
            lab.site(name).reset_counters()
        process = begin(project, run)
        if limit:
            full_for(process, limit)
        code, text = end(process)
        assert code != 0
        assert f"the store cannot write {project.store.run_dir(run)}" in text
        assert ("File too large" if limit else "No space left on device") in text
        assert WAY_OUT in text
        untouched(lab)
    assert bench.our_jobs(lab, run) == []
    project.apply(run).good()
    bench.ended_well(project, lab, run)


def begin(project, run):
    """Start apply.yml; its output goes into a pipe, which no limit of files cuts."""
    return subprocess.Popen(
        ["ansible-playbook", "playbooks/apply.yml", "-e", f"plan={run}"],
        cwd=project.checkout, env=project.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def end(process):
    """Return (exit code, what was printed, on one line)."""
    text, _none = process.communicate(timeout=120)
    return process.returncode, " ".join(text.split())


def full_for(process, size):
    """Have every write of a process and its children fail beyond `size` of a file."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("event", ["loaded", "placed", "submitted"])
def test_a_disk_that_fills_in_the_middle_of_a_run(template, lab, clone, tmp_path, event):
    """It ends with a sentence or rides it out; the same again ends well, with one job."""
    project, run = template.mint(tmp_path / "run")
    process = begin(project, run)
    assert bench.wait_for(lambda: project.events(run, event), process)
    full_for(process, project.store.journal_path(run).stat().st_size)
    code, text = end(process)
    jobs = bench.our_jobs(lab, run)
    if code:
        assert f"the store cannot write {project.store.journal_path(run)}" in text, text[-3000:]
        assert WAY_OUT in text
    assert len(jobs) <= 1
    bench.no_orphans(project)
    other = bench.elsewhere(project, tmp_path / "second", clone)
    other.apply(run).good()
    bench.ended_well(other, lab, run)
    assert len(bench.our_jobs(lab, run)) == 1
