"""What Upgates does to the add-on itself: activate, open, deactivate, move to a new version. Signed calls.

https://www.upgates.com/a/api-dokumentace-aktivace-doplnku, /a/opening-the-add-on, /a/deactivating-an-add-on.
The version call is not published; it is signed like an opening, or like an activation when it carries new access.
"""

from datetime import timedelta
from typing import Any

import httpx

from upbridge_sandbox.background import BackgroundCalls
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.shop import RIGHTS, Shop
from upbridge_sandbox.signing import INSTALL, SHORT
from upbridge_sandbox.state import State

INSTALL_SECONDS = 5.0
OTHER_SECONDS = 30.0


class NoAddon(Exception):
    """The sandbox was started without the add-on's address."""

    def __str__(self) -> str:
        """What the answer says."""
        return "the sandbox was started without the add-on's address"


class Marketplace(BackgroundCalls):
    """The four calls; each waits for its answer as long as is published."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    async def activate(self, shop: Shop, *, version: int | None = None, overrides: Json | None = None) -> Json:
        """Install the add-on with fresh credentials, or install it again over an active one (R14).

        The activation fails unless the answer is 200 with a valid body within five seconds; then, and where the
        add-on says `error`, the new credentials are deleted and an earlier activation stays as it was.
        """
        assert self.state.addresses is not None
        previous, access = shop.access, shop.new_access()
        if previous is None:
            shop.access = access
        else:
            shop.former[access.user] = access
            shop.access, shop.former[previous.user] = access, previous
        if version is not None:
            shop.version = version
        if previous is None:
            shop.rights = dict(RIGHTS)
        body: Json = {
            "token": shop.token,
            "version": shop.version,
            "apiUser": access.user,
            "apiKey": access.key,
            "apiUrl": self.state.api_url(shop),
            "current_admin_language": shop.language,
            "time": moment(self.state.now()),
        }
        result = await self._call(shop, "install", body, INSTALL, seconds=INSTALL_SECONDS, overrides=overrides)
        good, answer = result["status"] == 200, result["answer"]  # noqa: PLR2004
        valid = good and isinstance(answer, dict) and answer.get("error") in (True, False, 0, 1)
        if result["timed_out"]:
            self.state.call_log.violation("addon", "late-install-answer", "POST /addon/install", shop.name)
        elif good and (not valid or (answer["error"] and not answer.get("message"))):
            self.state.call_log.violation("addon", "bad-install-answer", "POST /addon/install", shop.name)
        result["activated"] = bool(valid and not answer["error"])
        self._after_install(shop, access.user, previous.user if previous else None, activated=result["activated"])
        return result

    def _after_install(self, shop: Shop, new: str, old: str | None, *, activated: bool) -> None:
        shop.former.pop(new, None)
        now = self.state.now()
        if activated:
            shop.active = True
            if old is not None:
                former = shop.former[old]
                former.gone, former.forgiven_until = "replaced", now + timedelta(seconds=5)
            return
        if old is not None:
            shop.access = shop.former.pop(old)
        else:
            shop.access = None

    async def open(self, shop: Shop, *, overrides: Json | None = None) -> Json:
        """Open the add-on; its answer is what the administration would frame (R17, R18)."""
        body: Json = {
            "token": shop.token,
            "current_admin_language": shop.language,
            "version": shop.version,
            "time": moment(self.state.now()),
        }
        result = await self._call(shop, "open", body, SHORT, overrides=overrides)
        answer = result["answer"]
        valid = (
            result["status"] == 200  # noqa: PLR2004
            and isinstance(answer, dict)
            and isinstance(answer.get("url"), str)
            and answer["url"].startswith(("https://", "http://"))
            and answer.get("type") in ("iframe", "redirect")
        )
        if shop.active and not valid and not overrides:
            self.state.call_log.violation("addon", "bad-open-answer", "POST /addon/open", shop.name)
        result["opened"] = valid
        shop.frame = answer if valid else None
        return result

    async def deactivate(self, shop: Shop, *, overrides: Json | None = None, silent: bool = False) -> Json:
        """Delete the API user with its webhooks, then call the add-on; its answer does not matter (R28, R29)."""
        now = self.state.now()
        former, shop.active = shop.access, False
        shop.retire("deactivated", now, grace=OTHER_SECONDS)
        if silent:
            result: Json = {"status": 0, "answer": None, "seconds": 0.0, "timed_out": False}
        else:
            body = {"token": shop.token, "version": shop.version, "time": moment(now)}
            result = await self._call(shop, "uninstall", body, SHORT, overrides=overrides)
        if former is not None:
            former.forgiven_until = self.state.now() + timedelta(seconds=1)
        return result

    async def change_version(self, shop: Shop, version: int, *, new_access: bool = False) -> Json:
        """Tell the add-on that this shop moves to another version of it (R31)."""
        assert self.state.addresses is not None
        shop.version = version
        body: Json = {"token": shop.token, "version": version, "time": moment(self.state.now())}
        names: tuple[str, ...] = SHORT
        if new_access and shop.access is not None:
            access = shop.new_access()
            hooks = dict(shop.webhooks)
            shop.adopt(access, self.state.now())
            shop.webhooks = hooks
            url = self.state.api_url(shop)
            body.update(apiUser=access.user, apiKey=access.key, apiUrl=url)
            names = INSTALL
        return await self._call(shop, "version", body, names)

    def change_rights(self, shop: Shop, rights: dict[str, str]) -> None:
        """Change the API user's rights: its webhooks are deactivated by that (add-on documentation, webhooks)."""
        shop.rights.update(rights)
        for hook in shop.webhooks.values():
            hook.active_yn = False

    async def _call(
        self,
        shop: Shop,
        endpoint: str,
        body: Json,
        names: tuple[str, ...],
        *,
        seconds: float = OTHER_SECONDS,
        overrides: Json | None = None,
    ) -> Json:
        """One signed call. *overrides* replace values after signing, `sign` ones before."""
        if self.state.addon_url is None:
            raise NoAddon
        overrides = dict(overrides or {})
        body.update(overrides.pop("sign", {}))
        body["signature_v2"] = self.state.signer.sign(body, names, self.state.signature_token)
        body.update(overrides)
        answered = await self.post(
            f"{self.state.addon_url}/addon/{endpoint}",
            within=seconds,
            json=body,
            headers={"Accept-Encoding": "deflate, gzip, br, zstd"},
        )
        answer = _json_or_text(answered.response) if answered.response is not None else answered.error or None
        result = {
            "call": endpoint,
            "status": answered.status,
            "answer": answer,
            "seconds": answered.seconds,
            "timed_out": answered.timed_out,
        }
        shop.log.append({"at": self.state.now().isoformat(), **result, "answer": _shown(answer)})
        return result


def _json_or_text(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:500]


def _shown(answer: Any) -> Any:
    """The answer for the log: without the one-time ticket of an opening."""
    if isinstance(answer, dict) and isinstance(answer.get("url"), str):
        return {**answer, "url": answer["url"].partition("?")[0].rpartition("/")[0] + "/…"}
    return answer
