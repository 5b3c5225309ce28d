# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack through openstacksdk on our own HTTP session: a pool is an availability zone × cards or architecture.

Sources: Keystone 30, Nova 34, Placement 16, Glance 33, Neutron 29, openstacksdk 4.22, all seen. Never verified: nested
providers, PCI devices in Placement, several cells or regions, unified limits, old clouds (below compute 2.53), the
dialects of H3C CloudOS and Huawei Cloud Stack, a Keystone that is not below /v3.

Capacity is Placement's, never the hypervisors' (whose figures know no overcommitment and no cards, and are gone since
2.88); hypervisors only say which machines work. A quota and a policy are refused with the same 403, and names are not
unique: a create whose answer is lost is looked up, and never sent again blindly.
"""

from __future__ import annotations

import base64
import functools
import re

from ..errors import BrainError
from ..errors import Conflict
from ..errors import Invalid
from ..errors import NotFound
from ..errors import QuotaExceeded
from ..errors import Refused
from ..errors import Unauthorized
from ..errors import Unreachable
from ..resources import Address
from ..resources import Instance
from ..resources import Quota
from . import openstack_text as text
from .base import compiled
from .base import NameRule
from .base import Platform
from .base import VERBS

# -- LOGIN: with native_user (or domain/user) in project native_account by password; without, an application
#    credential, whose file holds its id and its secret, one a line ------------------------------------
AUTH = "/v3"
DOMAIN = "Default"

# -- PATHS: service → path; microversions are the newest that both sides know -----------------------
VERSIONS = {"compute": "2.90", "placement": "1.39"}
AGGREGATES, HYPERVISORS, FLAVORS = "/os-aggregates", "/os-hypervisors/detail", "/flavors/detail"
ZONES, SERVERS = "/os-availability-zone", "/servers/detail"
QUOTA, QUOTAS = "/os-quota-sets/{}", "/os-quota-sets/{}/detail"
SERVER, NEW_SERVER = "/servers/{}", "/servers"
PROVIDERS, CANDIDATES, USAGES = "/resource_providers", "/allocation_candidates", "/usages"
PROJECTS, IMAGES, NETWORKS = "/projects", "/images", "/networks"  # below the version that the service itself names
PAGES = 200
#: Seconds for one call, which it may hang for as long as it likes otherwise.
TIMEOUT_S = 30

# -- FIELDS: theirs → ours -------------------------------------------------------------------------
FIELDS = {
    "aggregate": "aggregates[?metadata.availability_zone].{zone: metadata.availability_zone, hosts: hosts}",
    "hypervisor": """hypervisors[].{id: id, name: hypervisor_hostname, host: service.host, state: state,
        status: status, reason: service.disabled_reason}""",
    "flavor": "flavors[].{id: id, name: name, cpu: vcpus, ram: ram, disk: disk, extra: extra_specs}",
    "zone": "availabilityZoneInfo[].zoneName",
    "provider": "resource_providers[].{id: uuid, name: name, root: root_provider_uuid}",
    "server": """servers[].{id: id, name: name, state: status, task: "OS-EXT-STS:task_state",
        fault: fault.message, zone: "OS-EXT-AZ:availability_zone", type: flavor.original_name,
        addresses: addresses, label: metadata, created: created}""",
}

# -- STATES: a word that is not here is `unknown` --------------------------------------------------
_WORDS = {
    "starting": "BUILD REBUILD",
    "running": "ACTIVE REBOOT HARD_REBOOT RESIZE VERIFY_RESIZE MIGRATING PASSWORD RESCUE",
    "stopped": "SHUTOFF SHELVED SHELVED_OFFLOADED",
    "suspended": "PAUSED SUSPENDED",
    "stopping": "DELETED SOFT_DELETED",
    "failed": "ERROR",
}
STATES = {word: state for state, listed in _WORDS.items() for word in listed.split()}

# -- ERRORS: HTTP status → our class and the way out; 403 is told apart by its words -----------------
ERRORS = {
    400: (Invalid, None),
    401: (Unauthorized, "Renew the credential, or ask the site for the right."),
    403: (Unauthorized, "Ask the site for the right."),
    404: (NotFound, None),
    406: (Refused, "It speaks another version of its API."),
    409: (Conflict, None),
    413: (QuotaExceeded, "Ask for less, or have the quota raised."),
}
OVER_QUOTA = re.compile(r"quota|OverLimit|exceed", re.IGNORECASE)
_RAISE = "Ask for less, release what is not needed (also machines in ERROR hold quota), or have the quota raised."

_NO_JOBS = "it makes machines, and runs no jobs: work goes over SSH to instances of ours."
_NO_ALARMS = "its API keeps none: a machine that is down is missing from what is free, and a Prometheus tells alarms."
_STANDING = "what it holds is standing: an instance has its share from its start to its end."


class OpenStack(Platform):
    """One region of one cloud, as one user in one project."""

    NAME = "openstack"
    NAME_RULE = NameRule(length=255, characters="A-Za-z0-9._-", unique=False, dot=True)
    FIND_BY_NAME = "exact"
    KEEPS_LABEL = True
    RESERVES = "standing"
    CAPABILITIES = {
        **dict.fromkeys(set(VERBS), _NO_JOBS),
        "alarms": _NO_ALARMS,
        "usage": "it knows what it has given away, which stands in its pools, and measures nothing.",
        **dict.fromkeys(("reserve", "reservation", "release"), _STANDING),
        **dict.fromkeys(("serve", "inference_service", "unserve"), "it makes machines, and knows no models."),
    }
    for _verb in "ping pools quota set_quota create_instance instance delete_instance".split():
        del CAPABILITIES[_verb]

    def __init__(self, connection):
        super().__init__(connection)
        self._versions = {}

    # -- perception --------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api, project}: the newest compute microversion, those that are spoken, and our project."""
        newest = {name: self._newest(name) for name in VERSIONS}
        return {
            "version": newest["compute"],
            "api": {name: self._version(name) for name in newest},
            "project": self._project,
        }

    def pools(self):
        """Return one Pool a zone and accelerator, or architecture; for a mere tenant `partial`, with quota only."""
        flavors = self._rows("flavor", "compute", FLAVORS, {"is_public": "none"} if self._sees_all else {})
        ours, quota = self._ours(), self.quota()
        facts = text.Facts(self.site, self.endpoint, flavors, quota, ours)
        if self._sees_all:
            return facts.pools(self._machines())
        return facts.without_capacity(self._rows("zone", "compute", ZONES))

    def quota(self):
        """Return the project's limits and use. Cards are used without a limit: Nova has no quota for them."""
        body = self._checked("GET", "compute", QUOTAS.format(self._project))
        found = [Quota(*row, tenant=self.connection.tenant) for row in text.quotas(body["quota_set"])]
        usages = self._placement_usages()
        if usages is not None:
            found.append(Quota("accelerators", None, text.cards_used(usages), self.connection.tenant))
        return found

    def set_quota(self, account, limits):
        """Set limits of a project, ``domain/project`` or its name. Below what is in use is Invalid, as Nova says."""
        domain, name = in_domain(account)
        found = self._checked("GET", "identity", PROJECTS, {"name": name})["projects"]
        if len(found) > 1:
            domains = self._checked("GET", "identity", "/domains", {"name": domain})["domains"]
            found = [row for row in found if row["domain_id"] in [one["id"] for one in domains]]
        project = self._only(found, "project", name)
        self._checked("PUT", "compute", QUOTA.format(project), json={"quota_set": text.quota_set(limits)})

    def _machines(self):
        """Return text.Machines: what Placement says they have, and what Nova says of their health."""
        zones = {host: row["zone"] for row in self._rows("aggregate", "compute", AGGREGATES) for host in row["hosts"]}
        nova = {row["id"]: row for row in self._rows("hypervisor", "compute", HYPERVISORS)}
        providers = self._rows("provider", "placement", PROVIDERS)
        seen = self._checked("GET", "placement", CANDIDATES, {"resources": "VCPU:1", "limit": 100000})
        summaries = dict(seen["provider_summaries"])
        for row in providers:  # what is full is no candidate
            if row["id"] not in summaries:
                summaries[row["id"]] = self._summary(row["id"])
        return text.machines(providers, summaries, nova, zones)

    def _summary(self, provider):
        path = f"{PROVIDERS}/{provider}"
        inventories = self._checked("GET", "placement", f"{path}/inventories")["inventories"]
        usages = self._checked("GET", "placement", f"{path}/usages")["usages"]
        traits = self._checked("GET", "placement", f"{path}/traits")["traits"]
        return text.summary(inventories, usages, traits)

    def _placement_usages(self):
        try:
            return self._checked("GET", "placement", USAGES, {"project_id": self._project})["usages"]
        except (Unauthorized, NotFound, Refused):
            return None

    def _ours(self):
        everybody = {"all_tenants": "1"} if self._sees_all else {}
        return self._rows("server", "compute", SERVERS, {"name": "^swb-", **everybody})

    # -- machines ----------------------------------------------------------------------------------
    def instance(self, name):
        """Return the Instance of that name, or None; Conflict where there are several."""
        # A name is a regular expression there, without anchors.
        rows = self._rows("server", "compute", SERVERS, {"name": f"^{re.escape(name)}$"})
        rows = [row for row in rows if row["name"] == name]
        if len(rows) > 1:
            raise Conflict(
                f"there are {len(rows)} machines named {name}: {', '.join(row['id'] for row in rows)}.",
                site=self.site.id,
                way_out="Delete all but one there.",
            )
        return self._instance(rows[0]) if rows else None

    def create_instance(self, spec):
        """Ask once. Unreachable with details.doubt: look it up by name before anything else."""
        self.NAME_RULE.check(spec.name)
        zone, native = text.place(spec.pool)
        flavors = self._rows("flavor", "compute", FLAVORS, {})
        flavor = text.choose(flavors, spec, native, self.site.id)
        server = {
            "name": spec.name,
            "flavorRef": flavor["id"],
            "imageRef": self._image(spec.image),
            "availability_zone": zone,
            "metadata": spec.label,
            "networks": [{"uuid": self._network(name)} for name in spec.networks] or "auto",
        }
        if spec.user_data:
            server["user_data"] = base64.b64encode(spec.user_data.encode()).decode()
        body = self._checked("POST", "compute", NEW_SERVER, json={"server": server})
        return Instance(
            id=body["server"]["id"],
            name=spec.name,
            state="starting",
            native_state="BUILD",
            pool=spec.pool,
            native_type=flavor["name"],
            label=dict(spec.label),
        )

    def delete_instance(self, instance):
        """Ask for the end, if the id is still that of the name."""
        try:
            found = self._checked("GET", "compute", SERVER.format(instance.id))["server"]
            if found["name"] == instance.name:
                self._checked("DELETE", "compute", SERVER.format(instance.id))
        except NotFound:
            return

    def _image(self, name):
        body = self._checked("GET", "image", IMAGES, {"name": name, "status": "active", "limit": 2})
        return self._only(body["images"], "image", name)

    def _network(self, name):
        return self._only(self._checked("GET", "network", NETWORKS, {"name": name})["networks"], "network", name)

    def _only(self, rows, kind, name):
        if len(rows) == 1:
            return rows[0]["id"]
        said = f"there are several {kind}s named {name!r}." if rows else f"there is no {kind} {name!r}."
        raise NotFound(said, site=self.site.id, way_out=f"Name one {kind} that the project sees.")

    def _instance(self, row):
        state = STATES.get(row["state"], "unknown")
        if row["task"] == "deleting":
            state = "stopping"
        return Instance(
            id=row["id"],
            name=row["name"],
            state=state,
            native_state="/".join(filter(None, (row["state"], row["task"]))),
            reason=(row["fault"] or "").strip() or None,
            pool=None,
            native_type=row["type"],
            addresses=tuple(Address(*one) for one in text.addresses(row["addresses"], self.site.address_map)),
            label=row["label"] or {},
            created=row["created"],
        )

    # -- asking ------------------------------------------------------------------------------------
    @functools.cached_property
    def _cloud(self):
        """Return openstacksdk's connection over our session."""
        library = _library(self.site.id)
        session = library.Session(
            auth=library.auth(f"{self.connection.http.base}{AUTH}", self.account, self.connection.secret()),
            session=self.connection.http.lend(TIMEOUT_S),
            redirect=False,
        )
        return library.Connection(session=session, region_name=self.endpoint.region)

    @functools.cached_property
    def _access(self):
        return self._guarded("POST /v3/auth/tokens", lambda: self._cloud.session.auth.get_access(self._cloud.session))

    @property
    def _project(self):
        return self._access.project_id

    @functools.cached_property
    def _sees_all(self):
        """Whether our account may see machines; a mere tenant may not."""
        try:
            self._checked("GET", "compute", HYPERVISORS, {"limit": 1})
            self._checked("GET", "placement", PROVIDERS, {"name": "-"})
        except Unauthorized as error:
            if error.details.get("status") != 403:
                raise
            return False
        return True

    def _newest(self, service):
        data = self._guarded(f"GET {service}", lambda: getattr(self._cloud, service).get_endpoint_data())
        return text.version(data.max_microversion if data else None)

    def _version(self, service):
        """Return the microversion that is spoken with a service: the wanted one, or the newest that it has."""
        wanted = VERSIONS.get(service)
        if wanted and service not in self._versions:
            self._versions[service] = min(wanted, self._newest(service) or wanted, key=text.number)
        return self._versions.get(service)

    def _rows(self, kind, service, path, params=None):
        """Return the rows of a list, all of its pages: a full last page has a link to an empty one."""
        found, asked = [], dict(params or {})
        for _page in range(PAGES):
            body = self._checked("GET", service, path, asked)
            rows = compiled(FIELDS[kind]).search(body)
            if rows is None:
                raise Unreachable("the list is missing.", site=self.site.id, request=f"GET {path}")
            found += rows
            link = text.next_link(body)
            if not link or not rows:
                return found
            asked = {**asked, **link}
        raise Refused(f"the list has more than {PAGES} pages.", site=self.site.id, request=f"GET {path}")

    def _checked(self, method, service, path, params=None, json=None):
        """Return the JSON of a success; raise what it says otherwise."""
        request = f"{method} {path}"
        options = {"params": params, "microversion": self._version(service)}
        if json is not None:
            options["json"] = json
        proxy = self._guarded(request, lambda: getattr(self._cloud, service))
        # Past openstacksdk's own cache and statistics, which warn of themselves.
        send = _library(self.site.id).send
        answer = self._guarded(request, lambda: send(proxy, path, method, raise_exc=False, **options))
        if answer.status_code >= 300:
            raise self._error(answer, request)
        body = text.body(answer)
        if body is None and method == "GET":
            raise Unreachable("it answered something that is no JSON.", site=self.site.id, request=request)
        return body

    def _guarded(self, request, call):
        """Call openstacksdk; what it raises of its own becomes ours."""
        try:
            return call()
        except BrainError as error:
            raise error.at(self.site.id, request) from None
        except Exception as error:  # two trees of its own, and their messages may hold addresses
            raise _library(self.site.id).translated(error, self.site.id, request) from None

    def _error(self, answer, request):
        said = text.message(answer) or "no reason"
        status = answer.status_code
        kind, way_out = ERRORS.get(status, (Unreachable if status >= 500 else Refused, None))
        if status == 403 and OVER_QUOTA.search(said):
            kind, way_out = QuotaExceeded, _RAISE
        return kind(
            f"OpenStack says {status}, {said.rstrip('.')}.",
            site=self.site.id,
            request=request,
            way_out=way_out,
            details={"status": status, "request_id": answer.headers.get("X-Openstack-Request-Id")},
        )


