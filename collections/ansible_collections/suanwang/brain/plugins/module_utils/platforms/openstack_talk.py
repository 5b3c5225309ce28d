# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How OpenStack is asked: openstacksdk's login and catalogue on our own session, microversions, pages, refusals."""

from __future__ import annotations

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
from . import openstack_text as text
from .base import compiled
from .base import Platform

# -- LOGIN: with native_user (or domain/user) in project native_account by password; without, an application
#    credential, whose file holds its id and its secret, one a line ------------------------------------
AUTH = "/v3"
DOMAIN = "Default"

# -- PATHS: microversions are the newest that both sides know
VERSIONS = {"compute": "2.90", "placement": "1.39"}
PAGES = 200
#: Seconds for one call, which it may hang for as long as it likes otherwise.
TIMEOUT_S = 30

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


class Cloud(Platform):
    """One region of one cloud, as one user in one project: the asking alone. FIELDS: kind of a list → its rows."""

    FIELDS = {}

    def __init__(self, connection):
        super().__init__(connection)
        self._versions = {}

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
        found, asked, before = [], dict(params or {}), set()
        for _page in range(PAGES):
            body = self.checked("GET", service, path, asked)
            rows = compiled(self.FIELDS[kind]).search(body)
            if rows is None:
                raise Unreachable("the list is missing.", site=self.site.id, request=f"GET {path}")
            found += rows
            link = text.next_link(body)
            if not link or not rows:
                return found
            self._good_link(link, rows, before, f"GET {path}")
            asked = {**asked, **link}
        raise Refused(f"the list has more than {PAGES} pages.", site=self.site.id, request=f"GET {path}")

    def _good_link(self, link, rows, before, request):
        """Refuse a link to a page that was seen, or past rows that did not come: its marker is the page's last row."""
        marker, there = link.get("marker"), {row.get("id") for row in rows}
        if marker in before:
            raise Unreachable("its pages go in a circle.", site=self.site.id, request=request)
        if there - {None} and marker not in there:
            said = f"a page of {len(rows)} rows is cut short: the next one goes on after a row that did not come."
            raise Unreachable(said, site=self.site.id, request=request)
        before.add(marker)

    def checked(self, method, service, path, params=None, json=None):
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
            found = _library(self.site.id).translated(error, self.site.id, request)
            if isinstance(found, Unauthorized):
                for kept in ("_cloud", "_access"):
                    self.__dict__.pop(kept, None)  # so that a credential that was renewed is read
            raise found from None

    def only(self, rows, kind, name):
        """Return the id of the one row of that name."""
        if len(rows) == 1:
            return rows[0]["id"]
        said = f"there are several {kind}s named {name!r}." if rows else f"there is no {kind} {name!r}."
        raise NotFound(said, site=self.site.id, way_out=f"Name one {kind} that the project sees.")

    def _error(self, answer, request):
        said = text.message(answer) or "no reason"
        status = answer.status_code
        kind, way_out = ERRORS.get(status, (Unreachable if status >= 500 else Refused, None))
        if status in (403, 409) and OVER_QUOTA.search(said):
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
                said, kind, way_out = (
                    "the credential is not accepted: wrong, or expired",
                    Unauthorized,
                    "Renew the credential.",
                )
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
