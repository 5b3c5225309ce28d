"""Two real Slurm clusters on loopback, as one ordinary user: munged, slurmctld, slurmd, slurmrestd, slurmdbd.

    with RealSlurm() as slurm:
        slurm.site("hunan").sbatch("sleep 60", gres="npu:ascend910b:8")
        … use slurm.config …

The handle has what playbook tests ask of a lab: `config`, `site(name)` with `home`, `counters`, `heal`. Without
accounting (no slurmdbd, no MariaDB) it is up in a second, and there is no history, quota or account.
"""

import functools
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import time

from tests.lab import keys
from tests.lab import procs
from tests.lab import render
from tests.lab.server.counters import Counters
from tests.lab.server.faults import Faults
from tests.real import config
from tests.real import daemons
from tests.real import packages
from tests.real import slurm_conf
from tests.real.front import Gate
from tests.real.login import LoginNode

USER = pwd.getpwuid(os.geteuid()).pw_name


class Cluster:
    """One cluster with its login node. What a test stops or breaks is undone by `heal`."""

    def __init__(self, name, folder, tree, taken, sql):
        self.name, self.folder, self.tree, self.accounting = name, folder / name, tree, bool(sql)
        self.hardware = slurm_conf.HARDWARE[name]
        self.home = self.folder / "home"
        self.conf = self.folder / "etc" / "slurm.conf"
        self.counted, self.faults = Counters(), Faults()
        self._free = functools.partial(render.free_port, taken)
        self.ports = {service: self._free() for service in ("ctld", "dbd", "rest", "gate", "login")}
        self.ports["first"] = self._free_pair()
        self._sql = sql or {}
        self.environment = {**tree.environment, "SLURM_CONF": str(self.conf), "HOME": str(self.home),
                            "USER": USER, "LOGNAME": USER, "SHELL": "/bin/sh", "TMPDIR": "/tmp"}  # fmt: skip
        self.daemons = daemons.Daemons(self.folder / "log", self.environment)
        self.login = None

    def _free_pair(self):
        while True:
            first = self._free()
            if first + 1 not in (taken := self._free.args[0]) and render.bindable(first + 1):
                taken.add(first + 1)
                return first

    # -- starting, step by step, so that both clusters come up together --------------------------
    def prepare(self):
        for name in ("etc", "state", "munge", "run", "log", "spool", "home"):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        (self.folder / "munge").chmod(0o700)
        keys.write_private(self.folder / "munge" / "key", secrets.token_bytes(128))
        keys.jwt_key(self.folder / "etc" / "jwt_hs256.key")
        facts = {**self.ports, "last": self.ports["first"] + 1, "user": USER, "folder": self.folder,
                 "plugins": self.tree.plugins, "version": self.tree.slurm_version(),
                 "accounting": self.accounting, **self._sql}  # fmt: skip
        for name, text in slurm_conf.texts(self.name, **facts).items():
            keys.write_private(self.conf.with_name(name), text.encode())
        software = self.home / "brain" / "sw" / "bin"
        software.mkdir(parents=True)
        (software / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (software / "python3").chmod(0o755)

    def start_munged(self):
        place = self.folder / "munge"
        # --force: a folder that only we can enter is too private for munged's taste.
        files = [
            f"--{kind}={place / name}"
            for kind, name in (
                ("key-file", "key"),
                ("socket", "socket"),
                ("pid-file", "pid"),
                ("log-file", "log"),
                ("seed-file", "seed"),
            )
        ]
        self._start("munged", "--foreground", "--force", "--num-threads=2", *files)

    def start_slurmdbd(self):
        self.daemons.wait("munged", (self.folder / "munge" / "socket").exists)
        self._start("slurmdbd", "-D")

    def add_cluster(self):
        self._history_answers()
        self.tool("sacctmgr", "-i", "add", "cluster", self.name)

    def start_rest_of_it(self):
        self.daemons.wait("munged", (self.folder / "munge" / "socket").exists)
        self._start("slurmctld", "-D", "-f", self.conf)
        for node in self.hardware["names"]:
            stepd = ["-d", self.tree.program("slurmstepd")]
            self._start("slurmd", "-D", "-N", node, "-f", self.conf, *stepd, name=node)
        # Left to itself it loads what needs slurmdbd, and ends without one.
        plugins = slurm_conf.rest_plugins(self.tree.slurm_version(), self.accounting)
        # SLURM_JWT, any text: it speaks auth/jwt, and needs no munge. One ordinary user is SlurmUser here too.
        self._start("slurmrestd", "-a", "rest_auth/jwt", *plugins, "-t", "8", "-f", self.conf,
                    f"127.0.0.1:{self.ports['rest']}", SLURM_JWT="daemon",
                    SLURMRESTD_SECURITY="disable_user_check")  # fmt: skip

    def add_accounts(self):
        self._controller_answers()
        if self.accounting:
            lines = slurm_conf.ACCOUNTS.format(user=USER, limit=self.hardware["limit"])
            self.tool("sacctmgr", "-i", "-Q", said=lines)

    def wait_ready(self):
        self._controller_answers()
        self.wait_idle()
        self.daemons.wait("slurmrestd", lambda: daemons.listens(self.ports["rest"]))

    def open_fronts(self, host_key, authorized_key):
        self.gate = Gate(self.ports["gate"], self.ports["rest"], self.counted, self.faults)
        self.login = LoginNode(self.ports["login"], host_key, authorized_key, self.folder, self.home,
                               self.environment)  # fmt: skip
        self.faults.on_dead = lambda dead: (self.gate.close(), self.login.close()) if dead else self._open()
        self._open()

    def _open(self):
        self.gate.open()
        self.login.open()

    def _start(self, program, *arguments, name=None, **environment):
        self.daemons.start(name or program, self.tree.program(program), *arguments, **environment)

    def _controller_answers(self):
        self.daemons.wait("slurmctld", lambda: daemons.listens(self.ports["ctld"]))
        self.daemons.wait("slurmctld", lambda: "UP" in (self._asks("scontrol", "ping") or ""))

    def _history_answers(self):
        self.daemons.wait("slurmdbd", lambda: daemons.listens(self.ports["dbd"]))
        self.daemons.wait("slurmdbd", lambda: self._asks("sacctmgr", "-nP", "show", "cluster") is not None)

    def wait_idle(self):
        """Wait until every node is up and has nothing to do."""
        names = self.hardware["names"]
        idle = ["idle"] * len(names)
        for name in names:
            self.daemons.wait(name, lambda: (self._asks("sinfo", "-hN", "-o", "%T") or "").split() == idle)

    # -- the platform's own tools, as an operator calls them --------------------------------------
    def tool(self, *command, said=None, seconds=60):
        """Run one of Slurm's commands and return what it printed; fail where it does."""
        command = [self.tree.program(command[0]), *command[1:]]
        done = subprocess.run(
            [str(word) for word in command], env=self.environment, cwd=self.home, input=said or "",
            capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip
        if done.returncode:
            raise daemons.DaemonError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _asks(self, *command):
        try:
            return self.tool(*command)
        except (daemons.DaemonError, subprocess.TimeoutExpired):
            return None

    def sbatch(self, script, account="physics", **options):
        """Submit somebody else's job; return its number. options: sbatch's long ones."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        account = ["--account", account] if self.accounting else []
        said = self.tool("sbatch", "--parsable", "--export=NONE", "--output=/dev/null", *account, *words,
                         said=f"#!/bin/sh\n{script}\n")  # fmt: skip
        return int(said.split(";")[0])

    def take_all(self, seconds=600):
        """Submit a foreign job that takes every accelerator, and wait until it runs; return its number."""
        count, native = len(self.hardware["names"]), f"{self.hardware['native']}:{self.hardware['cards']}"
        number = self.sbatch(f"sleep {seconds}", job_name="foreign", nodes=count, gres=native, time=seconds // 60 + 1)
        daemons.wait("sbatch", lambda: self.tool("squeue", "-h", "-j", number, "-o", "%T").strip() == "RUNNING")
        return number

    def scancel(self, *numbers):
        """Cancel jobs and wait until their nodes are free of them."""
        self.tool("scancel", *map(str, numbers))
        listed = ",".join(map(str, numbers))
        daemons.wait("scancel", lambda: not (self._asks("squeue", "-h", "-j", listed) or "").strip())

    def copies(self, name):
        """Return the numbers of all jobs that ever had this name, from the controller and from the history."""
        found = self.tool("squeue", "-h", "-t", "all", "-n", name, "-o", "%i").split()
        if self.accounting:
            start = time.strftime("%Y-%m-%dT00:00:00", time.localtime(time.time() - 86400))
            found += self.tool("sacct", "-n", "-X", "-P", "-S", start, f"--name={name}", "-o", "JobID").split()
        return sorted(set(found))

    # -- faults ----------------------------------------------------------------------------------
    def fault(self, kind, **options):
        """``lost_answer``, ``dead``; ``ctld_down``, ``dbd_down`` stop that daemon."""
        stopped = {"ctld_down": "slurmctld", "dbd_down": "slurmdbd"}.get(kind)
        if stopped:
            self.daemons.stop(stopped)
        else:
            self.faults.set(kind, **options)

    def heal(self):
        """Undo all faults; return when the cluster answers as before."""
        self.faults.heal()
        if self.accounting and not self.daemons.runs("slurmdbd"):
            self.daemons.start("slurmdbd")
            self._history_answers()
        if not self.daemons.runs("slurmctld"):
            self.daemons.start("slurmctld")
            self._controller_answers()
        down = ("down", "unk", "*")
        self.daemons.wait("slurmctld", lambda: not any(
            word in (self._asks("sinfo", "-hN", "-o", "%T") or "unk") for word in down))  # fmt: skip

    def counters(self):
        """``{"reads", "writes", "calls"}`` of REST and login since `reset_counters`, by clients of the fronts."""
        rest, login = self.counted.as_dict(), self.login.counters()
        sums = {kind: rest[kind] + login[kind] for kind in ("reads", "writes")}
        return {**sums, "calls": {**rest["calls"], **login["calls"]}}

    def reset_counters(self):
        self.counted.reset()
        self.login.reset()

    def token(self, user=USER, lifespan_s=3600, **claims):
        return keys.mint_jwt((self.folder / "etc" / "jwt_hs256.key").read_bytes(), user, lifespan_s, **claims)

    # -- the end ---------------------------------------------------------------------------------
    def stop(self):
        """End everything. Jobs first: a slurmstepd without its controller stays for ever."""
        if self.login:
            self.gate.close()
            self.login.end()
        if self.daemons.runs("slurmctld"):
            self._asks("scancel", "--user", USER, "--signal=KILL", "--full")
            self._asks("scancel", "--user", USER)
        nodes = self.hardware["names"]
        self.daemons.stop("slurmrestd", *nodes)
        self.daemons.stop("slurmctld")
        self.daemons.stop("slurmdbd")
        self.daemons.stop("munged")
        if self.conf.exists():
            procs.kill_marked(f"SLURM_CONF={self.conf}")


class RealSlurm:
    """Both clusters, with a config folder for them."""

    def __init__(self, accounting=True, tree=None):
        self.accounting, self.tree = accounting, tree or packages.slurm()
        self.folder = self.config = self._sql = None
        self._sites = {}

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def site(self, name):
        return self._sites[name]

    @property
    def sites(self):
        return list(self._sites.values())

    def start(self):
        self.folder = daemons.make_folder()
        self.config = self.folder / "config"
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self):
        taken = set()
        sql = None
        if self.accounting:
            sql = {"sql": render.free_port(taken), "password": secrets.token_hex(16)}
        self._sites = {name: Cluster(name, self.folder, self.tree, taken, sql) for name in slurm_conf.HARDWARE}
        for cluster in self.sites:
            cluster.prepare()
            cluster.start_munged()
        if sql:
            self._start_mariadb(**sql)
            self._each("start_slurmdbd", "add_cluster")
        self._each("start_rest_of_it", "add_accounts", "wait_ready")
        config.write(self)

    def _each(self, *steps):
        for step in steps:
            for cluster in self.sites:
                getattr(cluster, step)()

    def _start_mariadb(self, sql, password):
        place = self.folder / "sql"
        (place / "tmp").mkdir(parents=True)
        environment = {**self.tree.environment, "HOME": str(place), "TMPDIR": str(place / "tmp")}
        base = [f"--basedir={self.tree.root / 'usr'}", f"--datadir={place / 'data'}"]
        done = subprocess.run(
            [self.tree.program("mariadb-install-db"), "--no-defaults", *base, "--skip-test-db", "--skip-name-resolve",
             "--auth-root-authentication-method=normal"],
            env=environment, cwd=place, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise daemons.DaemonError(f"mariadb-install-db: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        # An init file is read a line a statement.
        first = [f"CREATE USER slurm@127.0.0.1 IDENTIFIED BY '{password}'", "GRANT ALL ON *.* TO slurm@127.0.0.1",
                 "DELETE FROM mysql.global_priv WHERE User = 'root'", "FLUSH PRIVILEGES"]  # fmt: skip
        keys.write_private(place / "first.sql", "".join(f"{line};\n" for line in first).encode())
        share = self.tree.root / "usr" / "share"
        messages = next(folder for folder in (share / "mariadb", share / "mysql") if (folder / "english").exists())
        self._sql = daemons.Daemons(place, environment)
        self._sql.start(
            "mariadbd", self.tree.program("mariadbd"), "--no-defaults", *base, "--bind-address=127.0.0.1",
            f"--port={sql}", f"--socket={place / 'socket'}", f"--pid-file={place / 'pid'}", "--skip-name-resolve",
            f"--init-file={place / 'first.sql'}", f"--lc-messages-dir={messages}",
            "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", "--performance-schema=OFF",
            "--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci",
            "--innodb-flush-log-at-trx-commit=0",
        )  # fmt: skip
        self._sql.wait("mariadbd", lambda: daemons.listens(sql))

    def stop(self):
        """Stop all of it and remove the folder; harmless where nothing runs."""
        for cluster in self.sites:
            cluster.stop()
        if self._sql:
            self._sql.stop("mariadbd")
            self._sql = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder, self._sites = None, {}