@functools.cache
def _library(site):
    """Return what we use of openstacksdk; imported late, for a site without it needs none of it."""
    try:
        from keystoneauth1 import adapter
        from keystoneauth1 import exceptions
        from keystoneauth1 import session
        from keystoneauth1.identity import v3
        from openstack import connection
        from openstack import exceptions as own
    except ImportError:
        raise Invalid(
            "the Python library openstacksdk is missing.", site=site, way_out="Install requirements.txt."
        ) from None

    class Library:
        Session = session.Session
        Connection = connection.Connection
        send = staticmethod(adapter.Adapter.request)

        @staticmethod
        def auth(url, account, secret):
            if not account.user:
                try:
                    name, key = secret.split()
                except ValueError:
                    raise Invalid(
                        f"the credential {account.credential} does not hold an id and a secret.",
                        site=site,
                        way_out="Put the application credential's id and secret into it, one a line.",
                    ) from None
                return v3.ApplicationCredential(url, application_credential_id=name, application_credential_secret=key)
            user, project = in_domain(account.user), in_domain(account.account)
            return v3.Password(
                url,
                username=user[1],
                user_domain_name=user[0],
                password=secret,
                project_name=project[1],
                project_domain_name=project[0],
            )

        @staticmethod
        def translated(error, site, request):
            if isinstance(error, (exceptions.Unauthorized, exceptions.NotFound)):
                # An application credential that was deleted is a 404 there.
                said, kind, way_out = "the credential is not accepted", Unauthorized, "Renew the credential."
            elif isinstance(error, (exceptions.EndpointNotFound, own.ConfigException)):
                said, kind, way_out = "its catalogue has no such service", NotFound, "Check `region` in the site file."
            else:
                said, kind, way_out = f"{type(error).__name__} in openstacksdk", Unreachable, None
            return kind(f"{said}.", site=site, request=request, way_out=way_out, details={"doubt": True})

    return Library


def in_domain(name):
    """Return (domain, name) of ``name`` or ``domain/name``."""
    domain, slash, rest = (name or "").partition("/")
    return (domain, rest) if slash else (DOMAIN, domain)
