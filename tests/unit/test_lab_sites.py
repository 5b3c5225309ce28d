"""The lab's sites as a whole: the login node, faults, counters, and a life cycle that leaves nothing behind."""

import asyncio
import os
import socket
import ssl
import stat
import subprocess
import sys
import time

import asyncssh
import pytest
import requests
import yaml

from tests.lab import __main__ as command
from tests.lab import procs
from tests.lab import render
from tests.lab.lab import CONFIG
from tests.lab.lab import Lab
from tests.lab.lab import LabError
from tests.lab.rest import numbers
from tests.lab.rest import Rest
from tests.lab.server.counters import reads_only

FAST = {"pending_s": [0.02, 0.05], "kill_wait": 0.4, "ctld_block_s": 0.1}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), settings=FAST) as lab:
        yield lab


@pytest.fixture
def hunan(lab):
    rest = Rest(lab, "hunan")
    yield rest
    rest.close()
    lab.site("hunan").heal()


def connect(lab, name="hunan", **options):
    """Return asyncssh's connection context for a site's login, as a client configured from `lab.config` makes it."""
    row = next(e for e in lab.site(name).need["endpoints"] if e["protocol"] == "ssh")
    options = {
        "username": "brain", "known_hosts": str(lab.config / "known_hosts"), "config": None, "agent_path": None,
        "client_keys": [str(lab.config / "credentials" / f"{name}-login")], **options,
    }  # fmt: skip
    return asyncssh.connect(row["address"], row["port"], **options)


# -- the config folder ------------------------------------------------------------------------
def without_ports(row):
    behind = [place["address"] for place in row.get("behind", ())]
    return {**row, "port": 0, "behind": behind}


def test_rendered_config(lab):
    for path in sorted((lab.config / "sites").glob("*.yml")):
        committed = yaml.safe_load((CONFIG / "sites" / path.name).read_text())
        rendered = yaml.safe_load(path.read_text())
        ports = [e["port"] for e in rendered["endpoints"]]
        assert len(set(ports)) == len(ports) and all(1024 < port < 32768 for port in ports)
        for row, other in zip(rendered["endpoints"], committed["endpoints"], strict=True):
            assert without_ports(row) == without_ports(other)
    folder = lab.config / "credentials"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = "centre-a-login centre-a-metrics centre-a-slurm hunan-login hunan-metrics hunan-slurm".split()
    names = sorted([*names, "approver", "requester", "webhook-people", "webhook-signer"])
    assert sorted(p.name for p in folder.iterdir()) == names
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    site = yaml.safe_load((lab.config / "sites" / "hunan.yml").read_text())
    (port,) = [row["port"] for row in site["endpoints"] if row["protocol"] == "ssh"]
    known = asyncssh.read_known_hosts(str(lab.config / "known_hosts")).match("127.10.0.1", "127.10.0.1", port)
    assert {key.get_algorithm() for key in known[0]} == {"ssh-ed25519"}


@pytest.mark.parametrize("who", ["requester", "approver"])
def test_signatures_of_the_principals_verify(lab, tmp_path, who):
    if subprocess.run(["sh", "-c", "command -v ssh-keygen"], capture_output=True).returncode:
        pytest.skip("ssh-keygen is not installed: apt install openssh-client")
    key, text = lab.config / "credentials" / who, tmp_path / "text"
    text.write_text("statement")
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "approval@suanwang", text],
                   check=True, capture_output=True)  # fmt: skip
    verify = ["ssh-keygen", "-Y", "verify", "-f", lab.config / "allowed_signers", "-I", f"{who}@lab.invalid",
              "-n", "approval@suanwang", "-s", f"{text}.sig"]  # fmt: skip
    assert subprocess.run(verify, input=b"statement", capture_output=True).returncode == 0
    assert subprocess.run(verify, input=b"other", capture_output=True).returncode != 0


