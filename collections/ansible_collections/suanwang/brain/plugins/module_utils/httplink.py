# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of the HTTP library that can be cut from outside: its timeout is per read, ours for a whole call."""

from __future__ import annotations

import functools
import socket
import threading
import time

from .errors import Invalid

current = threading.local()


class Call:
    """One exchange: its sockets, so that the watch can cut them, and whether anything was sent."""

    def __init__(self):
        self.sent = False
        self.was_cut = False
        self.rtt_ms = None
        self._connections = []

    def took(self, connection):
        self._connections.append(connection)
        if self.was_cut:
            connection.cut()

    def cut(self):
        self.was_cut = True
        for connection in list(self._connections):
            connection.cut()


class Cuttable:
    """Mixed into the library's connections.

    A duplicate of the socket is kept because wrapping a socket in TLS takes its descriptor away.
    """

    _spare = None

    def _new_conn(self):
        started = time.perf_counter()
        made = super()._new_conn()
        self._drop_spare()
        self._spare = made.dup()
        call = getattr(current, "call", None)
        if call:
            call.rtt_ms = round((time.perf_counter() - started) * 1000, 3)
            call.took(self)
        return made

    def send(self, data):
        call = getattr(current, "call", None)
        if self.sock is None and self.auto_open:
            self.connect()
        if call:
            call.took(self)
            call.sent = True
        return super().send(data)

    def cut(self):
        try:
            self._spare.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # it has ended by itself

    def close(self):
        self._drop_spare()
        return super().close()

    def _drop_spare(self):
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()


@functools.cache
def library():
    """Return what we use of the library. Imported late, unless `preload` was called."""
    try:
        import requests
        import urllib3
        from requests.adapters import HTTPAdapter
    except ImportError:
        raise Invalid("the Python library requests is missing.", way_out="Install requirements.txt.") from None

    class Plain(Cuttable, urllib3.connection.HTTPConnection):
        pass

    class Secure(Cuttable, urllib3.connection.HTTPSConnection):
        pass

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    pools = {"http": PlainPool, "https": SecurePool}

    class Adapter(HTTPAdapter):
        def __init__(self, server_name, pin):
            self._extra = {}
            if server_name:
                # Both, for a library of either generation: what is sent, and what the certificate
                # must name.
                self._extra |= {"server_hostname": server_name, "assert_hostname": server_name}
            if pin:
                self._extra["assert_fingerprint"] = pin
            super().__init__(max_retries=0)

        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, **kwargs, **self._extra)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args, **kwargs):
            manager = super().proxy_manager_for(*args, **kwargs, **self._extra)
            manager.pool_classes_by_scheme = pools
            return manager

    def prepared(session, method, url, parts):
        """Return a request with the session's headers and cookies: ours has nothing else to be merged."""
        made = requests.PreparedRequest()
        headers = {**session.headers, **(parts["headers"] or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        made.prepare(method, url, **{**parts, "headers": headers}, cookies=session.cookies)
        return made

    class Library:
        Session = requests.Session
        RequestException = requests.exceptions.RequestException
        SSLError = requests.exceptions.SSLError
        Late = requests.exceptions.Timeout
        tls = staticmethod(urllib3.util.ssl_.create_urllib3_context)

    Library.Adapter = Adapter
    Library.prepared = staticmethod(prepared)
    return Library
