"""The connections of a process to other systems: so many for each of them.

One pool for all would be full of the connections to a system that hangs, and calls to the others would wait for
theirs. Each call names its system in the request's extensions (`SYSTEM`); a shop's API and the key's address count
as the platform.
"""

import ssl
from functools import cached_property

import httpx

SYSTEM = "system"
"""The extension of a request that names the system that it is for."""
CONNECTIONS = 50
"""To one system at once. A call that finds none free waits up to its deadline."""
_KEPT = 20


_LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=_KEPT)


class PoolPerSystem(httpx.AsyncBaseTransport):
    """Sends each request through the pool of the system that it is for."""

    def __init__(self) -> None:
        self._pools: dict[str, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; raises what the transport raises."""
        system = request.extensions.get(SYSTEM, "")
        pool = self._pools.get(system)
        if pool is None:
            pool = self._pools[system] = httpx.AsyncHTTPTransport(verify=self._trusted, limits=_LIMITS)
        return await pool.handle_async_request(request)

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """Whom all of them trust: a hundred authorities, which take 0.7 MB."""
        return httpx.create_ssl_context()

    async def aclose(self) -> None:
        """Close all pools."""
        for pool in self._pools.values():
            await pool.aclose()
