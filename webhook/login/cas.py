"""CAS 3.0, as campuses run it: a ticket in the address, asked of the server; single logout by the server's POST."""

from __future__ import annotations

import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from xml.etree import ElementTree

from . import groups
from .oidc import Refused

_NS = "{http://www.yale.edu/tp/cas}"
_TICKET = re.compile(r"[A-Za-z0-9_.-]{1,255}")
MOST = 200_000
TIMEOUT_S = 10


class Server:
    """The one CAS server of webhook.yml."""

    def __init__(self, settings):
        self.settings, self.file = settings, settings.file.cas
        self._url = self.file.server.rstrip("/")

    @property
    def back(self):
        return f"{self.settings.public_url}/login/cas/back"

    def send(self):
        """Return the address of the server's login."""
        return f"{self._url}/login?{urllib.parse.urlencode({'service': self.back})}"

    def receive(self, ticket):
        """Return (person, ticket) after the server sent somebody back; the ticket is what a logout names."""
        if not _TICKET.fullmatch(ticket):
            raise Refused("this is no ticket")
        query = urllib.parse.urlencode({"service": self.back, "ticket": ticket})
        root = _parsed(self._asked(f"{self._url}/p3/serviceValidate?{query}"))
        success = root.find(f"{_NS}authenticationSuccess")
        user = success.findtext(f"{_NS}user") if success is not None else None
        if not user:
            raise Refused("the CAS server does not accept this ticket")
        found = {}
        for item in success.findall(f"{_NS}attributes/*"):
            found.setdefault(item.tag.removeprefix(_NS), []).append(item.text or "")
        member = [word for value in found.get(self.file.groups_attribute, ()) for word in groups.words(value)]
        name = next(iter(found.get("name") or found.get("displayName") or found.get("cn") or ()), user)
        principal = self.file.principal.replace("{user}", user.strip())[:200]
        return groups.person(self.settings, "cas", principal, name[:200], member), ticket

    def told(self, request_text):
        """Return the ticket that a single-logout POST names; raise Refused where it names none."""
        root = _parsed(request_text.encode())
        ticket = next((item.text for item in root.iter() if item.tag.rpartition("}")[2] == "SessionIndex"), None)
        if not ticket or not _TICKET.fullmatch(ticket.strip()):
            raise Refused("this is no logout request")
        return ticket.strip()

    def _asked(self, address):
        if not address.startswith(("https://", "http://")):
            raise Refused("webhook.yml names no address of a CAS server")
        bundle = str(self.settings.config / self.file.ca_bundle) if self.file.ca_bundle else None
        context = ssl.create_default_context(cafile=bundle) if address.startswith("https") else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
        )
        try:
            with opener.open(address, timeout=TIMEOUT_S) as answer:
                return answer.read(MOST)
        except (OSError, urllib.error.URLError) as error:
            raise Refused("the CAS server does not answer") from error


def _parsed(data):
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Refused("the answer declares entities, which none of ours does")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise Refused("the answer is not XML") from error
