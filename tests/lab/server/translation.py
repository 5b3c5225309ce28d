"""The public side of a site's endpoints: each connection is passed on to a private place behind it.

Several private places are a load balancer's nodes: connections take them in turn, and pass by one that refuses. What
loopback cannot show of a real one is the delay of a handshake and the address of who asks.
"""

import asyncio
import contextlib
import socket
import struct
import threading

PIECE = 256 * 1024
#: SO_LINGER on, no time: closing sends a reset
RESET = struct.pack("ii", 1, 0)


class Translation:
    """All translated endpoints of one process; its loop runs in a thread of its own."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.StreamWriter] = set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def put(self, public, private) -> None:
        """Listen at `public` (address, port) in front of the `private` ones."""
        asyncio.run_coroutine_threadsafe(self._put(tuple(public), list(map(tuple, private))), self._loop).result(10)

    def close(self) -> None:
        """Refuse new connections and cut the open ones."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    async def _put(self, public, private):
        turn = 0

        async def take(reader, writer):
            nonlocal turn
            nodes = [private[(turn + step) % len(private)] for step in range(len(private))]
            turn += 1
            self._open.add(writer)
            try:
                await self._pass_on(reader, writer, nodes)
            finally:
                self._open.discard(writer)
                writer.close()

        self._servers.append(await asyncio.start_server(take, *public, backlog=256, limit=PIECE))

    async def _pass_on(self, reader, writer, nodes):
        for node in nodes:
            with contextlib.suppress(OSError):
                inner_reader, inner_writer = await asyncio.open_connection(*node, limit=PIECE)
                break
        else:
            return _reset(writer)
        self._open.add(inner_writer)
        try:
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        except OSError:
            _reset(writer)  # a connection that was cut behind us is cut before us too, not ended in order
        finally:
            self._open.discard(inner_writer)
            inner_writer.close()

    async def _close(self):
        for server in self._servers:
            server.close()
        self._servers.clear()
        for writer in list(self._open):
            writer.transport.abort()


async def _copy(reader, writer):
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


def _reset(writer):
    own = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
