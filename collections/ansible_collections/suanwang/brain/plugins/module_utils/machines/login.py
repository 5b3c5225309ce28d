# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a machine of ours is logged in to: its host key is made here, so that it is known before the first contact.

The key is a function of our login key and the machine's name: nothing has to be kept, and whoever resumes a run with
the same credential knows it too. It travels in the user data, as cloud-init's `ssh_keys` (cloud-init 23 documents
them; tried on the lab's machines only, never on a real image).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json

from ..errors import Invalid
from ..errors import Refused
from ..ssh import Files

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError:  # ansible-test imports this file without our requirements
    serialization = None

SSH_PORT = 22


def host_key(secret, name):
    """Return (private key, public key) of a machine as OpenSSH writes them. secret: the text of our login key."""
    _need_library()
    seed = hmac.new(secret.encode(), f"host key of {name}".encode(), hashlib.sha256).digest()
    key = Ed25519PrivateKey.from_private_bytes(seed)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return private.decode(), _public(key)


def login_key(secret, credential):
    """Return the public key of our login key. credential: its name, for the sentence where it is none."""
    _need_library()
    try:
        return _public(serialization.load_ssh_private_key(secret.encode() + b"\n", password=None))
    except (ValueError, TypeError):
        raise Invalid(
            f"the credential {credential} is no private key as ssh-keygen makes them, without a passphrase.",
            way_out=f"ssh-keygen -t ed25519 -N '' -f {credential}",
        ) from None


def user_data(secret, credential, name, user, rights):
    """Return the cloud-config of a machine: its host key, and our user. rights: whether the user may become root."""
    private, public = host_key(secret, name)
    login = {
        "name": user,
        "lock_passwd": True,
        "shell": "/bin/sh",
        "ssh_authorized_keys": [login_key(secret, credential)],
    }
    if rights:
        login["sudo"] = "ALL=(ALL) NOPASSWD:ALL"
    said = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": private, "ed25519_public": public},
        "ssh_pwauth": False,
        "users": [login],
    }
    return f"#cloud-config\n{json.dumps(said)}\n"  # JSON is YAML


def _public(key):
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


def _need_library():
    if serialization is None:
        raise Invalid("the Python library cryptography is missing.", way_out="Install requirements.txt.")


def reach(instance, port):
    """Return (address, port) at which a port of a machine is reached from here, or None."""
    public = [one for one in instance.addresses if one.public]
    for one in public:
        if one.private_port in (port, None):
            return one.public, one.public_port or port
    private = [one for one in instance.addresses if not one.public]
    return (private[0].private, port) if private else None


class Access:
    """What of an endpoint's `machines` says how machines are made and logged in to, with the secret at use."""

    def __init__(self, connection):
        self.connection = connection
        self.said = connection.endpoint.machines

    @property
    def user(self):
        return self.said["user"]

    @property
    def port(self):
        return self.said.get("port", SSH_PORT)

    def image(self, arch):
        """Return the image for an architecture; raise Invalid where the site file names none."""
        images = self.said["images"]
        if arch not in images:
            raise Invalid(
                f"endpoint {self.connection.endpoint.id} names no image for {arch or 'an unknown architecture'}.",
                site=self.connection.site.id,
                way_out=f"Add it to `machines.images`; there are: {', '.join(sorted(images))}.",
            )
        return images[arch]

    @functools.cached_property
    def _secret(self):
        return self.connection.config.secret(self.said["credential"])

    def user_data(self, name, rights):
        return user_data(self._secret, self.said["credential"], name, self.user, rights)

    def files(self, instance):
        """Return the ssh.Files of a machine; raise Refused where it has no address that is the site's."""
        found = reach(instance, self.port)
        site = self.connection.site
        if found is None:
            raise Refused(
                f"the machine {instance.name} has no address yet at which port {self.port} is reached.",
                site=site.id,
                way_out="Look at `machines` in the site file: its networks, and the external one if they are private.",
            )
        address, port = found
        return Files(
            site,
            self.connection.at(address, port),
            user=self.user,
            key_path=self.connection.config.secret_path(self.said["credential"]),
            host_key=host_key(self._secret, instance.name)[1],
        )
