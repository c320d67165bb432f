"""The way to the simulated Uphance."""

import httpx

BASE = "http://uphance.test"


class Cable(httpx.ASGITransport):
    """The way to the sandbox; a cut is what it would be on a real network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except ConnectionAbortedError as cut:
            raise httpx.ReadError("cut") from cut
