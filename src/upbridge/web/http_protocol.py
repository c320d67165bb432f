"""The web server's end of a connection, with bounds: on bytes, headers, seconds, and connections in all.

    connected ──► head ──► body ──► answer ──► head …
        └─ none whole within its seconds: 408, closed; too much: 431 or 413, closed

A proxy in front does some of this, not all, and not everybody has one. uvicorn's protocol reads a head of any
length in any time, and keeps any number of connections. One look a second at all of them costs a request nothing.
"""

import asyncio
import json
import math
import resource
import time
from http import HTTPStatus
from typing import ClassVar, NoReturn
from weakref import WeakKeyDictionary

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from upbridge.core.bounds import CONNECTION, ConnectionBounds
from upbridge.core.telemetry.metrics import CONNECTIONS_ENDED

log = structlog.get_logger(__name__)

#: Descriptors of a process that are not for connections: to the database, to other systems, files.
_OTHER_DESCRIPTORS = 100
_LONGEST_BACKLOG = 2_048
_MOST_DESCRIPTORS = 8_192
#: Seconds between two log entries about connections that found no place.
_TELL_AGAIN = 60.0


class _Refusal(Exception):
    """The head of a request, or what follows its body, is not taken."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. uvicorn makes it, and calls it with what arrives."""

    bounds: ClassVar[ConnectionBounds] = CONNECTION

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._reads_body = False
        self._head_bytes = self._head_fields = self._body_bytes = 0
        self._refusal: tuple[HTTPStatus, str] | None = None
        self._stalled_by = self._closed_by = math.inf
        self._lobby = _lobby(self)
        self._expect_head()
        self._lobby.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._lobby.waiting.pop(self, None)
        super().connection_lost(exc)

    # --- what arrives ---------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived: hand the parser no more of them than a head, or a request, may have."""
        self._unset_keepalive_if_required()
        bounds = self.bounds
        if self._reads_body:
            self._body_bytes += len(data)
            if self._body_bytes > bounds.request_bytes:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "more than this server takes", "body")
                return
            self._parse(data)
            return
        left = bounds.head_bytes - self._head_bytes
        if not left:
            self._refuse(*_TOO_LONG, "head")
            return
        self._head_bytes += min(len(data), left)
        if len(data) <= left:
            self._parse(data)
        elif self._parse(data[:left]):  # the rest of this head, or what follows it
            self.data_received(data[left:])

    def _parse(self, data: bytes) -> bool:
        """Whether the connection goes on."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # to nothing that we speak: it is answered as if it had not asked
            return False
        except httptools.HttpParserError:
            status, detail = self._refusal or (HTTPStatus.BAD_REQUEST, "this is not HTTP")
            self._refuse(status, detail, "malformed" if self._refusal is None else "head")
            return False
        return not self.transport.is_closing()

    def on_message_begin(self) -> None:
        """The first byte of a request has arrived."""
        super().on_message_begin()
        if len(self.pipeline) >= self.bounds.pipelined:
            self._no(HTTPStatus.TOO_MANY_REQUESTS, "too many requests at once")
        self._head_fields = 0
        if self not in self._lobby.waiting:
            self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is whole: of the head, or of what follows a body in pieces."""
        self._head_fields += 1
        if self._head_fields > self.bounds.headers:
            self._no(*_TOO_LONG)
        if self._reads_body:
            return  # nothing reads what follows a body
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head of a request is whole."""
        self._reads_body, self._body_bytes = True, 0
        self._whole_by = self.loop.time() + self.bounds.request_seconds
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole."""
        super().on_message_complete()
        self._reads_body, self._head_bytes = False, 0
        self._whole_by = math.inf
        self._lobby.waiting.pop(self, None)
        if self.cycle.response_complete:
            self._expect_head()

    def _no(self, status: HTTPStatus, detail: str) -> NoReturn:
        self._refusal = status, detail
        raise _Refusal

    # --- what leaves ----------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """A request is answered; it need not have arrived whole."""
        super().on_response_complete()
        if not self._reads_body and not self.pipeline:
            self._expect_head()

    def pause_writing(self) -> None:
        """The client takes the answer slower than it is made."""
        super().pause_writing()
        self._stalled_by = self.loop.time() + self.bounds.stalled_seconds

    def resume_writing(self) -> None:
        """The client has taken what waited for it."""
        super().resume_writing()
        self._stalled_by = math.inf

    def _refuse(self, status: HTTPStatus, detail: str, reason: str) -> None:
        """Say why, where nothing is being answered yet, and end the connection."""
        CONNECTIONS_ENDED.labels(reason).inc()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or self.pipeline:
                self.transport.abort()
                return
        body = json.dumps({"error": "bad_request", "detail": detail}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    # --- time -----------------------------------------------------------------------------------------------

    def _expect_head(self) -> None:
        """From now on the seconds of a head count."""
        self._whole_by = self.loop.time() + self.bounds.head_seconds
        self._lobby.wait(self)

    def look(self, now: float) -> None:
        """End what has taken longer than it may."""
        if self.transport.is_closing():
            if self._closed_by == math.inf:
                self._closed_by = now + self.bounds.closing_seconds
            elif now >= self._closed_by:
                self.cut("slow_reader")
        elif now >= self._stalled_by:
            self.cut("slow_reader")
        elif now < self._whole_by:
            return
        elif self.flow.read_paused:  # by us: the client could not go on
            self._whole_by = now + self.bounds.head_seconds
        elif self._reads_body:
            self.cut("slow_body")
        elif self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the head of the request did not arrive", "slow_head")
        else:
            CONNECTIONS_ENDED.labels("silent").inc()
            self.transport.close()

    def cut(self, reason: str) -> None:
        """End the connection now, also where a request is under way on it."""
        CONNECTIONS_ENDED.labels(reason).inc()
        self.transport.abort()


_TOO_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is larger than this server takes"


class _Lobby:
    """The connections of one server."""

    def __init__(self, state: ServerState, loop: asyncio.AbstractEventLoop, bounds: ConnectionBounds) -> None:
        self._state = state
        self._loop = loop
        self._bounds = bounds
        self._most = min(bounds.connections, _half_of_descriptors())
        self._told_at = -math.inf
        self._sweeping = False
        self.waiting: dict[BoundedProtocol, None] = {}
        """Those whose request is not whole: the one that has been so for longest is first."""

    def wait(self, connection: BoundedProtocol) -> None:
        """*connection* has a request to send, from now on."""
        self.waiting.pop(connection, None)
        self.waiting[connection] = None

    def enter(self, connection: BoundedProtocol) -> None:
        """Let *connection* in; the longest waiting one leaves where there are too many."""
        if len(self._state.connections) > self._most:
            next(iter(self.waiting), connection).cut("full")
            now = time.monotonic()
            if now - self._told_at >= _TELL_AGAIN:
                self._told_at = now
                log.warning("connections_full", most=self._most)
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(self._bounds.sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.look(now)
        self._sweeping = bool(self._state.connections)
        if self._sweeping:
            self._loop.call_later(self._bounds.sweep_seconds, self._sweep)


_lobbies: "WeakKeyDictionary[ServerState, _Lobby]" = WeakKeyDictionary()


def _lobby(connection: BoundedProtocol) -> _Lobby:
    """That of the connection's server."""
    state = connection.server_state
    found = _lobbies.get(state)
    if found is None:
        found = _lobbies[state] = _Lobby(state, connection.loop, connection.bounds)
    return found


def _half_of_descriptors() -> int:
    """How many descriptors connections may use, and how many those that are not accepted yet."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, _MOST_DESCRIPTORS)
    return max(1, (most - _OTHER_DESCRIPTORS) // 2)


def backlog() -> int:
    """How many connections may wait to be accepted: all of them are accepted at once."""
    return min(_LONGEST_BACKLOG, max(16, _half_of_descriptors()))


def raise_descriptors() -> None:
    """Let this process, and those that it starts, open as many descriptors as the system grants, up to 8,192."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
