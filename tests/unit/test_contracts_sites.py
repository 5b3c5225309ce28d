# SPDX-License-Identifier: GPL-3.0-or-later
"""Site files: what is wrong is named by file, line and field; pins; credentials."""

import re

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import configfile
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid

HUNAN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHunanHunanHunanHunanHunanHunanHunanHunanHu"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtherOtherOtherOtherOtherOtherOtherOtherOt"


SITE = """\
# A site for these tests.
site: {site}
name: {{en: {site} centre, zh: 算力中心}}
lab: true
poll_interval_s: 60
networks:
  intranet: [{net}.0.0/16]
endpoints:
  - id: slurm
    platform: slurm
    protocol: https
    via: intranet
    address: {net}.0.1
    port: 16820
    tls: {{ca_bundle: ca.pem, server_name: {site}.lab.invalid}}
    credential: {site}-slurm
    native_user: brain
    data: login
  - id: login
    protocol: ssh
    via: intranet
    address: {net}.0.1
    port: 16822
    known_hosts: known_hosts
    credential: {site}-login
    native_user: brain
    storage: {{root: brain}}
accelerators:
  npu:ascend910b: 910b3
runtimes:
  - {{framework: none, version: "3", arch: aarch64, launch: ["{{root}}/sw/bin/python3"]}}
  - {{framework: mindspore, version: "2.4", arch: aarch64, launch: ["{{root}}/sw/bin/python3"]}}
prices: {{accelerator_fen_h: {{910b3: 900}}, cpu_fen_h: 6}}
power: {{accelerator_w: {{910b3: 310}}, idle_w: 90, pue: 1.25}}
policy: {{data_levels: [public, internal, confidential]}}
"""
FILES = {
    "sites/hunan.yml": SITE.format(site="hunan", net="127.10"),
    "sites/centre-a.yml": SITE.format(site="centre-a", net="127.20"),
    "links.yml": """\
links:
  - {from: controller, to: hunan, rate_gbps: 10, rtt_ms: 0.5, fen_gib: 0}
  - {from: centre-a, to: controller, rate_gbps: 0.5, rtt_ms: 12, fen_gib: 80}
  - {from: hunan, to: centre-a, rate_gbps: 0.2}
""",
    "policy.yml": """\
require_approval: true
approvals: 1
approvers: [approver@lab.invalid]
approval_valid_h: 24
""",
    "tenants.yml": """\
tenants:
  demo:
    name: {en: Demonstration project, zh: 演示项目}
    sites:
      hunan:
        slurm: {native_user: brain, native_account: demo, credential: hunan-slurm}
""",
    "ca.pem": "a CA\n",
    "allowed_signers": "approver@lab.invalid ssh-ed25519 AAAA\n",
    "known_hosts": f"[127.10.0.1]:16822 {HUNAN_KEY}\n[127.20.0.1]:16822 {OTHER_KEY}\n",
}


class Folder:
    """A config folder of two sites, to break one thing in."""

    def __init__(self, path):
        self.path = path
        for name, text in FILES.items():
            path.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            path.joinpath(name).write_text(text, "utf-8")

    def file(self, name):
        return self.path / name

    def change(self, name, old, new, count=1):
        """Replace text in a file; return the number of the first line that differs."""
        text = self.file(name).read_text("utf-8")
        assert old in text, f"{name} no longer holds {old!r}"
        self.file(name).write_text(text.replace(old, new, count), "utf-8")
        return text[: text.index(old)].count("\n") + 1

    def load(self):
        return sites.load(self.path)

    def pins(self):
        return {name: site.pin for name, site in self.load().sites.items()}

    def refusal(self):
        with pytest.raises(Invalid) as caught:
            self.load()
        assert caught.value.way_out
        return caught.value


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "config")


# -- what is right loads -----------------------------------------------------------------------------------


def test_what_the_files_say_is_in_the_records(folder):
    config = folder.load()
    assert set(config.sites) == {"hunan", "centre-a"}
    assert config.folder == folder.path
    assert "approver@lab.invalid" in config.allowed_signers
    hunan = config.site("hunan").endpoint("slurm")
    assert (hunan.address, hunan.port, hunan.via) == ("127.10.0.1", 16820, "intranet")
    assert hunan.tls == {"ca_bundle": "ca.pem", "server_name": "hunan.lab.invalid"}
    assert [runtime["framework"] for runtime in config.site("hunan").runtimes] == ["none", "mindspore"]
    assert config.policy["approvers"] == ["approver@lab.invalid"]
    found = [(link.source, link.target, link.rate_gbps, link.rtt_ms, link.fen_gib) for link in config.links]
    assert found[1:] == [("centre-a", "controller", 0.5, 12, 80), ("hunan", "centre-a", 0.2, None, None)]


