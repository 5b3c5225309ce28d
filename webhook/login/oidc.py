"""OpenID Connect: authorization code with PKCE (S256), groups from the userinfo answer, logout told by the provider."""

from __future__ import annotations

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ansible_collections.suanwang.brain.plugins.module_utils.said import say

from . import groups

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
TIMEOUT_S = 10
#: Signatures by the provider's key pair only: with a shared secret anybody who knows it could end sessions.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class Refused(Exception):
    """The provider, or what came from it, does not vouch for anybody."""


class Provider:
    """The one provider of webhook.yml."""

    def __init__(self, app, settings):
        self.settings, self.file = settings, settings.file.oidc
        issuer = self.file.issuer.rstrip("/")
        self._client = OAuth(app).register(
            "oidc",
            client_id=self.file.client_id,
            client_secret=settings.secret(self.file.credential),
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile email groups", "code_challenge_method": "S256", "timeout": TIMEOUT_S,
            },
        )  # fmt: skip

    @property
    def back(self):
        return f"{self.settings.public_url}/login/oidc/back"

    def send(self):
        """Return the redirect to the provider's login."""
        try:
            return self._client.authorize_redirect(self.back)
        except (OSError, ValueError, AuthlibBaseError) as error:
            raise Refused("the identity provider does not answer") from error

    def receive(self):
        """Return (person, sid) after the provider sent somebody back."""
        try:
            token = self._client.authorize_access_token(leeway=60)
            claims = {**token["userinfo"], **self._client.userinfo(token=token)}
        except (OSError, ValueError, KeyError, AuthlibBaseError, JoseError) as error:
            raise Refused(say("the login did not succeed: {error}", error=type(error).__name__)) from error
        if claims.get("sub") != token["userinfo"]["sub"]:
            raise Refused("the provider told of two people")
        principal = claims.get(self.file.principal_claim)
        if not isinstance(principal, str) or not 0 < len(principal) <= 200:
            raise Refused(say("the provider gave no {claim}", claim=self.file.principal_claim))
        if self.file.principal_claim == "email" and claims.get("email_verified") is False:
            raise Refused("the provider has not verified this mail address")
        member = groups.words(claims.get(self.file.groups_claim))
        name = str(claims.get("name") or claims.get("preferred_username") or principal)[:200]
        person = groups.person(self.settings, "oidc", principal, name, member)
        return person, token["userinfo"].get("sid")

    def told(self, logout_token):
        """Return the sid of a back-channel logout token; raise Refused where it is not the provider's."""
        try:
            metadata = self._client.load_server_metadata()
            keys = KeySet.import_key_set(self._client.fetch_jwk_set(force=True))
            claims = jwt.decode(logout_token, keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                leeway=60,
                iss={"essential": True, "value": metadata["issuer"]},
                aud={"essential": True, "value": self.file.client_id},
                iat={"essential": True},
                events={"essential": True},
            ).validate(claims)
        except (OSError, ValueError, KeyError, AuthlibBaseError, JoseError) as error:
            raise Refused("this is no logout token of the provider") from error
        events = claims.get("events")
        if claims.get("nonce") is not None or not isinstance(events, dict) or _EVENT not in events:
            raise Refused("this is no logout token")
        if not isinstance(claims.get("sid"), str):
            raise Refused("the logout token names no session")
        return claims["sid"]

    @property
    def farewell(self):
        """The address at which the provider ends its own session, or None."""
        try:
            end = self._client.load_server_metadata().get("end_session_endpoint")
        except (OSError, ValueError, AuthlibBaseError):
            return None
        return f"{end}?client_id={self.file.client_id}" if end else None
