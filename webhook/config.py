"""Settings: the environment says where things are, ``webhook.yml`` in the config folder says how the service behaves.

Secrets are files of mode 0600, found by name in the folder that SUANWANG_CREDENTIALS names, else in ``credentials/``
of the config folder. No secret is a variable.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import pathlib
import secrets
from typing import Literal

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import model_validator
from pydantic import ValidationError

from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid
from ansible_collections.suanwang.brain.plugins.plugin_utils import governance
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import default_root

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
ROLES = ("requester", "approver", "owner", "operator", "auditor", "admin")
Role = Literal["requester", "approver", "owner", "operator", "auditor", "admin"]


class Part(BaseModel):
    """A mapping of webhook.yml; what is not a field of it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Oidc(Part):
    """An OpenID Connect provider. credential: the name of the file with the client's secret."""

    issuer: str
    client_id: str
    credential: str
    principal_claim: str = "email"
    groups_claim: str = "groups"
    tenants_claim: str | None = None


class Cas(Part):
    """A CAS 3.0 server. principal: a pattern over the user name, for a principal like a mail address."""

    server: str
    principal: str = "{user}"
    groups_attribute: str = "groups"
    ca_bundle: str | None = None


class Raw(Part):
    """Where the files of a pushed commit are fetched. Only the commit is taken from the delivery, the rest stands here.

    url: ``https://…`` with ``{commit}`` and ``{path}``. files: below the repository's root; the first is the task file.
    header, credential: a header that carries a secret, e.g. ``PRIVATE-TOKEN`` (GitLab) or ``Authorization``, and the
    name of the file with its whole value. networks: private networks that the host may lie in; without, none.
    """

    url: str = Field(pattern=r"^https?://[^/@{}\s]+/\S*$")
    files: list[str] = Field(min_length=1, max_length=50)
    header: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z-]{0,60}$")
    credential: str | None = None
    networks: list[str] = []
    ca_bundle: str | None = None
    most_mib: int = Field(default=16, ge=1, le=256)
    within_s: int = Field(default=30, ge=1, le=300)

    @model_validator(mode="after")
    def _sensible(self):
        if self.url.count("{commit}") != 1 or self.url.count("{path}") != 1:
            raise ValueError("url needs {commit} and {path}, once each")
        if (self.header is None) != (self.credential is None):
            raise ValueError("header and credential belong together")
        if self.credential and not self.url.startswith("https://"):
            raise ValueError("a secret is sent over https only")
        for network in self.networks:
            ipaddress.ip_network(network)
        return self


class Source(Part):
    """Who may deliver signed webhooks. credential: the name of the file with the shared secret.

    A push becomes the task in its own field ``suanwang_task``, else the one whose files `raw` fetches at that commit,
    else the catalogue entry `task`. ref: only pushes to it count, e.g. ``refs/heads/main``.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")
    kind: Literal["generic", "github", "gitlab", "gitea", "alertmanager"] = "generic"
    credential: str
    principal: str
    tenant: str
    task: str | None = None
    ref: str | None = None
    raw: Raw | None = None
    window_s: int = Field(default=300, ge=1, le=3600)


class Mail(Part):
    """A mail server. credential: the name of the file with the password of `user`.

    addresses: principal → address, for principals that are none themselves.
    """

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    starttls: bool = True
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    user: str | None = None
    credential: str | None = None
    ca_bundle: str | None = None
    addresses: dict[str, str] = {}

    @model_validator(mode="after")
    def _sensible(self):
        if (self.user is None) != (self.credential is None):
            raise ValueError("user and credential belong together")
        if self.credential and not self.starttls:
            raise ValueError("a password is sent over TLS only")
        return self


class Robot(Part):
    """A robot of a WeCom or DingTalk group. credential: the name of the file with its address, which holds its key.

    sign: the name of the file with DingTalk's signing secret, where its robot asks for signatures.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")
    kind: Literal["wecom", "dingtalk"]
    credential: str
    sign: str | None = None
    ca_bundle: str | None = None


class Notices(Part):
    """Who is told: approvers of what waits for them, requesters of how it ended, groups of both."""

    mail: Mail | None = None
    robots: list[Robot] = []


class Signer(Part):
    """The key with which the service signs for the people who approved. principal: as in allowed_signers."""

    principal: str
    credential: str = "webhook-signer"


class Backend(Part):
    """A controller (AWX) that runs the playbooks as its jobs, over the same store. credential: the file of its token.

    templates: kind of launch → job template, as playbooks/awx.yml makes them.
    """

    kind: Literal["controller"]
    url: str
    credential: str = "controller"
    prefix: str = Field(default="/api/v2/", pattern=r"^/.*/$")
    templates: dict[Literal["apply", "release", "perceive", "watch", "quota"], str] = {}


class Limits(Part):
    """What one caller may take. Rates are `limits` strings, as Flask-Limiter reads them."""

    body_mib: int = Field(default=16, ge=1, le=1024)
    rate: str = "600/minute"
    rate_login: str = "20/minute"
    rate_delivery: str = "60/minute"
    watchers: int = Field(default=100, ge=1)
    session_h: int = Field(default=12, ge=1, le=168)
    token_d: int = Field(default=90, ge=1, le=366)
    plan_s: int = Field(default=60, ge=1)


