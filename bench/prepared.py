"""An outside without limits: what the simulated Upgates and Upp.ai answer, made beforehand and then played back.

The simulated systems are Python and would share the processors with what is measured. So a catalogue is taken
from them once, page by page, through their own applications and with their own rules; it is repeated under other
ids, codes and EANs until it is as large as asked for, and kept as bytes. While the clock runs, a page costs a
look into a dictionary. What is sent to Upp.ai is kept as it came and counted afterwards.

    python -m bench.prepared PORT VARIANTS

prints one line of JSON when it is ready: the pages, the products and the variants that there are to read.
"""

import asyncio
import base64
import json
import socket
import sys
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

#: As the first import asks (`engine/readers.py`); an answer that was not prepared is a 404, and the bench fails.
PRODUCTS = "/api/v2/products?active_yn=true&archived_yn=false&page={}&current_page_items=100"
_FACTS = ("status", "owner", "languages", "pricelists", "config", "order-statuses")

#: The catalogue that is repeated, in products, and how far apart the ids of its copies are.
_PATTERN, _APART = 3_000, 1_000_000
_NO_ORDERS = (
    b'{"current_page": 1, "current_page_items": 0, "number_of_pages": 0, "number_of_items": 0, "orders": []}'
)


async def prepare(variants: int) -> tuple[dict[str, bytes], dict[str, int]]:
    """Every answer by its address, and what there is to read: at least as many *variants*."""
    world = State("bench", None)
    world.addresses = Addresses("", "", "", "", "", "")
    shop = open_shop(world, Plan(products=min(_PATTERN, variants), orders=0))
    access = shop.new_access()
    shop.adopt(access, world.now())
    _machinery, (_admin, upgates, *_others) = build(world)
    login = base64.b64encode(f"{access.user}:{access.key}".encode()).decode()
    answers: dict[str, bytes] = {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(upgates),
        base_url="http://upgates",
        headers={"Authorization": f"Basic {login}", "Accept": "application/json"},
    ) as client:

        async def take(address: str) -> bytes:
            return (await client.get(address)).raise_for_status().content

        for name in _FACTS:
            answers[f"/api/v2/{name}"] = await take(f"/api/v2/{name}")
        first = await take(PRODUCTS.format(1))
        numbers = range(2, json.loads(first)["number_of_pages"] + 1)
        pattern = [first, *[await take(PRODUCTS.format(number)) for number in numbers]]
    pages: list[list[Any]] = []
    there = 0
    while there < variants:
        copy, place = divmod(len(pages), len(pattern))
        products = [_again(product, copy) for product in json.loads(pattern[place])["products"]]
        there += sum(map(sellable, products))
        pages.append(products)
    number_of_items = sum(map(len, pages))
    for number, products in enumerate(pages, start=1):
        page = {
            "current_page": number,
            "current_page_items": len(products),
            "number_of_pages": len(pages),
            "number_of_items": number_of_items,
            "products": products,
        }
        answers[PRODUCTS.format(number)] = json.dumps(page, ensure_ascii=False).encode()
    size = sum(map(len, answers.values()))
    return answers, {"pages": len(pages), "products": number_of_items, "variants": there, "bytes": size}


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


def player(answers: dict[str, bytes]) -> Starlette:
    """The application: Upgates below /api/v2, Upp.ai beside it, and what was sent to it at /sent."""
    sent: list[bytes] = []

    async def upgates(request: Request) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        body = _NO_ORDERS if request.url.path.endswith("/orders") else answers.get(path)
        if body is None:
            return JSONResponse({"error": "not prepared"}, 404)
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
    answers, there = asyncio.run(prepare(variants))
    config = uvicorn.Config(player(answers), port=port, access_log=False, log_level="warning", lifespan="off")
    _Server(config, there).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
