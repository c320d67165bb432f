"""Every route of the application has its bounds: it takes no more of a body, and waits for none longer."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from tests.project.reference.http import addresses
from tests.support.web_application import Site
from upbridge.core.bounds import CONNECTION, FORM, SIGNED_CALL, UPLOAD, WEBHOOK, Bounds
from upbridge.domain.webhooks import ANY_EVENT
from upbridge.web_container import WebContainer

pytestmark = pytest.mark.usefixtures("calm_loop")

_CHUNK = 65_536
#: The first that an address begins with counts. A route that is not here takes no body at all.
TAKEN = {
    ("POST", "/addon/"): SIGNED_CALL,
    ("POST", "/webhooks/"): WEBHOOK,
    ("POST", "/ui/s/{session}/costs/{system}/send"): FORM,
    ("POST", "/ui/s/{session}/costs/"): UPLOAD,
    ("POST", "/ui/s/"): FORM,
}
#: While it sends its portions it listens for a client that hangs up, and throws away what comes: the connection's
#: bounds hold.
_LISTENS = {"/ui/s/{session}/products.csv"}


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of each."""
    return ((method, one.path) for one in addresses() for method in one.methods)


def bounds_of(method: str, path: str) -> Bounds | None:
    """What a route takes; None if that is nothing."""
    return next((one for (of, start), one in TAKEN.items() if method == of and path.startswith(start)), None)


@dataclass
class Visit:
    """The application, with everything that stands in its addresses."""

    app: FastAPI
    filled: dict[str, str]

    def address(self, path: str) -> str:
        """*path* with what it needs."""
        event = "Orders.create" if "{event}" in path else ANY_EVENT
        token = self.filled["upgates" if "{event}" in path else "uphance"]
        return path.format(**self.filled, event=event, token=token)

    async def call(self, method: str, path: str, receive: "Sender") -> int:
        """The status that a request gets."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": self.address(path),
            "raw_path": self.address(path).encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"upbridge.example")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        statuses = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        [status] = statuses
        return int(status)


class Sender:
    """A body without end, until the connection is cut; with *slow* it stops after its first bytes."""

    def __init__(self, *, slow: bool = False) -> None:
        self.taken = 0
        self.slow = slow

    async def __call__(self) -> Message:
        await asyncio.sleep(0)
        if self.slow and self.taken:
            await asyncio.Event().wait()
        if self.taken > CONNECTION.request_bytes:
            return {"type": "http.disconnect"}
        self.taken += _CHUNK
        return {"type": "http.request", "body": b"a" * _CHUNK if not self.slow else b"a", "more_body": True}


@pytest.fixture
async def visit(site: Site) -> Visit:
    """With an open session, and the addresses of a shop."""
    container: WebContainer = site.app.state.container
    ticket = httpx.URL(await container.pages.ticket_address(site.shop_id, "en")).path
    home = (await site.client.get(ticket)).headers["location"]
    return Visit(
        site.app,
        {
            "session": home.split("/")[3],
            "upgates": site.addresses.token(site.shop_id, "upgates", "Orders.create"),
            "uphance": site.addresses.token(site.shop_id, "uphance", ANY_EVENT),
            "system": "upp",
            "name": "pages.css",
            "ticket": "x",
            "rest:path": "nowhere",
            "rest": "nowhere",
        },
    )


async def test_no_route_takes_more_bytes_than_its_bounds_say(visit: Visit) -> None:
    told = 0
    for method, path in routes():
        sender, bounds = Sender(), bounds_of(method, path)
        status = await visit.call(method, path.replace("rest:path", "rest"), sender)

        assert status < 500 or status == 503, (method, path)
        if path not in _LISTENS:
            assert sender.taken <= (0 if bounds is None else bounds.bytes + _CHUNK), (method, path)
        told += status == 413

    assert told > 10, "the bounds that were reached"


async def test_no_route_waits_for_a_body_for_ever(visit: Visit) -> None:
    waiting = [
        (method, path, visit.call(method, path, Sender(slow=True)))
        for method, path in routes()
        if bounds_of(method, path) is not None
    ]
    statuses = await asyncio.gather(*(call for _, _, call in waiting))

    late = [(path, status) for (_, path, _), status in zip(waiting, statuses, strict=True) if status != 408]
    # These answer before they read: the page does not know the system, or nothing else is left to say.
    assert not late, late


@pytest.mark.parametrize(
    "path",
    [
        *("/addon/install", "/addon/open", "/addon/uninstall", "/addon/version"),
        *("/webhooks/upgates/Orders.create/{upgates}", "/webhooks/uphance/{uphance}"),
    ],
)
@pytest.mark.parametrize("beyond", ["depth", "digits", "values"])
async def test_json_beyond_a_bound_is_refused(site: Site, visit: Visit, path: str, beyond: str) -> None:
    bounds = bounds_of("POST", path)
    assert bounds is not None
    body = {
        "depth": b'{"orders": ' + b"[" * bounds.depth + b"]" * bounds.depth + b"}",
        "digits": b'{"orders": [{"order_number": ' + b"9" * (bounds.digits + 1) + b"}]}",
        "values": json.dumps({"orders": [0] * bounds.values}).encode(),
    }[beyond]

    answer = await site.client.post(path.format(**visit.filled), content=body)

    assert answer.status_code in {400, 413}
    assert "signature" not in answer.text, "it was refused for its shape"


async def test_a_form_with_more_fields_than_a_page_has_is_refused(site: Site, visit: Visit) -> None:
    answer = await site.client.post(
        "/ui/s/{session}/rules".format(**visit.filled), content="&".join("a=1" for _ in range(FORM.values + 1))
    )

    assert answer.status_code == 400
