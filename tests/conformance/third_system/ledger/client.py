"""The calls to Ledger: `PUT /<kind>s/<key>`, with the key of the account. Repeating one is safe."""

from http import HTTPStatus

import httpx

from upbridge.core.errors import LoginRefused, Rejected, Unreachable


class LedgerClient:
    """Speaks to Ledger for one account. Methods raise `LoginRefused`, `Rejected` or `Unreachable`."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, key: str) -> None:
        self._http = http
        self._base = base_url
        self._key = key

    async def test(self) -> None:
        """Ask who the account is."""
        await self._call("GET", "/account")

    async def put(self, kind: str, key: str, body: bytes) -> None:
        """Write one thing."""
        await self._call("PUT", f"/{kind}s/{key}", body)

    async def _call(self, method: str, path: str, body: bytes | None = None) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            response = await self._http.request(method, self._base + path, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable(f"Ledger {path}: {type(error).__name__}") from error
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise LoginRefused("Ledger refused the key")
        if response.is_server_error:
            raise Unreachable(f"Ledger {path}: {response.status_code}")
        if response.is_client_error:
            raise Rejected(response.text, status=response.status_code)
