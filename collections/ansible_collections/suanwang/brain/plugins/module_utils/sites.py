# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of site files → Sites, links, policy, tenants, and connections to platforms.

The folder is the root of trust: sites, policy, signers and tenants come from it and from nowhere else.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import stat

from . import configfile
from . import sitechecks
from .errors import Invalid
from .errors import NotFound
from .errors import Refused
from .hints import Hints
from .http import Http
from .networks import inside
from .pins import pin_of
from .platforms.base import Platform
from .platforms.registry import platform_class
from .resources import Link
from .shell import Shell
from .ssh import Files


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Address + port + protocol of one service of a site, as the site file says."""

    id: str
    protocol: str
    via: str
    address: str
    port: int
    platform: str | None = None
    zone: str | None = None
    behind: tuple = ()
    tls: dict = dataclasses.field(default_factory=dict)
    known_hosts: str | None = None
    proxy: str | None = None
    jump: str | None = None
    profile: str | None = None
    credential: str | None = None
    native_user: str | None = None
    native_account: str | None = None
    region: str | None = None
    data: str | None = None
    shell: str | None = None
    cli_home: str | None = None
    alerts: str | None = None
    observes: tuple = ()
    storage: dict = dataclasses.field(default_factory=dict)
    machines: dict = dataclasses.field(default_factory=dict)
    requests_a_s: float | None = None
    capacity_domain: str | None = None


@dataclasses.dataclass(frozen=True)
class Site:
    """One data centre. Mappings are as in the site file."""

    id: str
    name: dict
    networks: dict
    endpoints: tuple[Endpoint, ...]
    pin: str
    lab: bool = False
    poll_interval_s: int = 60
    lost_after_s: int = 900
    address_map: tuple = ()
    accelerators: dict = dataclasses.field(default_factory=dict)
    runtimes: tuple = ()
    prices: dict = dataclasses.field(default_factory=dict)
    power: dict = dataclasses.field(default_factory=dict)
    policy: dict = dataclasses.field(default_factory=dict)

    def endpoint(self, name):
        for endpoint in self.endpoints:
            if endpoint.id == name:
                return endpoint
        raise NotFound(
            f"site {self.id} has no endpoint {name!r}.",
            site=self.id,
            way_out=f"It has: {', '.join(e.id for e in self.endpoints)}.",
        )

    @property
    def platforms(self):
        return tuple(endpoint for endpoint in self.endpoints if endpoint.platform)

    @property
    def with_pools(self):
        """Return the platform endpoints that have pools, which a monitoring system has not."""
        return tuple(endpoint for endpoint in self.platforms if not observes(endpoint))


@dataclasses.dataclass(frozen=True)
class Account:
    """Who we are at an endpoint. credential is a name; its file is read at use."""

    user: str | None = None
    account: str | None = None
    credential: str | None = None


@dataclasses.dataclass(frozen=True)
class Config:
    """One config folder, read and checked. hints: what earlier processes learned of its endpoints."""

    folder: pathlib.Path
    sites: dict[str, Site]
    links: tuple[Link, ...]
    policy: dict
    tenants: dict
    allowed_signers: str
    hints: Hints = dataclasses.field(default_factory=Hints, compare=False)

    def site(self, name):
        try:
            return self.sites[name]
        except KeyError:
            raise NotFound(
                f"{self.folder} has no site {name!r}.",
                way_out=f"It has: {', '.join(sorted(self.sites))}.",
            ) from None

    def account(self, site, endpoint, tenant=None):
        """Return the Account of a tenant at an endpoint; no tenant: the site file's own, for perception."""
        own = Account(endpoint.native_user, endpoint.native_account, endpoint.credential)
        if tenant is None:
            return own
        if tenant not in self.tenants:
            raise NotFound(
                f"tenants.yml has no tenant {tenant!r}.",
                way_out=f"It has: {', '.join(sorted(self.tenants))}.",
            )
        entry = self.tenants[tenant]["sites"].get(site.id, {}).get(endpoint.id)
        if entry is None:
            raise NotFound(
                f"tenant {tenant} has no account at endpoint {endpoint.id}.",
                site=site.id,
                way_out="Add one to tenants.yml.",
            )
        return Account(
            entry.get("native_user", own.user),
            entry.get("native_account"),
            entry.get("credential", own.credential),
        )

    def platform(self, site_name, endpoint_name, tenant=None, any_endpoint=False):
        """Return the Platform at an endpoint for a tenant.

        any_endpoint: also where there is none, such as at a login node; what is returned then has no verb.
        """
        site = self.site(site_name)
        endpoint = site.endpoint(endpoint_name)
        if not endpoint.platform and any_endpoint:
            return Platform(Connection(self, site, endpoint, tenant))
        if not endpoint.platform:
            raise Invalid(f"endpoint {endpoint.id} is no platform.", site=site.id)
        return platform_class(endpoint.platform)(Connection(self, site, endpoint, tenant))

    def secret(self, name):
        """Return the text of a credential, read now: rotation needs no restart."""
        path = self.secret_path(name)
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Invalid(
                f"the credential {name!r} cannot be read from {path}: {error.strerror}.",
                way_out="Put it there with mode 0600, or name its folder in SUANWANG_CREDENTIALS.",
            ) from error

    def secret_path(self, name):
        """Return the file of a credential; raise Invalid where others may read it."""
        if not name:
            raise Invalid("no credential is named.", way_out="Add one to the site file or tenants.yml.")
        path = _credential_file(os.environ.get("SUANWANG_CREDENTIALS"), name) or self.folder / "credentials" / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Invalid(f"the credential {path} is readable by others.", way_out="Run chmod 600 on it.")
        return path