def test_certificate_is_good_for_the_name_of_the_site_file(lab, hunan):
    context = ssl.create_default_context(cafile=lab.config / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default
    address = hunan.site.rest.removeprefix("https://").split(":")
    for name, good in (("hunan.lab.invalid", True), ("127.10.0.1", True), ("centre-a.lab.invalid", False)):
        with socket.create_connection((address[0], int(address[1]))) as plain:
            if good:
                context.wrap_socket(plain, server_hostname=name).close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    context.wrap_socket(plain, server_hostname=name)


# -- the login node ---------------------------------------------------------------------------
def test_sftp_and_commands(lab):
    site = lab.site("hunan")
    site.reset_counters()

    async def session():
        async with connect(lab) as connection:
            async with connection.start_sftp_client() as files:
                assert await files.realpath(".") == str(site.home)
                await files.makedirs("brain/r1", exist_ok=True)
                async with files.open("brain/r1/data", "wb") as stream:
                    await stream.write(os.urandom(1 << 20))
                await files.posix_rename("brain/r1/data", "brain/r1/moved")
                assert sorted(await files.listdir("brain/r1")) == [".", "..", "moved"]
                async with files.open("brain/r1/moved", "rb") as stream:
                    assert len(await stream.read()) == 1 << 20
                assert (await files.stat("brain/r1/moved")).size == 1 << 20
                with pytest.raises(asyncssh.SFTPNoSuchFile):
                    await files.stat("nothing")
                with pytest.raises(asyncssh.SFTPPermissionDenied):
                    await files.mkdir("/tmp/outside-the-lab")
                with pytest.raises(asyncssh.SFTPPermissionDenied):
                    await files.mkdir("../../../outside")
            done = await connection.run("sha256sum brain/r1/moved && pwd")
            assert done.stdout.splitlines()[1] == str(site.home)
            assert (await connection.run("exit 7")).exit_status == 7
            assert (await connection.run("kill -9 $$")).exit_signal[0] == "KILL"
            assert (await connection.run("cat; echo e >&2", input="x" * 300000)).stderr == "e\n"
            assert (await connection.run("echo ${LAB_SITE_NONCE-none}")).stdout == "none\n"
            both = await asyncio.gather(*(connection.run(f"sleep 0.1; echo {n}") for n in range(8)))
            assert [done.stdout for done in both] == [f"{n}\n" for n in range(8)]

    asyncio.run(session())
    counts = site.counters()
    assert counts["sftp"]["read"] and counts["sftp"]["write"] and counts["exec"]["write"]
    assert counts["calls"]["exec sha256sum"] == 1 and counts["rest"] == {"read": 0, "write": 0}
    assert {row["service"] for row in site.peers()} >= {"ssh"}


def test_only_the_key_opens_and_any_user_name_does(lab, tmp_path):
    stranger = tmp_path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(stranger))

    async def session():
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(lab, client_keys=[str(stranger)])
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await connect(lab, known_hosts=([], [], []))
        async with connect(lab, username="whoever") as connection:
            assert (await connection.run("true")).exit_status == 0

    asyncio.run(session())


@pytest.mark.parametrize("command", ["sha256sum a", "test -f a && cat a", "ls -l | wc -l", "find . -name x", "true"])
def test_known_reads(command):
    assert reads_only(command)


@pytest.mark.parametrize("command", ["rm a", "cat a > b", "test -f a || mkdir b", "find . -delete", "echo $(rm a)", ""])
def test_in_doubt_a_write(command):
    assert not reads_only(command)


@pytest.mark.parametrize("fault", [{"kind": "corrupt", "n": 1}, {"kind": "disk_full", "n": 1},
                                   {"kind": "ssh_cut", "after_bytes": 100_000}])  # fmt: skip
def test_faults_of_transfers(lab, hunan, fault):
    hunan.site.fault(**fault)
    data = bytes(300_000)

    async def session():
        async with connect(lab) as connection, connection.start_sftp_client() as files:
            async with files.open("broken", "wb") as stream:
                await stream.write(data)

    if fault["kind"] == "corrupt":
        asyncio.run(session())
        assert (hunan.site.home / "broken").read_bytes() != data
    else:
        with pytest.raises((asyncssh.Error, OSError)):
            asyncio.run(session())


# -- faults of the front ----------------------------------------------------------------------
def test_throttling_and_errors(hunan):
    hunan.site.fault("status", code=429, retry_after=2, n=2)
    seen = [hunan.raw("GET", "/slurm/v0.0.38/ping") for _ in range(3)]
    assert [(a.status_code, a.headers.get("Retry-After")) for a in seen] == [(429, "2"), (429, "2"), (200, None)]


def test_cut_latency_and_frozen(hunan):
    hunan.site.fault("cut", n=1)
    with pytest.raises(requests.ConnectionError):
        hunan.get("ping")
    hunan.site.fault("latency", seconds=0.3, n=1)
    start = time.monotonic()
    assert hunan.get("ping")[0] == 200 and time.monotonic() - start > 0.3
    hunan.site.fault("frozen")
    with pytest.raises(requests.Timeout):
        hunan.raw("GET", "/slurm/v0.0.38/ping", timeout=0.3)


def test_a_lost_answer_has_made_the_job(hunan):
    hunan.site.fault("lost_answer", n=1)
    with pytest.raises(requests.ConnectionError):
        hunan.submit(name="lost")
    assert [j["name"] for j in hunan.get("jobs")[1]["jobs"]].count("lost") == 1


def test_expired_tokens_and_short_lists(hunan):
    hunan.site.fault("token_expiry")
    assert numbers(hunan.get("nodes")[1]) == [-1]
    hunan.site.heal()
    hunan.site.fault("partial", keep=1, path="/nodes")
    assert len(hunan.get("nodes")[1]["nodes"]) == 1


