"""Every bound on what comes in, in one place: docs/security.md shows them, and a test holds that nothing has none.

    strangers, tenants ──► connection ──► head ──► body ──► values
    partners           ──────────────────► answer ─────────► values

A bound is checked before anything walks over what it bounds: bytes and seconds while they arrive, then one scan
for values, digits and depth, then the parser.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBounds:
    """What one process grants to those who connect to it."""

    connections: int
    """At once. Where there are more, the one that has kept its request open for longest is closed."""
    head_bytes: int
    """Request line and headers, of one request."""
    headers: int
    """Of one request, those behind a body in pieces among them."""
    head_seconds: float
    """From the connection, or the last answer on it, until a head is there whole. A silent one has no longer."""
    request_bytes: int
    """Everything behind the head, as it is sent: pieces, their sizes and what is thrown away."""
    request_seconds: float
    """From a whole head until the request is there whole, whether or not it is read."""
    pipelined: int
    """Requests that a client sends before the first of them is answered."""
    idle_seconds: int
    """Between an answer and the next request."""
    stalled_seconds: float
    """For which a client may take nothing of an answer that waits for it."""
    closing_seconds: float
    """For the rest of an answer on a connection that is ended."""
    sweep_seconds: float
    """How often a process looks for connections whose time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a body that comes in may have at most."""

    bytes: int
    """As it is read; of a compressed one, unpacked."""
    seconds: float
    """For all of it, however it trickles."""
    values: int
    """Of JSON: elements and members. Of a form: fields."""
    depth: int = 1
    """Of JSON: lists and objects within each other."""
    digits: int = 100
    """Of one number, and of what its exponent makes of it."""


CONNECTION = ConnectionBounds(
    connections=1_000,
    head_bytes=32 * KIB,
    headers=100,
    head_seconds=10.0,
    request_bytes=8 * MIB,
    request_seconds=15.0,
    pipelined=100,
    idle_seconds=5,
    stalled_seconds=30.0,
    closing_seconds=10.0,
    sweep_seconds=1.0,
)

#: A signed call: it has ten values and is under 2 KiB.
SIGNED_CALL = Bounds(bytes=64 * KIB, seconds=5.0, values=200, depth=8)
#: A webhook: 5,000 records at most, each of which has two to four values, as far as anything was published.
WEBHOOK = Bounds(bytes=4 * MIB, seconds=5.0, values=100_000, depth=16)
#: A form of our own pages.
FORM = Bounds(bytes=64 * KIB, seconds=5.0, values=2_000)
#: A file that a page takes: a thousand days with some columns more than are read.
UPLOAD = Bounds(bytes=256 * KIB, seconds=10.0, values=10)
#: An answer of another system: 100 products with all their variants, languages and price lists are a few MiB.
ANSWER = Bounds(bytes=32 * MIB, seconds=75.0, values=2_000_000, depth=64)
#: The public key: under 1 KiB.
KEY = Bounds(bytes=16 * KIB, seconds=1.5, values=1)
#: A file that an operator names on the command line.
FILE_BYTES = 4 * MIB