# -- what is wrong is named -------------------------------------------------------------------------------

HUNAN = "sites/hunan.yml"
WRONG = {
    "port too high": (HUNAN, "port: 16820", "port: 70000", "endpoints[0].port", "70000 must be at most 65535"),
    "port zero": (HUNAN, "port: 16822", "port: 0", "endpoints[1].port", "0 must be at least 1"),
    "port as text": (HUNAN, "port: 16820", "port: https", "endpoints[0].port", "is not of type 'integer'"),
    "port as truth": (HUNAN, "port: 16820", "port: true", "endpoints[0].port", "is not of type 'integer'"),
    "unknown via": (HUNAN, "via: intranet", "via: vpn", "endpoints[0].via", "'vpn' is not one of intranet"),
    "level": (HUNAN, "[public, internal", "[public, open", "policy.data_levels[1]", "'open' is not one of"),
    "framework": (HUNAN, "framework: mindspore", "framework: jax", "runtimes[1].framework", "'jax'"),
    "credential path": (
        HUNAN,
        "credential: hunan-slurm",
        "credential: ../../etc/passwd",
        "endpoints[0].credential",
        "does not match",
    ),
    "rate": ("links.yml", "rate_gbps: 10", "rate_gbps: 0", "links[0].rate_gbps", "0 must be more than 0"),
    "approvals": ("policy.yml", "approvals: 1", "approvals: 0", "approvals", "0 must be at least 1"),
    "approvers": ("policy.yml", "[approver@lab.invalid]", "all", "approvers", "is not of type 'array'"),
    "user": (
        "tenants.yml",
        "slurm: {native_user: brain",
        "slurm: {native_user: 7",
        "tenants.demo.sites.hunan.slurm.native_user",
        "7 is not of type 'string'",
    ),
}


@pytest.mark.parametrize(("name", "old", "new", "field", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_named_by_file_line_and_field(folder, name, old, new, field, said):
    line = folder.change(name, old, new)
    error = folder.refusal()
    assert str(error).startswith(f"{folder.file(name)}:{line}: {field}: ")
    assert said in str(error)
    assert error.details == {"field": field}


def test_an_unknown_field_is_named(folder):
    line = folder.change(HUNAN, "    port: 16820\n", "    prot: 1\n    port: 16820\n")
    error = folder.refusal()
    assert "'prot' was unexpected" in str(error)
    assert error.details == {"field": "endpoints[0]"}
    found = re.match(rf"{re.escape(str(folder.file(HUNAN)))}:(\d+): endpoints\[0\]: ", str(error))
    first = folder.file(HUNAN).read_text().splitlines().index("  - id: slurm") + 1
    assert first <= int(found[1]) <= line


def test_a_missing_field_is_named(folder):
    folder.change(HUNAN, "    known_hosts: known_hosts\n", "")
    error = folder.refusal()
    assert "endpoints[1]: 'known_hosts' is a required property" in str(error)


def test_an_address_outside_the_networks_of_its_via(folder):
    line = folder.change(HUNAN, "address: 127.10.0.1", "address: 127.20.0.1")
    error = folder.refusal()
    assert error.site == "hunan"
    assert f"{folder.file(HUNAN)}:{line}: endpoints[0].address 127.20.0.1" in str(error)
    assert "outside the site's intranet networks (127.10.0.0/16)" in str(error)
    assert "networks.intranet" in error.way_out
    assert error.details == {"field": "endpoints[0].address"}


def test_an_address_of_a_via_without_networks(folder):
    folder.change(HUNAN, "via: intranet", "via: internet")
    assert "outside the site's internet networks (none)" in str(folder.refusal())


@pytest.mark.parametrize("address", ["slurm.example.org", "127.10.0.999", "''", "127.10.0.1/16"])
def test_an_address_that_is_none(folder, address):
    folder.change(HUNAN, "address: 127.10.0.1", f"address: {address}")
    assert "outside the site's intranet networks" in str(folder.refusal())


@pytest.mark.parametrize("field", ["data", "shell"])
def test_an_endpoint_that_another_names_has_to_be_there(folder, field):
    line = folder.change(HUNAN, "    data: login\n", f"    {field}: logout\n")
    assert str(folder.refusal()).startswith(
        f"{folder.file(HUNAN)}:{line}: endpoints[0].{field}: there is no endpoint 'logout'. It has: slurm, login."
    )


def test_commands_run_where_ssh_is_spoken(folder):
    folder.change(HUNAN, "    data: login\n", "    data: login\n    shell: slurm\n")
    error = folder.refusal()
    assert "endpoints[0].shell: 'slurm' does not speak ssh." in str(error)
    folder.change(HUNAN, "    shell: slurm\n", "    shell: login\n")
    connection = sites.Connection(folder.load(), folder.load().site("hunan"), folder.load().site("hunan").endpoints[0])
    assert connection.shell().files is connection.files()


def test_not_yaml(folder):
    line = folder.change(HUNAN, "networks:\n", "networks: [\n")
    error = folder.refusal()
    found = re.match(rf"{re.escape(str(folder.file(HUNAN)))}:(\d+): this is not YAML: ", str(error))
    assert int(found[1]) >= line


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", "\ud6d0".encode("utf-16"), b"a: \x07"])
def test_not_text(folder, data):
    folder.file(HUNAN).write_bytes(data)
    error = folder.refusal()
    assert f"{folder.file(HUNAN)}" in str(error)
    assert "this is not YAML" in str(error)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "42", "word"])
