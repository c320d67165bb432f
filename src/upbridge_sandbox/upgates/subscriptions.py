"""/webhooks: the add-on's subscriptions. They belong to its API user and die with it."""

import re
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.shop import Shop, Webhook
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.lists import complaint

ENTITIES = (
    *("Orders", "OrderStatuses", "Products", "Labels", "Categories", "Customers", "Shipments", "Payments"),
    *("Pricelists", "Languages", "Invoices", "Availabilities"),
)
#: event -> the service whose right decides about it
EVENTS = {
    f"{entity}.{verb}": re.sub(r"(?<=[a-z])(?=[A-Z])", "-", entity).lower()
    for entity in ENTITIES
    for verb in ("create", "update", "delete")
}
NAMED = ("name", "url", "event")


def may(shop: Shop, event: str) -> bool:
    """Whether the API user has the right to the event's entity."""
    return shop.rights.get(EVENTS.get(event, ""), "deny") != "deny"


class Subscriptions:
    """The webhook operations."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def list(self, _call: Call, shop: Shop) -> Json:
        """All subscriptions."""
        return {"webhooks": [hook.as_json() for hook in shop.webhooks.values()]}

    async def events(self, _call: Call, shop: Shop) -> Json:
        """What can be subscribed, and whether this API user may."""
        return {"events": [{"name": event, "allowed_yn": "1" if may(shop, event) else "0"} for event in EVENTS]}

    async def create(self, call: Call, shop: Shop) -> Any:
        """A new subscription."""
        body = call.document()
        if wrong := _wrong(shop, body, NAMED):
            return _refuse(call, wrong)
        hook = Webhook(
            id=shop.next_webhook,
            name=str(body["name"]),
            url=body["url"],
            event=body["event"],
            active_yn=bool(body.get("active_yn", True)),
            creation_time=moment(self.state.now()),
        )
        shop.next_webhook += 1
        shop.webhooks[hook.id] = hook
        return {"webhook": hook.as_json(short=True)}

    async def update(self, call: Call, shop: Shop) -> Any:
        """One object, paired by id."""
        body = call.document()
        hook = shop.webhooks.get(body.get("id"))
        if hook is None:
            return JSONResponse({"messages": [complaint("Webhook not found", name="id")]}, 404)
        if wrong := _wrong(shop, body, tuple(name for name in NAMED if name in body)):
            return _refuse(call, wrong)
        hook.name = str(body.get("name", hook.name))
        hook.url = body.get("url", hook.url)
        hook.event = body.get("event", hook.event)
        hook.active_yn = bool(body.get("active_yn", hook.active_yn))
        return {"webhook": hook.as_json(short=True)}

    async def delete(self, call: Call, shop: Shop) -> Json:
        """The subscription with this id."""
        wanted = call.path_params["id"]
        number = int(wanted) if wanted.isdigit() else 0
        hook = shop.webhooks.pop(number, None)
        messages = [] if hook else [{"code": "404", "messages": [complaint("Webhook not found", name="id")]}]
        return {"webhooks": [{"id": number, "deleted": hook is not None, "messages": messages}]}


def _wrong(shop: Shop, body: Json, names: tuple[str, ...]) -> str:
    """What is wrong with the fields *names* of *body*; empty if nothing is."""
    for name in names:
        if not isinstance(body.get(name), str) or not body[name]:
            return f"{name} is required"
    if "url" in names:
        url = urlsplit(body["url"])
        if url.scheme not in ("http", "https") or not url.hostname:
            return "url is not absolute"
    if "event" in names and body["event"] not in EVENTS:
        return "event is unknown"
    if "event" in names and not may(shop, body["event"]):
        return "the API user has no right to the entity of the event"
    return ""


def _refuse(call: Call, why: str) -> Response:
    call.violation("bad-body", why)
    return JSONResponse({"messages": [complaint(why, thing="webhook")]}, 400)
