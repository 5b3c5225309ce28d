"""What slurmstepd is: the supervisor of one job. Run as ``python -I -S stepd.py FOLDER``; standard library only.

It reads ``FOLDER/spec.json``, runs the script in its own session and leaves ``FOLDER/rc.json`` with the raw
wait status. It outlives the controller, as the real one does. SIGTERM: TERM to the job's group, KILL after
KillWait; SIGUSR1, SIGUSR2, SIGHUP, SIGINT are passed on. What the job leaves behind when its script ends is killed.
"""

import errno
import json
import os
import signal
import sys
import time

CANNOT_OPEN_OUTPUT = 4021  # ESLURMD_IO_ERROR's number is what slurmctld shows as exit_code


def expand(path, spec):
    """File name patterns of sbatch(1); the controller's view never expands them."""
    out, i = "", 0
    while i < len(path):
        if path[i] == "%" and i + 1 < len(path):
            out += str(spec["patterns"].get(path[i + 1], path[i : i + 2]))
            i += 2
        else:
            out += path[i]
            i += 1
    return out


def open_streams(spec):
    """Return the three descriptors; OSError if one cannot be opened."""
    out = expand(spec["stdout"] or "slurm-%j.out", spec)
    err = expand(spec["stderr"], spec) if spec["stderr"] else out
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if spec["append"] else os.O_TRUNC)
    stdin = os.open(spec["stdin"] or "/dev/null", os.O_RDONLY)
    stdout = os.open(out, flags, 0o666)
    stderr = stdout if err == out else os.open(err, flags, 0o666)
    return stdin, stdout, stderr


def child(spec, script):
    """Become the job. Never returns."""
    try:
        os.setsid()
        for number in range(1, signal.NSIG):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                try:
                    signal.signal(number, signal.SIG_DFL)
                except (OSError, ValueError):
                    continue
        os.dup2(spec["fds"][0], 0)
        os.dup2(spec["fds"][1], 1)
        os.dup2(spec["fds"][2], 2)
        os.closerange(3, 256)
        os.execve(script, [script], spec["environment"])
    except OSError as error:
        # ENOEXEC (no shebang) ends as 8, ENOENT (CRLF after the interpreter) as 2.
        message = f"slurmstepd: error: execve(): {script}: {os.strerror(error.errno)}\n"
        os.write(2, message.encode())
        os._exit(error.errno)
    os._exit(errno.EINVAL)


def report(folder, **what):
    part = os.path.join(folder, "rc.json.part")
    with open(part, "w") as stream:
        json.dump({"end": time.time(), **what}, stream)
    os.replace(part, os.path.join(folder, "rc.json"))


def main(folder):
    with open(os.path.join(folder, "spec.json")) as stream:
        spec = json.load(stream)
    os.umask(0o022)
    script = os.path.join(folder, "slurm_script")
    with open(os.open(script, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "w", newline="") as stream:
        stream.write(spec["script"])
    try:
        os.chdir(spec["cwd"])
    except OSError:
        os.chdir("/tmp")  # a cwd that is not there is no error for Slurm: the job runs here
    try:
        spec["fds"] = open_streams(spec)
    except OSError as error:
        report(folder, status=CANNOT_OPEN_OUTPUT, launched=False, why=str(error))
        return
    state = {"pid": 0, "stopping": False}

    def group(number):
        try:
            os.killpg(state["pid"], number)
        except ProcessLookupError:
            pass

    def stop(number, frame):
        if not state["stopping"]:
            state["stopping"] = True
            group(signal.SIGCONT)
            group(signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, spec["kill_wait"])

    handled = {signal.SIGTERM: stop, signal.SIGALRM: lambda *_: group(signal.SIGKILL)}
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGINT):
        handled[number] = lambda number, _: group(number)
    # Blocked until the child has its own session: a signal in between would hit the wrong group.
    signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    for number, handler in handled.items():
        signal.signal(number, handler)
    state["pid"] = os.fork()
    if state["pid"] == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        child(spec, script)
    for descriptor in set(spec["fds"]):
        os.close(descriptor)
    while os.getpgid(state["pid"]) != state["pid"]:
        try:
            if os.waitid(os.P_PID, state["pid"], os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        except ChildProcessError:
            break
        time.sleep(0.001)
    with open(os.path.join(folder, "pid"), "w") as stream:
        stream.write(str(state["pid"]))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)
    _, status = os.waitpid(state["pid"], 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    group(signal.SIGKILL)
    report(folder, status=status, launched=True)


if __name__ == "__main__":
    main(sys.argv[1])
