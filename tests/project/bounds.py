"""The tables of docs/security.md, from `core/bounds.py`: `python -m tests.project.bounds` writes them."""

import sys
from collections.abc import Iterator, Mapping

from tests.project.documents import TOP
from tests.project.reference.markdown import table
from upbridge.core import bounds
from upbridge.core.bounds import KIB, MIB, Bounds

PAGE = TOP / "docs/security.md"
_BEGIN, _END = "<!-- bounds -->", "<!-- end of bounds -->"

#: What each of them bounds, and which of its numbers mean anything there.
WHAT: Mapping[str, tuple[str, frozenset[str]]] = {
    "SIGNED_CALL": ("a signed call, `/addon/…`", frozenset({"values", "depth", "digits"})),
    "WEBHOOK": ("a webhook, `/webhooks/…`; 5,000 records", frozenset({"values", "depth", "digits"})),
    "FORM": ("a form of a page, `POST /ui/…`", frozenset({"values"})),
    "UPLOAD": ("a file that a page takes, `POST /ui/…/costs/…`", frozenset({"values"})),
    "ANSWER": ("an answer of Upgates, Upp.ai, Uphance", frozenset({"values", "depth", "digits"})),
    "KEY": ("an answer of the key's address", frozenset()),
}


def named() -> Mapping[str, Bounds]:
    """Every bound on a body that the code has."""
    return {name: one for name, one in vars(bounds).items() if isinstance(one, Bounds)}


def tables() -> str:
    """The part of the page that is made."""
    rows = [
        (
            WHAT[name][0],
            _bytes(one.bytes),
            f"{one.seconds:g} s",
            *(
                f"{getattr(one, number):,}" if number in WHAT[name][1] else ""
                for number in ("values", "depth", "digits")
            ),
        )
        for name, one in named().items()
    ]
    head = ("Body", "Bytes", "In all", "Values", "Depth", "Digits of a number")
    return "\n\n".join((table(("Connection", "At most", "Then"), list(_connection())), table(head, rows)))


def _connection() -> Iterator[tuple[str, str, str]]:
    one = bounds.CONNECTION
    files = f"{one.connections:,}, and half of the files that it may open"
    yield "connections of one process", files, "the one that has kept its request open for longest is closed"
    yield "request line and headers", f"{_bytes(one.head_bytes)}, {one.headers} headers", "431"
    yield "until they are there whole", f"{one.head_seconds:g} s", "408; a silent connection is closed"
    yield "everything behind them, as it is sent", _bytes(one.request_bytes), "413"
    yield "until it is there whole, read or not", f"{one.request_seconds:g} s", "closed"
    yield "requests before the first is answered", str(one.pipelined), "closed"
    yield "between an answer and the next request", f"{one.idle_seconds:g} s", "closed"
    yield "an answer that the client does not take", f"{one.stalled_seconds:g} s", "closed"


def _bytes(number: int) -> str:
    return f"{number // MIB} MiB" if number >= MIB else f"{number // KIB} KiB"


def page() -> str:
    """The page with its tables as the code has them."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{tables()}\n\n{_END}{after}"


def complaints() -> Iterator[str]:
    """Whether the page says what the code has."""
    if page() != PAGE.read_text():
        yield "docs/security.md says other bounds than core/bounds.py: make docs"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
