"""/webhooks: the add-on's subscriptions. They belong to its API user and die with it."""

from urllib.parse import urlsplit

from starlette.responses import Response

from upbridge_sandbox.door import Call, answer
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.shop import Shop, Webhook
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.lists import Filters, complaint

ENTITIES = {
    "Orders": "orders",
    "OrderStatuses": "order-statuses",
    "Products": "products",
    "Labels": "labels",
    "Categories": "categories",
    "Customers": "customers",
    "Shipments": "shipments",
    "Payments": "payments",
    "Pricelists": "pricelists",
    "Languages": "languages",
    "Invoices": "invoices",
    "Availabilities": "availabilities",
}
EVENTS = {
    f"{entity}.{verb}": service for entity, service in ENTITIES.items() for verb in ("create", "update", "delete")
}


def may(shop: Shop, event: str) -> bool:
    """Whether the API user has the right to the event's entity."""
    return shop.rights.get(EVENTS.get(event, ""), "deny") != "deny"


class Subscriptions:
    """The webhook endpoints."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def list(self, call: Call) -> Response:
        """GET /webhooks and GET /webhooks/{id}."""
        hooks = self.state.shops[call.shop].webhooks
        wanted = call.params.get("id")
        return answer({"webhooks": [hook.as_json() for hook in hooks.values() if wanted in (None, str(hook.id))]})

    async def events(self, call: Call) -> Response:
        """GET /webhooks/events: what can be subscribed, and whether this API user may."""
        shop = self.state.shops[call.shop]
        rows = [{"name": event, "allowed_yn": "1" if may(shop, event) else "0"} for event in EVENTS]
        return answer({"events": rows})

    async def create(self, call: Call) -> Response:
        """POST /webhooks."""
        shop, body = self.state.shops[call.shop], call.json()
        if wrong := self._wrong(shop, body, ("name", "url", "event")):
            return self._refuse(call, wrong)
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
        return answer({"webhook": hook.as_json(short=True)})

    async def update(self, call: Call) -> Response:
        """PUT /webhooks: one object, paired by id."""
        shop, body = self.state.shops[call.shop], call.json()
        hook = shop.webhooks.get(body.get("id"))
        if hook is None:
            return answer({"messages": [complaint("Webhook not found", name="id")]}, 404)
        named = tuple(name for name in ("name", "url", "event") if name in body)
        if wrong := self._wrong(shop, body, named):
            return self._refuse(call, wrong)
        hook.name = str(body.get("name", hook.name))
        hook.url = body.get("url", hook.url)
        hook.event = body.get("event", hook.event)
        hook.active_yn = bool(body.get("active_yn", hook.active_yn))
        return answer({"webhook": hook.as_json(short=True)})

    async def delete(self, call: Call) -> Response:
        """DELETE /webhooks/{id} and DELETE /webhooks?ids=1;2."""
        shop, filters = self.state.shops[call.shop], Filters(call, self.state.ledger)
        wanted = filters.several("ids") or []
        single = call.params.get("id") or call.last("id")
        if single is not None:
            wanted = [single, *wanted]
        rows: list[Json] = []
        for value in wanted:
            hook = shop.webhooks.pop(int(value), None) if value.isdigit() else None
            messages = [] if hook else [{"code": "404", "messages": [complaint("Webhook not found", name="id")]}]
            rows.append(
                {"id": int(value) if value.isdigit() else 0, "deleted": hook is not None, "messages": messages}
            )
        return answer({"webhooks": rows})

    def _wrong(self, shop: Shop, body: Json, names: tuple[str, ...]) -> str:
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

    def _refuse(self, call: Call, why: str) -> Response:
        self.state.ledger.violation("upgates", "bad-body", call.line, why)
        return answer({"messages": [complaint(why, thing="webhook")]}, 400)