def test_a_document_of_another_kind(folder, text):
    folder.file("policy.yml").write_text(text)
    error = folder.refusal()
    assert str(error).startswith(f"{folder.file('policy.yml')}:1: the document: ")
    assert "is not of type 'object'" in str(error)


def test_a_document_runs_no_code(folder):
    folder.file("policy.yml").write_text("a: !!python/object/apply:os.system [touch x]\n")
    assert "could not determine a constructor" in str(folder.refusal())


@pytest.mark.parametrize("name", ["links.yml", "policy.yml", "tenants.yml"])
def test_a_missing_file(folder, name):
    folder.file(name).unlink()
    error = folder.refusal()
    assert str(error).startswith(f"{folder.file(name)} cannot be read: No such file or directory")


def test_an_unknown_platform_is_named_with_those_that_exist(folder):
    folder.change(HUNAN, "platform: slurm", "platform: pbs")
    text = str(folder.refusal())
    assert "there is no platform 'pbs'" in text
    assert "slurm" in text


def test_a_site_file_named_otherwise(folder):
    folder.file(HUNAN).rename(folder.file("sites/wuhan.yml"))
    text = str(folder.refusal())
    assert "the file is named wuhan, its site is hunan" in text


def test_no_site_file(folder):
    for path in folder.file("sites").glob("*.yml"):
        path.unlink()
    assert "holds no site file (*.yml)" in str(folder.refusal())


def test_place_of_nested_fields_and_of_what_is_not_there(tmp_path):
    path = tmp_path / "x.yml"
    path.write_text("# one\na:\n  - b: 1\n  - b: 2\n    c:\n      d: 3\n")
    assert configfile.place(path, ("a", 1, "c", "d")) == f"{path}:6"
    assert configfile.place(path, ("a", 1, "b")) == f"{path}:4"
    assert configfile.place(path, ("a", 1, "nothing")) == f"{path}:4"
    assert configfile.place(path, ()) == f"{path}:2"
    assert configfile.place(tmp_path / "gone.yml", ("a",)) == str(tmp_path / "gone.yml")


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("a",), "a"), (("a", 0, "b"), "a[0].b"), ((0, "b"), "[0].b"), (("a", 1, 2), "a[1][2]")],
)
def test_field_names(path, text):
    assert configfile.field_name(path) == text


# -- pins -------------------------------------------------------------------------------------------------

PINNED = {
    "port": (HUNAN, "port: 16820", "port: 16821"),
    "address": (HUNAN, "address: 127.10.0.1", "address: 127.10.0.2"),
    "port of the file mover": (HUNAN, "port: 16822", "port: 16823"),
    "lab": (HUNAN, "lab: true", "lab: false"),
    "server name": (HUNAN, "hunan.lab.invalid", "evil.lab.invalid"),
    "another CA file": (HUNAN, "ca_bundle: ca.pem", "ca_bundle: known_hosts"),
    "no CA": (HUNAN, "tls: {ca_bundle: ca.pem, server_name: hunan.lab.invalid}\n", "tls: {}\n"),
    "proxy": (HUNAN, "    data: login\n", "    data: login\n    proxy: http://127.10.0.9:3128\n"),
    "behind": (
        HUNAN,
        "    data: login\n",
        "    data: login\n    behind: [{address: 10.0.0.1, port: 6820}]\n",
    ),
    "host key": ("known_hosts", f"[127.10.0.1]:16822 {HUNAN_KEY}", f"[127.10.0.1]:16822 {OTHER_KEY}"),
    "one more host key": ("known_hosts", "[127.20.0.1]", f"[127.10.0.1]:16822 {OTHER_KEY}\n[127.20.0.1]"),
    "host key gone": ("known_hosts", f"[127.10.0.1]:16822 {HUNAN_KEY}\n", ""),
}


