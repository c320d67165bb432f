"""A stand-in for Uphance that costs nothing: every token has one organisation with the same few products.

    python -m bench.organisations PORT

answers /calls with how often each token asked for what; DELETE /calls forgets it.
"""

import json
import sys
from collections import Counter

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_PRODUCTS = 20


def _catalogue() -> bytes:
    products = [
        {
            "id": number,
            "name": f"Product {number}",
            "product_variations": [
                {
                    "id": 100 + number,
                    "skus": [
                        {"id": 1000 + number, "sku_number": f"S{number}", "in_stock": 5, "available_to_sell": 5}
                    ],
                }
            ],
        }
        for number in range(1, _PRODUCTS + 1)
    ]
    meta = {"current_page": 1, "next_page": None, "prev_page": None, "total_pages": 1, "total_count": _PRODUCTS}
    return json.dumps({"products": products, "meta": meta}).encode()


def outside() -> Starlette:
    """The application."""
    calls: Counter[str] = Counter()
    catalogue = _catalogue()

    def note(request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        calls[f"{token} {request.method} {request.url.path}"] += 1

    async def choose(request: Request) -> Response:
        note(request)
        return JSONResponse({"Status": "Updated"}, 201)

    async def products(request: Request) -> Response:
        note(request)
        return Response(catalogue, media_type="application/json")

    async def nothing(request: Request) -> Response:
        note(request)
        name = request.url.path.removeprefix("/")
        meta = {"current_page": 1, "next_page": None, "total_pages": 1, "total_count": 0}
        return JSONResponse({name: [], "meta": meta})

    async def told(_request: Request) -> Response:
        return JSONResponse(dict(calls))

    async def forget(_request: Request) -> Response:
        calls.clear()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/organisations/set_current_org", choose, methods=["POST"]),
            Route("/products", products, methods=["GET"]),
            Route("/calls", told, methods=["GET"]),
            Route("/calls", forget, methods=["DELETE"]),
            Route("/{name}", nothing, methods=["GET"]),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(outside(), port=int(sys.argv[1]), access_log=False, log_level="warning", lifespan="off")
