# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands at a site, over one SSH connection. Only this file and sshlink.py know the library below.

The host key must stand in the site's known_hosts; the key file is the only credential: no agent, no
configuration and no known hosts of whoever runs us. Bytes are checked by SHA-256 at both ends,
because SFTP's own "continue at the size" trusts whatever part is there (seen: four damaged bytes
kept, exit status 0). Memory is flat: a few MiB for any file.
"""

from __future__ import annotations

import os
import pathlib
import posixpath
import shlex
import stat

from .errors import BrainError
from .errors import Invalid
from .errors import Refused
from .errors import Timeout
from .errors import Unauthorized
from .errors import Unreachable
from .files import Meter
from .files import SiteFiles
from .sshlink import CONNECT_S
from .sshlink import library
from .sshlink import make_folders
from .sshlink import receive
from .sshlink import remove_folder
from .sshlink import rename
from .sshlink import send
from .sshlink import Session
from .sshlink import sftp_error
from .sshlink import through_proxy
from .sshlink import watched

CALL_S = 60.0
TREE_S = 600.0
#: What a checksum at a site is allowed to take: bytes a second that even a slow disk reads.
SUM_BYTES_A_S = 20_000_000
#: What a command may answer. More is no answer that anybody reads.
OUTPUT_BYTES = 16 * 1024 * 1024


class Files(SiteFiles):
    """Files below the storage root of an SSH endpoint, and commands on its login node.

    Paths are absolute at the site, or relative to the storage root. Safe to carry through a fork: a
    child makes its own connection. One call at a time; calls of several threads wait for each
    other.
    """

    CARRIER = "SFTP"

    def __init__(self, site, endpoint, *, user, key_path, known_hosts=None, host_key=None, jump=None):
        """known_hosts: a file; or host_key: the one public key that the server must have, as OpenSSH writes it.

        jump: the Files of the host that this one is reached through.
        """
        super().__init__(site, endpoint)
        self.user = user
        self.key_path = pathlib.Path(key_path)
        self.known_hosts = pathlib.Path(known_hosts) if known_hosts else None
        self.host_key = host_key
        self.jump = jump
        self._own = None

    # -- looking: reconnected once where the connection was lost -----------------------------------
    def _home(self):
        return self._call("SFTP realpath .", lambda s: s.sftp.realpath("."))

    def _there(self, path, name):
        return self._stat(path, name) is not None

    def remove_tree(self, path):
        """Remove a file, or a folder with all in it. Refused unless strictly below the root."""
        path = self._below_root(path, "remove")
        name = self._name("remove", path)
        found = self._stat(path, name)
        if found is None:
            return
        parent = self._call(name, lambda s: s.sftp.realpath(posixpath.dirname(path)))
        root = self._call(name, lambda s: s.sftp.realpath(self.root()))
        if parent != root and not parent.startswith(root + "/"):
            raise Refused(
                "the folder it lies in is a link that leads out of the storage root.",
                site=self.site.id,
                request=name,
            )
        if stat.S_ISDIR(found.permissions or 0):
            tree = os.fsencode(path)
            self._call(name, lambda s: remove_folder(s.sftp, tree), again=False, timeout_s=TREE_S)
        else:
            self._call(name, lambda s: s.sftp.unlink(path), again=False)

    def remove_if_empty(self, path):
        """Remove a folder that holds nothing; return whether it did."""
        path = self._below_root(path, "remove")
        status, _out, _err = self.run(["rmdir", path])
        return status == 0

    def run(self, argv, input=None, timeout_s=60, environment=None, limit=OUTPUT_BYTES):
        """Run a command, quoted word by word. Return (exit_status, stdout, stderr) as text.

        limit: bytes of each; more is Refused, and the command ended. exit_status: 128 + n for signal n; None where
        the site did not say. Nothing secret may stand in argv or environment: everybody at the site can read them.
        """
        name = f"SSH {argv[0]}"
        if isinstance(input, str):
            input = input.encode()
        # By env(1): a server accepts only those variables that its administrator allows.
        before = ("env", *(f"{key}={value}" for key, value in environment.items())) if environment else ()
        line = shlex.join((*before, *argv))
        done = self._call(name, lambda s: s.execute(line, input or b"", limit), again=False, timeout_s=timeout_s)
        return done[0], *(text.decode("utf-8", "replace") for text in done[1:])

    def close(self):
        own, self._own = self._own, None
        if own is not None:
            own.end()

    # -- parts of the above ------------------------------------------------------------------------
    def _put(self, stream, total, path, sha256, name, rate_kbps, report):
        part = f"{path}.part"
        self._call(name, lambda s: make_folders(s.sftp, posixpath.dirname(path)), again=False)
        start = self._remote_prefix(part, stream, total, name)
        meter = Meter(total, start, rate_kbps, report)
        self._call(name, lambda s: send(s.sftp, part, stream, meter), again=False, meter=meter)
        if self._sha256(part, total, name) != sha256:
            self._call(name, lambda s: s.sftp.unlink(part), again=False)
            raise self._corrupt(name, f"what arrived differs from the checksum {sha256}")
        self._call(name, lambda s: rename(s.sftp, part, path), again=False)

    def _receive(self, path, stream, meter, name):
        self._call(name, lambda s: receive(s.sftp, path, stream, meter), meter=meter)

    def _sha256s(self, path, length, block, name):
        timeout_s = CALL_S + length / SUM_BYTES_A_S
        return self._call(name, lambda s: s.sha256s(path, length, block), timeout_s=timeout_s)

    def _remote_prefix(self, part, stream, total, name):
        """Return how many bytes of a part at the site are true, 0 where none."""
        length = self._size(part, name)
        if not length or length > total:
            return 0
        return self._true_length(stream, part, length, name)

    def _stat(self, path, name):
        missing = library().SFTPNoSuchFile

        async def work(session):
            try:
                return await session.sftp.lstat(path)
            except missing:
                return None

        return self._call(name, work)

    def _size(self, path, name):
        """Return the size of a file, None where the site says that there is none."""
        missing = library().SFTPNoSuchFile

        async def work(session):
            try:
                return await session.sftp.stat(path)
            except missing:
                return None

        found = self._call(name, work)
        if found is None:
            return None
        if stat.S_ISDIR(found.permissions or 0):
            raise Refused(f"{path} is a folder.", site=self.site.id, request=name)
        return found.size

    def _sha256(self, path, length, name):
        """Return the SHA-256 of the first `length` bytes of a file at the site."""
        timeout_s = CALL_S + length / SUM_BYTES_A_S
        return self._call(name, lambda s: s.sha256(path, length), timeout_s=timeout_s)

    def _read(self, path, name, start, length):
        missing = library().SFTPNoSuchFile

        async def work(session):
            try:
                async with session.sftp.open(path, "rb") as stream:
                    return await stream.read(length, start)
            except missing:
                return None

        return self._call(name, work)

    # -- the connection ----------------------------------------------------------------------------
    def _call(self, name, work, *, again=True, timeout_s=CALL_S, meter=None):
        """Run `work(session)` on the kept connection. again: once more if it was lost."""
        own = self._own
        if own is None or own.pid != os.getpid():
            if own is not None:
                # The parent's loop shares its epoll with us; even closing it here would deafen the
                # parent.
                _ABANDONED.append(own)
            own = self._own = Session(self)
        with own.lock:
            old = own.connected
            try:
                return self._once(own, name, work, timeout_s, meter)
            except Unreachable as error:
                if isinstance(error, Timeout) or not (again and old) or own.connected:
                    raise
            return self._once(own, name, work, timeout_s, meter)

    def _once(self, own, name, work, timeout_s, meter):
        ssh = library()
        try:
            return own.run(watched(own, work, timeout_s, meter))
        except BrainError as error:
            raise error.at(self.site.id, name) from error.__cause__
        except (TimeoutError, ssh.TimeoutError):
            own.drop()
            raise Timeout("no answer in time.", site=self.site.id, request=name) from None
        except (ssh.Error, OSError) as error:
            found = self._translate(error, own.connected).at(self.site.id, name)
            if isinstance(found, Unreachable):
                own.drop()
            raise found from error

    def _translate(self, error, connected):
        ssh = library()
        text = (getattr(error, "reason", "") or str(error)).rstrip(".") or type(error).__name__
        if isinstance(error, ssh.SFTPError) and not isinstance(error, (ssh.SFTPConnectionLost, ssh.SFTPNoConnection)):
            return sftp_error(error, text)
        if isinstance(error, ssh.HostKeyNotVerifiable):
            return Unauthorized(
                f"the server is not the one it should be: {text.lower()}.",
                way_out=f"Compare its host key with the site, then put it into {self.known_hosts}."
                if self.known_hosts
                else "It is not the machine that was made: remove that one, and look who answers at its address.",
            )
        if isinstance(error, ssh.PermissionDenied):
            return Unauthorized(
                f"the site does not accept our key for user {self.user}.",
                way_out=f"Have the public key of credential file {self.key_path.name} put into its authorized_keys.",
            )
        if isinstance(error, ssh.ChannelOpenError) and connected:
            return Refused(f"the site opens no such channel: {text.lower()}.")
        if isinstance(error, OSError) and error.errno:
            text = os.strerror(error.errno) if error.errno > 0 else "the name does not resolve"
        return Unreachable(f"no answer: {text.lower()}.")

    def _known_hosts(self):
        return library().read_known_hosts(str(self.known_hosts))

    async def _way(self):
        """Return how the server is reached: the connection to its jump host, a socket through its proxy, or neither."""
        ssh = library()
        if self.jump is None:
            proxy = self.endpoint.proxy
            return {"sock": await through_proxy(proxy, self.endpoint.address, self.endpoint.port)} if proxy else {}
        try:
            return {"tunnel": await self.jump.connect()}
        except (ssh.Error, OSError) as error:
            found = self.jump._translate(error, connected=False)
            said = f"its jump host {self.jump.endpoint.id}: {found.message}"
            raise type(found)(said, way_out=found.way_out) from error

    async def connect(self):
        """Return an open connection; called by the session that keeps it."""
        ssh = library()
        for path, what in ((self.known_hosts, "known_hosts"), (self.key_path, "the private key")):
            if path and not path.is_file():
                hint = "Put it there; it is never learned."
                raise Invalid(f"{what} is not at {path}.", way_out=hint)
        try:
            hosts = ssh.import_known_hosts(f"* {self.host_key}") if self.host_key else self._known_hosts()
            key = ssh.read_private_key(str(self.key_path))
        except (ssh.KeyImportError, ValueError) as error:
            raise Invalid(f"a key of endpoint {self.endpoint.id} does not read: {error}.") from None
        way = await self._way()
        try:
            connection = await self._connected(way, key, hosts)
        except BaseException:
            for opened in way.values():
                opened.close()
            raise
        if "tunnel" in way:
            connection.set_tunnel(way["tunnel"])  # which is closed with it
        return connection

    async def _connected(self, way, key, hosts):
        return await library().connect(
            self.endpoint.address,
            self.endpoint.port,
            username=self.user,
            client_keys=[key],
            known_hosts=hosts,
            **way,
            config=None,
            agent_path=None,
            x509_trusted_certs=None,
            gss_host=None,
            preferred_auth="publickey",
            # First of what both sides know: half the CPU of the default for large files.
            encryption_algs="^aes128-gcm@openssh.com",
            connect_timeout=CONNECT_S,
            login_timeout=CONNECT_S,
            keepalive_interval=15,
            keepalive_count_max=3,
        )


# What a forked child must neither use nor close.
_ABANDONED = []