@pytest.mark.parametrize(("name", "old", "new"), PINNED.values(), ids=PINNED)
def test_what_changes_the_pin_of_a_site_and_of_no_other(folder, name, old, new):
    before = folder.pins()
    folder.change(name, old, new)
    after = folder.pins()
    assert after["hunan"] != before["hunan"]
    assert after["centre-a"] == before["centre-a"]


def test_the_bytes_of_the_ca_are_pinned(folder):
    before = folder.pins()
    folder.file("ca.pem").write_text("another CA\n")
    after = folder.pins()
    assert after["hunan"] != before["hunan"]
    assert after["centre-a"] != before["centre-a"]


NOT_PINNED = {
    "prices": (HUNAN, "910b3: 900", "910b3: 901"),
    "power": (HUNAN, "pue: 1.25", "pue: 1.3"),
    "interval": (HUNAN, "poll_interval_s: 60", "poll_interval_s: 30"),
    "name": (HUNAN, "en: hunan centre", "en: Hunan"),
    "levels": (HUNAN, "[public, internal, confidential]", "[public]"),
    "comment": (HUNAN, "# A site", "# One\n# site"),
    "another site's host key": ("known_hosts", OTHER_KEY, HUNAN_KEY),
    "links": ("links.yml", "fen_gib: 80", "fen_gib: 60"),
    "policy": ("policy.yml", "approval_valid_h: 24", "approval_valid_h: 48"),
}


@pytest.mark.parametrize(("name", "old", "new"), NOT_PINNED.values(), ids=NOT_PINNED)
def test_what_leaves_the_pin_alone(folder, name, old, new):
    before = folder.pins()["hunan"]
    folder.change(name, old, new)
    assert folder.pins()["hunan"] == before


def test_a_pin_is_the_same_in_another_folder(tmp_path):
    first, second = Folder(tmp_path / "a"), Folder(tmp_path / "b" / "c")
    assert first.pins() == second.pins()
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin) for pin in first.pins().values())


# -- credentials ------------------------------------------------------------------------------------------


@pytest.fixture
def secrets(folder, monkeypatch):
    monkeypatch.delenv("SUANWANG_CREDENTIALS", raising=False)
    (folder.path / "credentials").mkdir()

    def put(name, text, mode=0o600, where=None):
        path = (where or folder.path / "credentials") / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return put


def test_a_credential_is_read_at_use(folder, secrets):
    config = folder.load()
    secrets("token", "one\n")
    assert config.secret("token") == "one"
    secrets("token", "two\n")
    assert config.secret("token") == "two"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_credential_that_others_may_read_is_refused(folder, secrets, mode):
    path = secrets("token", "a secret word", mode)
    config = folder.load()
    for read in (config.secret, config.secret_path):
        with pytest.raises(Invalid) as caught:
            read("token")
        text = str(caught.value)
        assert f"{path} is readable by others" in text
        assert "chmod 600" in text
        assert "a secret word" not in text


def test_a_missing_credential_says_where_it_belongs(folder, secrets):
    with pytest.raises(Invalid) as caught:
        folder.load().secret("token")
    text = str(caught.value)
    assert f"'token' cannot be read from {folder.path}/credentials/token: No such file" in text
    assert "mode 0600" in text
    assert "SUANWANG_CREDENTIALS" in text


@pytest.mark.parametrize("name", [None, ""])
def test_no_credential_is_named(folder, secrets, name):
    with pytest.raises(Invalid, match="no credential is named"):
        folder.load().secret(name)


def test_the_folder_of_the_environment_comes_first(folder, secrets, monkeypatch, tmp_path):
    secrets("token", "of the folder")
    secrets("token", "of the environment", where=tmp_path)
    monkeypatch.setenv("SUANWANG_CREDENTIALS", str(tmp_path))
    assert folder.load().secret("token") == "of the environment"