def test_a_dead_site_refuses_and_comes_back(lab, hunan):
    hunan.site.fault("dead")
    for row in hunan.site.need["endpoints"]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((row["address"], row["port"]))
    other = Rest(lab, "centre-a")
    assert other.get("ping")[0] == 200  # the others do not notice
    other.close()
    hunan.site.heal()
    assert hunan.get("ping")[0] == 200


def test_unknown_faults_are_refused(hunan):
    with pytest.raises(ValueError, match="there are"):
        hunan.site.fault("earthquake")
    with pytest.raises(ValueError, match="hn-asc09"):
        hunan.site.fault("drain", node="hn-asc09")


# -- life -------------------------------------------------------------------------------------
def marks(lab):
    return [f"SLURM_CONF={site.folder / 'etc' / 'slurm.conf'}" for site in lab.sites]


def test_two_labs_at_once_and_nothing_left(tmp_path):
    with Lab(tmp_path / "a", settings=FAST) as one, Lab(tmp_path / "b", settings=FAST, sites=["hunan"]) as two:
        assert {s.info()["nonce"] for s in one.sites}.isdisjoint(s.info()["nonce"] for s in two.sites)
        rest = Rest(one, "hunan")
        script = "trap '' TERM; (setsid sleep 300 &) ; sleep 300"
        job_id = rest.submit(script, standard_output="/dev/null")
        rest.until(job_id, "RUNNING")
        rest.close()
        pids = [site.running["pid"] for site in (*one.sites, *two.sites)]
        until = time.monotonic() + 5
        while len(procs.marked(marks(one)[1])) < 4:  # supervisor, bash and two sleeps
            assert time.monotonic() < until
            time.sleep(0.02)
    assert [pid for pid in pids if procs.start_ticks(pid)] == []
    assert [mark for mark in marks(one) + marks(two) if procs.marked(mark)] == []


def test_a_killed_controller_comes_back(tmp_path):
    with Lab(tmp_path, sites=["hunan"], settings=FAST) as lab:
        site, rest = lab.site("hunan"), Rest(lab, "hunan")
        known, nonce = (lab.config / "known_hosts").read_text(), site.info()["nonce"]
        running = rest.submit("sleep 0.8; exit 3", name="runs-on", standard_output="/dev/null")
        rest.until(running, "RUNNING")
        time.sleep(0.7)  # saved by now
        site.fault("no_save")
        forgotten = rest.submit("sleep 60", name="forgotten", standard_output="/dev/null")
        site.kill()
        with pytest.raises(requests.ConnectionError):
            rest.get("ping")
        site.restart()
        assert rest.until(running)["exit_code"] == 768  # it ran on, and its true code is known
        again = rest.submit("exit 0", name="next", standard_output="/dev/null")
        assert again == forgotten  # the accepted job is gone and its number is used again
        assert [j["name"] for j in rest.get("jobs")[1]["jobs"]] == ["runs-on", "next"]
        assert site.info()["nonce"] != nonce
        rest.close()
        ports = (tmp_path / "ports.json").read_text()
        lab.stop()
        with Lab(tmp_path, sites=["hunan"], settings=FAST) as second:  # another day: all keys stay
            assert (second.config / "known_hosts").read_text() == known
            assert (tmp_path / "ports.json").read_text() == ports


def test_up_status_down_in_the_background(tmp_path, capsys):
    source = tmp_path / "config"
    render.copy_with_free_ports(CONFIG, source, {})
    lost = source / "credentials" / "hunan-slurm"

    def lab():
        return Lab(tmp_path / "state", ports="committed", source=source, sites=["hunan"], background=True)

    try:
        assert command.status(lab()) == 1
        assert command.up(lab()) == 0
        first = lab().attach()[0].running
        lost.unlink()
        assert command.up(lab()) == 0 and "already up" in capsys.readouterr().out
        assert lab().attach()[0].running == first and lost.exists()
        assert command.status(lab()) == 0
    finally:
        assert command.down(lab()) == 0
    assert procs.start_ticks(first["pid"]) is None
    assert command.down(lab()) == 0 and "nothing was running" in capsys.readouterr().out


def test_a_site_dies_with_the_process_that_started_it(tmp_path):
    code = (
        "import sys, time\nfrom tests.lab.lab import Lab\n"
        f"lab = Lab({str(tmp_path)!r}, sites=['hunan']).start()\n"
        "print(lab.site('hunan').running['pid'], flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent:
        pid = int(parent.stdout.readline())
        ticks = procs.start_ticks(pid)
        parent.kill()
    assert procs.wait_gone(pid, ticks, 10)


def test_an_occupied_port_is_told_with_the_log(tmp_path):
    source = tmp_path / "config"
    (source / "sites").mkdir(parents=True)
    with socket.create_server(("127.10.0.1", 0)) as taken:
        text = (CONFIG / "sites" / "hunan.yml").read_text()
        (source / "sites" / "hunan.yml").write_text(text.replace("16820", str(taken.getsockname()[1])))
        with pytest.raises(LabError, match="in use"):
            Lab(tmp_path / "state", ports="committed", source=source).start()