class Connection:
    """What a platform needs to talk: records, the secret at use, an http session, and its file mover."""

    def __init__(self, config, site, endpoint, tenant=None):
        self.config = config
        self.site = site
        self.endpoint = endpoint
        self.tenant = tenant
        self.account = config.account(site, endpoint, tenant)
        self._sessions = {}

    def secret(self):
        return self.config.secret(self.account.credential)

    @functools.cached_property
    def http(self):
        return Http(self.site, self.endpoint, self.config.folder)

    @property
    def hints(self):
        """Return what earlier processes learned of this endpoint: {word: text}."""
        return self.config.hints.of(self.site, self.endpoint)

    def learn(self, word, said):
        self.config.hints.learn(self.site, self.endpoint, word, said)

    def own(self):
        """Return the Platform at this endpoint with the site file's own account, which may be an administrator's."""
        return self.config.platform(self.site.id, self.endpoint.id)

    def beside(self, name):
        """Return the Connection to another endpoint of the site, for the same tenant."""
        return Connection(self.config, self.site, self.site.endpoint(name), self.tenant)

    def files(self):
        """Return the Files of the endpoint named under `data`, for the same tenant."""
        if not self.endpoint.data:
            raise Invalid(
                f"endpoint {self.endpoint.id} names no endpoint that moves files.",
                site=self.site.id,
                way_out="Add `data: <endpoint>` to the site file.",
            )
        return self._session(self.endpoint.data)

    def shell(self):
        """Return the Shell of the endpoint named under `shell`, for the same tenant; None where none is named."""
        return Shell(self._session(self.endpoint.shell)) if self.endpoint.shell else None

    def at(self, address, port):
        """Return this endpoint as an SSH server at another place of the site; raise Refused for one outside it."""
        networks = [network for listed in self.site.networks.values() for network in listed]
        if not inside(address, networks):
            raise Refused(
                f"the address {address} in an answer lies outside the site's networks.",
                site=self.site.id,
                way_out="Add it to `address_map` or `networks` of the site file, if it is the site's.",
            )
        return dataclasses.replace(self.endpoint, protocol="ssh", address=address, port=port, proxy=None)

    def _session(self, name):
        if name not in self._sessions:
            endpoint = self.site.endpoint(name)
            account = self.config.account(self.site, endpoint, self.tenant)
            self._sessions[name] = Files(
                self.site,
                endpoint,
                user=account.user,
                key_path=self.config.secret_path(account.credential),
                known_hosts=self.config.folder / endpoint.known_hosts,
                jump=self._session(endpoint.jump) if endpoint.jump else None,
            )
        return self._sessions[name]


def connect(params, any_endpoint=False, hints=None):
    """Return the Platform that a verb's parameters name: config, site, endpoint, tenant.

    endpoint may be left out where the site has one platform with pools only. any_endpoint: the verb is about the
    network and needs no platform; without a name it gets the first endpoint. hints: see Config.
    """
    config = load(params.get("config"), hints)
    if not params.get("site"):
        raise Invalid("no site is named.", way_out=f"Sites: {', '.join(sorted(config.sites))}.")
    site = config.site(params["site"])
    name = params.get("endpoint")
    if not name and any_endpoint:
        name = site.endpoints[0].id
    if not name:
        if len(site.with_pools) != 1:
            raise Invalid(
                f"the site has {len(site.with_pools)} platforms, and no endpoint is named.",
                site=site.id,
                way_out=f"Endpoints: {', '.join(e.id for e in site.platforms)}.",
            )
        name = site.with_pools[0].id
    return config.platform(site.id, name, params.get("tenant"), any_endpoint)


def _credential_file(named, name):
    """Return the file of a credential in what SUANWANG_CREDENTIALS holds; None where it holds nothing.

    It is a folder, or a list ``name=file`` with colons between, where files have no names of their own choice (AWX).
    """
    if not named:
        return None
    if "=" not in named:
        return pathlib.Path(named).expanduser() / name
    files = dict(entry.split("=", 1) for entry in named.split(os.pathsep) if "=" in entry)
    if name not in files:
        raise Invalid(
            f"SUANWANG_CREDENTIALS lists no credential {name!r}.",
            way_out=f"It has: {', '.join(sorted(files))}. Add it there.",
        )
    return pathlib.Path(files[name])