class File(Part):
    """webhook.yml. groups: role → groups of the identity provider. tenants: tenant → groups, '*' for everyone.

    owners: site → groups whose people are its owners: they drain it and acknowledge its alarms, and no other's.
    catalogue: folders of folders with a task.yml. data_roots: what tasks may name besides their own files.
    backend: what runs the playbooks; left out, processes of this machine.
    watch_s: how long one watch of all sites lasts; the next begins then, with the site files as they are by then.
    perceive_every_s: where watch_s is 0, all sites are read so often; 0 for never.
    proxies: how many stand in front, whose X-Forwarded-* headers are believed.
    """

    login: list[Literal["lab", "oidc", "cas"]] = ["lab"]
    signer: Signer
    groups: dict[Role, list[str]] = {}
    tenants: dict[str, list[str]] = {}
    owners: dict[str, list[str]] = {}
    oidc: Oidc | None = None
    cas: Cas | None = None
    deliveries: list[Source] = []
    notices: Notices = Notices()
    catalogue: list[str] = []
    data_roots: list[str] = []
    backend: Backend | None = None
    watch_s: int = Field(default=600, ge=0, le=86400)
    perceive_every_s: int = Field(default=60, ge=0)
    proxies: int = Field(default=0, ge=0, le=5)
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _sensible(self):
        if "owner" in self.groups:
            raise ValueError("groups.owner says of no site whose it is: write `owners: {<site>: [<group>]}`")
        return self


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where everything is. file: webhook.yml as read."""

    state: pathlib.Path
    config: pathlib.Path
    credentials: pathlib.Path
    database: str
    host: str
    port: int
    public_url: str
    inventory: pathlib.Path | None
    file: File

    @property
    def loopback(self):
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def secure(self):
        """Whether people reach us over TLS; over plain HTTP a Secure cookie would not come back."""
        return self.public_url.startswith("https://")

    @property
    def folder(self):
        """Our own part of the store."""
        return self.state / "webhook"

    def secret_path(self, name):
        """Return the file of a secret; raise Invalid where it is not there, or readable by others."""
        path = self.credentials / name
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise Invalid(
                f"the secret {name!r} is not at {path}: {error.strerror}.",
                way_out="Put it there with mode 0600, or name its folder in SUANWANG_CREDENTIALS.",
            ) from error
        if mode & 0o077:
            raise Invalid(f"the secret {path} is readable by others.", way_out="Run chmod 600 on it.")
        return path

    def secret(self, name):
        """Return the text of a secret, read now, without the line break at its end."""
        return self.secret_path(name).read_text(encoding="utf-8").rstrip("\n")

    def database_password(self):
        """Return the password in the secret `database`, or None where there is no such file."""
        return self.secret("database") if (self.credentials / "database").exists() else None

    def own_key(self):
        """Return 32 bytes that only this store knows, made at first use."""
        path = self.folder / "key"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(32))
        return path.read_bytes()

    def catalogue(self):
        """Return name → folder of every task that the catalogue offers; without one, the checkout's examples."""
        found = {}
        for root in self.file.catalogue or [CHECKOUT / "examples"]:
            for path in sorted((self.config / root).resolve().glob("*/task.yml")):
                found.setdefault(path.parent.name, path.parent)
        return found


def load(environ=None):
    """Return the Settings; raise Invalid naming the variable or the field."""
    environ = os.environ if environ is None else environ
    config = pathlib.Path(governance.folder_of(None, environ)).resolve()
    state = default_root(environ)
    host, _, port = environ.get("SUANWANG_BIND", "127.0.0.1:8008").rpartition(":")
    if not port.isdigit() or not host:
        raise Invalid("SUANWANG_BIND is no address and port.", way_out="Write 127.0.0.1:8008.")
    inventory = environ.get("SUANWANG_INVENTORY")
    settings = Settings(
        state=state,
        config=config,
        credentials=pathlib.Path(environ.get("SUANWANG_CREDENTIALS") or config / "credentials"),
        database=environ.get("SUANWANG_DATABASE") or f"sqlite:///{state / 'webhook' / 'webhook.sqlite'}",
        host=host.strip("[]"),
        port=int(port),
        public_url=environ.get("SUANWANG_URL", f"http://{host}:{port}").rstrip("/"),
        inventory=pathlib.Path(inventory).absolute() if inventory else None,
        file=_file(config / "webhook.yml"),
    )
    _check(settings)
    return settings


def _file(path):
    document = governance.document(path)
    try:
        return File.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the document"
        raise Invalid(
            f"{path}: {field}: {first['msg']}.", way_out="Correct that field.", details={"field": field}
        ) from error


def _check(settings):
    if "lab" in settings.file.login and not settings.loopback:
        raise Invalid(
            f"the lab's own logins are for this machine only, and {settings.host} is reached from others.",
            way_out="Set `login: [oidc]` or `[cas]` in webhook.yml, or bind 127.0.0.1.",
        )
    for name in ("oidc", "cas"):
        if name in settings.file.login and getattr(settings.file, name) is None:
            raise Invalid(f"webhook.yml: login names {name}, and there is no `{name}:`.", way_out="Add it.")
    for site in settings.file.owners:
        if not (settings.config / "sites" / f"{site}.yml").exists():
            raise Invalid(f"webhook.yml: owners names {site}, and there is no such site.", way_out="Correct `owners`.")
    if settings.database.partition("@")[0].count(":") > 1 and "@" in settings.database:
        raise Invalid(
            "SUANWANG_DATABASE holds a password.", way_out="Put it into the secret file `database`, and take it out."
        )
