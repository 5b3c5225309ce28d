# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed config folders, the accounts they name, and which folder is read."""

import dataclasses
import pathlib

import asyncssh
import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.plugin_utils import statement

CONFIG = pathlib.Path(__file__).parents[2] / "config"

# -- what is committed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lab", "example"])
def test_the_committed_folders_load_and_hang_together(name):
    config = sites.load(CONFIG / name)
    assert {"hunan", "centre-a"} <= set(config.sites)
    for site in config.sites.values():
        assert site.lab is (name == "lab")
        assert site.platforms
        for endpoint in site.endpoints:
            if endpoint.data:
                assert site.endpoint(endpoint.data).storage["root"]
    places = {*config.sites, "controller"}
    assert {link.source for link in config.links} <= places
    assert {link.target for link in config.links} <= places
    for tenant in config.tenants.values():
        assert set(tenant.get("shares_user_with", ())) <= set(config.tenants)
        for site, endpoints in tenant["sites"].items():
            assert set(endpoints) <= {one.id for one in config.site(site).endpoints}
    assert config.policy["approvals"] <= len(config.policy["approvers"])


@pytest.mark.parametrize("name", ["lab", "example"])
def test_no_yaml_file_of_a_committed_folder_is_left_unread(name):
    folder = CONFIG / name
    read = {"links.yml", "policy.yml", "tenants.yml", "webhook.yml"}  # the last is webhook/config.py's
    read |= {f"sites/{site}.yml" for site in sites.load(folder).sites}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.y*ml")}
    assert {path for path in there if not path.startswith("more/")} == read  # the lab lays `more` over it


def test_the_example_folder_is_complete_but_for_secrets():
    config = sites.load(CONFIG / "example")
    signers = statement.principals_listed(config.allowed_signers)
    assert set(config.policy["approvers"]) <= set(signers)
    assert config.policy["approvals"] == 2
    known = (CONFIG / "example" / "known_hosts").read_text("utf-8")
    for site in config.sites.values():
        for endpoint in site.endpoints:
            assert endpoint.credential
            if endpoint.protocol == "ssh":
                port = endpoint.port
                assert (endpoint.address if port == 22 else f"[{endpoint.address}]:{port}") in known
    centre = config.site("centre-a").endpoint("slurm")
    assert centre.via == "internet"
    assert [host["address"] for host in centre.behind] == ["10.66.0.11", "10.66.0.12"]
    assert not (CONFIG / "example" / "credentials").exists()


def test_the_signers_of_the_example_are_keys():
    asyncssh.import_allowed_signers((CONFIG / "example" / "allowed_signers").read_text("utf-8"))
    asyncssh.import_known_hosts((CONFIG / "example" / "known_hosts").read_text("utf-8"))


# -- accounts ---------------------------------------------------------------------------------------------


def account(config, site, endpoint, tenant=None):
    site = config.site(site)
    return dataclasses.astuple(config.account(site, site.endpoint(endpoint), tenant))


def test_accounts_of_tenants():
    config = sites.load(CONFIG / "example")
    assert account(config, "hunan", "slurm") == ("brain", None, "hunan-slurm")
    assert account(config, "hunan", "slurm", "transport") == ("brain", "transport", "hunan-slurm")
    assert account(config, "hunan", "slurm", "digital-economy") == ("dige", "dige-2026", "hunan-slurm-dige")
    assert account(config, "centre-a", "login", "digital-economy") == (
        "univ017",
        None,
        "centre-a-login-dige",
    )


def test_a_tenant_without_an_account_there():
    config = sites.load(CONFIG / "example")
    with pytest.raises(NotFound) as caught:
        account(config, "centre-a", "slurm", "transport")
    assert caught.value.site == "centre-a"
    assert "tenant transport has no account at endpoint slurm" in str(caught.value)
    assert "tenants.yml" in str(caught.value)


def test_an_unknown_tenant_site_and_endpoint_are_told_with_those_that_exist():
    config = sites.load(CONFIG / "example")
    with pytest.raises(NotFound, match="has no tenant 'nobody'.*demo, digital-economy, transport"):
        account(config, "hunan", "slurm", "nobody")
    with pytest.raises(NotFound, match="has no site 'wuhan'.*centre-a, hunan"):
        config.site("wuhan")
    with pytest.raises(NotFound, match="has no endpoint 'api'.*slurm, login"):
        config.site("hunan").endpoint("api")


# -- which folder -----------------------------------------------------------------------------------------


def test_the_parameter_comes_before_the_environment_before_the_checkout(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        (path / "sites").mkdir(parents=True)
    environ = {"SUANWANG_CONFIG": str(two)}
    assert sites.config_folder(one, environ) == one
    assert sites.config_folder(None, environ) == two
    assert sites.config_folder(None, {"SUANWANG_CONFIG": ""}) == CONFIG / "lab"
    assert sites.config_folder(None, {}) == CONFIG / "lab"


@pytest.mark.parametrize(
    ("named", "environ", "how"),
    [("gone", {}, "parameter config"), (None, {"SUANWANG_CONFIG": "gone"}, "SUANWANG_CONFIG")],
)
def test_a_named_folder_without_sites_is_an_error_and_nothing_else_is_tried(tmp_path, named, environ, how):
    gone = str(tmp_path / "gone")
    with pytest.raises(Invalid) as caught:
        sites.config_folder(named and gone, dict.fromkeys(environ, gone))
    assert f"{how} names {gone}, which has no folder `sites`" in str(caught.value)
    assert caught.value.way_out


def test_no_folder_at_all_lists_where_it_looked(tmp_path, monkeypatch):
    """As where the collection was installed alone: no checkout around it."""
    installed = tmp_path / "lib/collections/ansible_collections/suanwang/brain/plugins/module_utils"
    monkeypatch.setattr(sites, "__file__", str(installed / "sites.py"))
    with pytest.raises(Invalid) as caught:
        sites.config_folder(None, {})
    text = str(caught.value)
    assert "parameter config (not set), SUANWANG_CONFIG (not set)" in text
    assert f"the checkout ({tmp_path}/lib/config/lab)" in text
    assert "Set SUANWANG_CONFIG" in text