def observes(endpoint):
    """Return whether an endpoint watches the pools of others instead of having its own."""
    return platform_class(endpoint.platform).OBSERVES


def config_folder(named=None, environ=None):
    """Return the config folder: the parameter, else SUANWANG_CONFIG, else the checkout's config/lab."""
    checkout = pathlib.Path(__file__).resolve().parents[6] / "config" / "lab"
    tried = []
    for how, value in (
        ("parameter config", named),
        ("SUANWANG_CONFIG", (os.environ if environ is None else environ).get("SUANWANG_CONFIG")),
        ("the checkout", checkout),
    ):
        if not value:
            tried.append(f"{how} (not set)")
            continue
        folder = pathlib.Path(value).expanduser().absolute()
        if (folder / "sites").is_dir():
            return folder
        if value is not checkout:
            raise Invalid(
                f"{how} names {folder}, which has no folder `sites`.",
                way_out="Name a folder like config/example.",
            )
        tried.append(f"{how} ({folder})")
    raise Invalid(
        f"no config folder was found; looked at: {', '.join(tried)}.",
        way_out="Set SUANWANG_CONFIG to a folder like config/example.",
    )


def load(named=None, hints=None):
    """Read and check a config folder; raise Invalid with file, line and field. hints: see Config."""
    folder = config_folder(named)
    paths = sorted((folder / "sites").glob("*.yml"))
    if not paths:
        raise Invalid(f"{folder / 'sites'} holds no site file (*.yml).", way_out="Add one a site.")
    sites = {}
    for path in paths:
        site = _site(folder, path)
        sites[site.id] = site
    signers = folder / "allowed_signers"
    policy = configfile.read(folder / "policy.yml", "policy")
    if policy["approvals"] > len(set(policy["approvers"])):
        raise Invalid(
            f"{configfile.place(folder / 'policy.yml', ('approvals',))}: approvals: {policy['approvals']} are asked"
            f" for, {len(set(policy['approvers']))} approver(s) are named.",
            way_out="Name more approvers, or ask for fewer approvals.",
        )
    links = configfile.read(folder / "links.yml", "links")["links"]
    for number, item in enumerate(links):
        for end in ("from", "to"):
            if item[end] not in ("controller", *sites):
                raise Invalid(
                    f"{configfile.place(folder / 'links.yml', ('links', number, end))}: links[{number}].{end}:"
                    f" there is no site {item[end]!r}.",
                    way_out=f"Sites: {', '.join(sorted(sites))}; the brain itself is called controller.",
                )
    return Config(
        folder=folder,
        sites=sites,
        links=tuple(
            Link(
                source=item["from"],
                target=item["to"],
                rate_gbps=item["rate_gbps"],
                rtt_ms=item.get("rtt_ms"),
                fen_gib=item.get("fen_gib"),
                shares=item.get("shares", 1),
            )
            for item in links
        ),
        policy=policy,
        tenants=configfile.read(folder / "tenants.yml", "tenants")["tenants"],
        allowed_signers=signers.read_text(encoding="utf-8") if signers.is_file() else "",
        hints=hints or Hints(),
    )


def _site(folder, path):
    data = configfile.read(path, "site")
    if data["site"] != path.stem:
        raise Invalid(
            f"{path}: the file is named {path.stem}, its site is {data['site']}.",
            way_out="Let both be the same.",
        )
    sitechecks.addresses(path, data)
    names = {field.name for field in dataclasses.fields(Endpoint)}
    endpoints = tuple(
        Endpoint(**{key: value for key, value in item.items() if key in names}) for item in data["endpoints"]
    )
    sitechecks.endpoints(path, data)
    for number, endpoint in enumerate(endpoints):
        if endpoint.platform:
            try:
                platform_class(endpoint.platform).check_endpoint(folder, endpoint)
            except Invalid as error:
                field = error.details.get("field", "profile")
                raise sitechecks.wrong(path, number, field, error.message, error.way_out) from error
    return Site(
        id=data["site"],
        name=data["name"],
        networks=data["networks"],
        endpoints=endpoints,
        pin=pin_of(folder, data),
        lab=data.get("lab", False),
        poll_interval_s=data.get("poll_interval_s", 60),
        lost_after_s=data.get("lost_after_s", 900),
        address_map=tuple(data.get("address_map", ())),
        accelerators=data.get("accelerators", {}),
        runtimes=tuple(data.get("runtimes", ())),
        prices=data.get("prices", {}),
        power=data.get("power", {}),
        policy=data.get("policy", {}),
    )
