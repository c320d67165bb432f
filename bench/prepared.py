"""An outside without limits: what the simulated Upgates and Upp.ai answer, made beforehand and then played back.

The simulated systems are Python and would share the processors with what is measured. So a catalogue is taken
from them once, page by page, through their own applications and with their own rules; it is repeated under other
ids, codes and EANs until it is as large as asked for, and kept as bytes. While the clock runs, a page of any size
costs putting its products one after the other. What is sent to Upp.ai is kept as it came and counted afterwards.

    python -m bench.prepared PORT VARIANTS

prints one line of JSON when it is ready: the pages, the products and the variants that there are to read.
"""

import asyncio
import base64
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from upbridge_sandbox.seed.plan import Plan, open_shop
from upbridge_sandbox.server import build
from upbridge_sandbox.state import Addresses, State

#: A page of what is on sale, as the first import asks for it; the pages of a walk overlap, so their sizes differ.
PRODUCTS = "/api/v2/products?active_yn=true&archived_yn=false&page={}&current_page_items=100"
_FACTS = ("status", "owner", "languages", "pricelists", "config", "order-statuses", "shipments", "payments")

#: The catalogue that is repeated, in products, and how far apart the ids of its copies are.
_PATTERN, _APART = 3_000, 1_000_000
_PAGE = 100
_NO_ORDERS = (
    b'{"current_page": 1, "current_page_items": 0, "number_of_pages": 0, "number_of_items": 0, "orders": []}'
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Every answer: the lists of facts by their addresses, and the products, one after the other, as JSON."""

    facts: Mapping[str, bytes]
    products: Sequence[bytes]
    variants: int

    def page(self, number: int, size: int) -> bytes:
        """The page *number* of the products, *size* of them."""
        shown = self.products[(number - 1) * size : number * size]
        head = {
            "current_page": number,
            "current_page_items": len(shown),
            "number_of_pages": self.pages(size),
            "number_of_items": len(self.products),
        }
        return b'%b, "products": [%b]}' % (json.dumps(head).encode()[:-1], b", ".join(shown))

    def pages(self, size: int = _PAGE) -> int:
        """How many pages of *size* there are."""
        return -(-len(self.products) // size)

    def as_json(self) -> dict[str, int]:
        """What there is to read."""
        return {
            "pages": self.pages(),
            "products": len(self.products),
            "variants": self.variants,
            "bytes": sum(map(len, self.products)),
        }


async def prepare(variants: int) -> Prepared:
    """Every answer: at least as many *variants*."""
    world = State("bench", None)
    world.addresses = Addresses("", "", "", "", "", "")
    shop = open_shop(world, Plan(products=min(_PATTERN, variants), orders=0))
    access = shop.new_access()
    shop.adopt(access, world.now())
    _machinery, (_admin, upgates, *_others) = build(world)
    login = base64.b64encode(f"{access.user}:{access.key}".encode()).decode()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(upgates),
        base_url="http://upgates",
        headers={"Authorization": f"Basic {login}", "Accept": "application/json"},
    ) as client:

        async def take(address: str) -> bytes:
            return (await client.get(address)).raise_for_status().content

        facts = {f"/api/v2/{name}": await take(f"/api/v2/{name}") for name in _FACTS}
        first = await take(PRODUCTS.format(1))
        numbers = range(2, json.loads(first)["number_of_pages"] + 1)
        pattern = [first, *[await take(PRODUCTS.format(number)) for number in numbers]]
    products: list[bytes] = []
    taken = there = 0
    while there < variants:
        copy, place = divmod(taken, len(pattern))
        taken += 1
        more = [_again(product, copy) for product in json.loads(pattern[place])["products"]]
        there += sum(map(sellable, more))
        products += [json.dumps(product, ensure_ascii=False).encode() for product in more]
    return Prepared(facts, products, there)


def sellable(product: Any) -> int:
    """How many variants a product of the API is: itself, if it has none."""
    return max(len(product["variants"]), 1)


def _again(product: Any, copy: int) -> Any:
    """*product* as another one: its own ids, codes and EANs, all else the same."""
    for one in (product, *product["variants"]):
        for name in ("product_id", "variant_id"):
            if name in one:
                one[name] += copy * _APART
        for name in ("code", "product_code"):
            if one.get(name) is not None:
                one[name] += f"-{copy}"
        if one.get("ean") is not None:
            one["ean"] = f"{copy:03}{one['ean']}"
    return product


def player(prepared: Prepared) -> Starlette:
    """The application: Upgates below /api/v2, Upp.ai beside it, and what was sent to it at /sent."""
    sent: list[bytes] = []

    async def upgates(request: Request) -> Response:
        path, asked = request.url.path, request.query_params
        if path.endswith("/orders"):
            body = _NO_ORDERS
        elif path.endswith("/products"):
            body = prepared.page(int(asked["page"]), int(asked["current_page_items"]))
        else:
            body = prepared.facts[path]
        return Response(body, media_type="application/json")

    async def token(_request: Request) -> Response:
        return JSONResponse({"access_token": "prepared", "token_type": "bearer", "expires_in": 86400})

    async def ingest(request: Request) -> Response:
        sent.append(await request.body())
        return JSONResponse({}, 202)

    async def count(_request: Request) -> Response:
        keys = [item["externalProductId"] for body in sent for item in json.loads(body)["products"]]
        return JSONResponse({"calls": len(sent), "items": len(keys), "different": len(set(keys))})

    async def forget(_request: Request) -> Response:
        sent.clear()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/api/v2/{path:path}", upgates, methods=["GET"]),
            Route("/auth/oauth/token", token, methods=["POST"]),
            Route("/ingest/bulk", ingest, methods=["POST"]),
            Route("/sent", count, methods=["GET"]),
            Route("/sent", forget, methods=["DELETE"]),
        ]
    )


class _Server(uvicorn.Server):
    """Says what there is to read as soon as it listens."""

    def __init__(self, config: uvicorn.Config, there: dict[str, int]) -> None:
        super().__init__(config)
        self._there = there

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(json.dumps(self._there) + "\n")
        sys.stdout.flush()


def main(port: int, variants: int) -> None:
    """Prepare, say so, play."""
    prepared = asyncio.run(prepare(variants))
    config = uvicorn.Config(player(prepared), port=port, access_log=False, log_level="warning", lifespan="off")
    _Server(config, prepared.as_json()).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
