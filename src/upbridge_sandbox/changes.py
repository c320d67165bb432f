"""Every change of a shop goes through here: the data, its time, its old versions, and the announcement."""

import copy
import json
import random
from datetime import datetime, timedelta
from typing import Any, Protocol

from upbridge_sandbox.seed.formats import MARKETS, PRICELISTS, Json, moment
from upbridge_sandbox.seed.order_totals import reprice
from upbridge_sandbox.seed.orders import CANCELED, PAID, RECEIVED, SENT, WORKING
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.shop_facts import Choice, Status, renamed
from upbridge_sandbox.state import State

_MINUTE = timedelta(minutes=1)


def _require_showable(entity: Json, *, named: str) -> None:
    """Raise ValueError where *entity* cannot stand in an answer, or has no name that could be asked for: kept, it
    would break every list that it stands in."""
    if type(entity.get(named)) not in (int, str) or entity[named] == "":
        raise ValueError(f"{named} is a text or a whole number")
    try:
        json.dumps(copy.deepcopy(entity), ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class Announces(Protocol):
    """Sends webhooks to the add-on; a test may only remember them."""

    def announce(self, shop: Shop, event: str, key: str, body: Json, *, array: str = "") -> None:
        """Announce that the item *key* changed; *array* is where *body* stands in the webhook."""


class Changes:
    """What can be done to a shop's products and orders."""

    def __init__(self, state: State, announcer: Announces) -> None:
        self.state = state
        self.announcer = announcer

    def edit_product(self, shop: Shop, product: Json, variant: Json | None, values: dict[str, Any]) -> None:
        """Change fields of a product or of one of its variants."""
        self._keep_before(shop, product)
        (product if variant is None else variant).update(values)
        product["variants_stock"] = sum(item["stock"] or 0 for item in product["variants"])
        self._product_changed(shop, product)

    def price_product(self, shop: Shop, product: Json, percent: int) -> None:
        """Raise or lower all prices of a product and of its variants by *percent*."""
        self._keep_before(shop, product)
        for source in (product, *product["variants"]):
            for row in source["prices"]:
                for entry in row["pricelists"]:
                    for name in ("price_original", "price_sale", "price_with_vat", "price_without_vat"):
                        if entry[name] is not None:
                            entry[name] = round(entry[name] * (100 + percent) / 100, 2)
        self._product_changed(shop, product)

    def rename_product(self, shop: Shop, product: Json, language: str, title: str) -> None:
        """Change a product's title in one language."""
        self._keep_before(shop, product)
        for text in product["descriptions"]:
            if text["language"] == language:
                text["title"] = title
        self._product_changed(shop, product)

    def create_product(self, shop: Shop) -> Json:
        """A new product."""
        index = max(shop.goods.products, default=0) - 40
        product = shop.product_factory.product(index, shop.goods)
        now = moment(self.state.now())
        product.update(creation_time=now, last_update_time=now)
        for pricelist, (name, _) in zip(shop.facts.pricelists, PRICELISTS, strict=False):
            renamed([product], name, pricelist.name)
        return self._announced(shop, "create", product, "creation_time")

    def take_product(self, shop: Shop, product: Json) -> Json:
        """A product exactly as an API once showed it, e.g. a captured answer. Its times may be left out. Raises
        ValueError for one that no API could show."""
        _require_showable(product, named="product_id")
        for time in ("creation_time", "last_update_time"):
            product.setdefault(time, moment(self.state.now()))
        shop.goods.products[product["product_id"]] = product
        return self._announced(shop, "create", product, "creation_time")

    def delete_product(self, shop: Shop, product: Json) -> None:
        """Remove a product with its variants; only the webhook says so, no list does."""
        del shop.goods.products[product["product_id"]]
        shop.deleted_products[product["product_id"]] = product
        now = moment(self.state.now())
        for variant in product["variants"]:
            body = {"variant_id": variant["variant_id"], "code": variant["code"], "deletion_time": now}
            key = f"v{variant['variant_id']}"
            self.announcer.announce(shop, "Products.delete", key, body, array="variants")
        body = {"product_id": product["product_id"], "code": product["code"], "deletion_time": now}
        self.announcer.announce(shop, "Products.delete", str(product["product_id"]), body)

    def _keep_before(self, shop: Shop, product: Json) -> None:
        self._may_show(shop, str(product["product_id"]), product)

    def _may_show(self, shop: Shop, key: str, before: Json) -> None:
        """The next look at what changes now may show it as it was *before*, if that is older than a minute: what
        is younger cannot be told from the newest."""
        changed = datetime.fromisoformat(before["last_update_time"])
        if self.state.now() - changed > _MINUTE and shop.faults.happens(
            "stale", self.state.rng.of(f"stale-{shop.name}")
        ):
            shop.before[key] = copy.deepcopy(before)

    def _product_changed(self, shop: Shop, product: Json) -> None:
        product["last_update_time"] = moment(self.state.now())
        self._announced(shop, "update", product, "last_update_time")

    def _announced(self, shop: Shop, verb: str, product: Json, time: str) -> Json:
        body = {name: product[name] for name in ("product_id", "code", time)}
        self._announce(shop, f"Products.{verb}", str(product["product_id"]), body)
        return product

    def _announce(self, shop: Shop, event: str, key: str, body: Json) -> None:
        """Announce what is still there; the next look at it may come too soon."""
        if shop.faults.happens("lag", self.state.rng.of(f"lag-{shop.name}")):
            shop.unseen.add(key)
        self.announcer.announce(shop, event, key, body)

    def create_order(self, shop: Shop, *, broken: str = "") -> Json:
        """A new order from the shop's front end."""
        shop.order_factory.now = self.state.now()
        order = shop.order_factory.order(age=timedelta(0), fresh=True, broken=broken)
        if broken:
            shop.broken[order["order_number"]] = broken
        return self._placed(shop, order)

    def take_order(self, shop: Shop, order: Json) -> Json:
        """An order exactly as an API once showed it, placed now. The name of its status may be left out. Raises
        ValueError for one that no API could show."""
        _require_showable(order, named="order_number")
        named = shop.facts.status_name(order.setdefault("status_id", None), str(order.get("language_id")))
        order.setdefault("status", named)
        order["creation_time"] = order["last_update_time"] = moment(self.state.now())
        return self._placed(shop, order)

    def _placed(self, shop: Shop, order: Json) -> Json:
        shop.orders[order["order_number"]] = order
        shop.keep_version(order)
        self._announce_order(shop, "create", order, "creation_time")
        return order

    def edit_order(self, shop: Shop, order: Json, values: dict[str, Any]) -> None:
        """Change fields of an order; the status' name follows its id."""
        order.update(values)
        if "status_id" in values:
            order["status"] = shop.facts.status_name(order["status_id"], str(order.get("language_id")))
        self._order_changed(shop, order)

    def edit_order_line(self, shop: Shop, order: Json, quantity: int) -> None:
        """Change the quantity of an order's first line, and its totals."""
        reprice(order, order["products"][0], quantity)
        self._order_changed(shop, order)

    def delete_order(self, shop: Shop, order: Json) -> None:
        """Delete an order as the administration does: it is hidden, and can be restored."""
        number = order["order_number"]
        shop.deleted_orders[number] = shop.orders.pop(number)
        # Assumption: a deletion moves the time of the last change; Upgates does not say.
        order["last_update_time"] = moment(self.state.now())
        body = {"order_number": number, "deletion_time": moment(self.state.now())}
        self.announcer.announce(shop, "Orders.delete", number, body)

    def restore_order(self, shop: Shop, number: str) -> Json:
        """Bring a deleted order back. Assumption: that is announced as a change; Upgates does not say."""
        order = shop.orders[number] = shop.deleted_orders.pop(number)
        self._order_changed(shop, order)
        return order

    def replace_order(self, shop: Shop, order: Json) -> Json:
        """Delete an order for good and place another one, with a uuid of its own, under its number."""
        number = order["order_number"]
        del shop.orders[number]
        shop.history.pop(number, None)
        shop.order_factory.now = self.state.now()
        other = shop.order_factory.order(age=timedelta(0), fresh=True)
        other["order_number"] = number
        return self._placed(shop, other)

    def renumber_order(self, shop: Shop, order: Json, number: str) -> None:
        """Give an order another number; it stays the order that it was. Assumption: that is announced as a change
        under the new number; Upgates does not say."""
        former, order["order_number"] = order["order_number"], number
        shop.orders[number] = shop.orders.pop(former)
        if former in shop.history:
            shop.history[number] = shop.history.pop(former)
        self._order_changed(shop, order)

    def _order_changed(self, shop: Shop, order: Json) -> None:
        versions = shop.versions.get(order["order_number"], [])
        if versions and versions[-1].get("uuid") == order.get("uuid"):
            self._may_show(shop, order["order_number"], versions[-1])
        shop.touch_order(order, self.state.now())
        self._announce_order(shop, "update", order, "last_update_time")

    def _announce_order(self, shop: Shop, verb: str, order: Json, time: str) -> None:
        body = {name: order[name] for name in ("order_number", time, "status_id", "status")}
        self._announce(shop, f"Orders.{verb}", order["order_number"], body)

    def set_defaults(self, shop: Shop, *, language: str | None = None, pricelist: int | None = None) -> None:
        """Another default language or price list (id). Raises ValueError where the shop has none like it."""
        if language not in (None, *MARKETS) or pricelist not in (None, *(one.id for one in shop.facts.pricelists)):
            raise ValueError("the shop has no such language or price list")
        if language is not None:
            shop.facts.language = language
            self.announcer.announce(shop, "Languages.update", language, {"language_id": language})
        if pricelist is not None:
            shop.facts.pricelist = pricelist
            self.announcer.announce(shop, "Pricelists.update", str(pricelist), {"id": pricelist})

    def rename_pricelist(self, shop: Shop, number: int, name: str) -> None:
        """Another name for a price list: in all products, of which none counts as changed. Raises ValueError."""
        found = next((one for one in shop.facts.pricelists if one.id == number), None)
        if found is None or not name or any(one.name == name for one in shop.facts.pricelists):
            raise ValueError("there is no such price list, or the name is taken")
        renamed([*shop.goods.products.values(), *shop.deleted_products.values()], found.name, name)
        found.name = name
        self.announcer.announce(shop, "Pricelists.update", str(number), {"id": number})

    def add_status(self, shop: Shop, kind: str, name: str) -> int:
        """A new order status of a type; returns its id."""
        number = max(one.id for one in shop.facts.statuses) + 1
        shop.facts.statuses.append(Status(number, kind, "#808080", dict.fromkeys(MARKETS, name)))
        self.announcer.announce(shop, "OrderStatuses.create", str(number), {"id": number})
        return number

    def offer(self, shop: Shop, listed: str, name: str) -> int:
        """A new way to deliver or to pay (*listed*: `shipments`, `payments`): its id. Raises ValueError."""
        choices = shop.facts.choices(listed)
        number = max(one.id for one in choices) + 1
        choices.append(Choice(number, None, "custom", name))
        self.announcer.announce(shop, f"{listed.capitalize()}.create", str(number), {"id": number})
        return number

    def withdraw(self, shop: Shop, listed: str, number: int) -> None:
        """Shoppers may choose this way to deliver or to pay no more. Raises ValueError."""
        found = next((one for one in shop.facts.choices(listed) if one.id == number), None)
        if found is None:
            raise ValueError(f"there is no such thing among the {listed}")
        found.active = False
        self.announcer.announce(shop, f"{listed.capitalize()}.update", str(number), {"id": number})

    def stir_orders(self, shop: Shop) -> None:
        """What happens between two pages of a list: an order changes its place, or one goes and one comes."""
        rng = self.state.rng.of(f"moves-{shop.name}")
        orders = [order for number, order in shop.orders.items() if number not in shop.broken]
        if orders and rng.random() < 0.5:  # noqa: PLR2004 - one of two
            self._note(shop, rng.choice(orders), rng)
            return
        if orders:
            self.delete_order(shop, rng.choice(orders))
        self.create_order(shop)

    def stir_products(self, shop: Shop) -> None:
        """The same for products; one that stands in a set stays."""
        rng = self.state.rng.of(f"moves-{shop.name}")
        product = self._random_product(shop, rng)
        if product["set_yn"] or product["in_set_yn"] or rng.random() < 0.5:  # noqa: PLR2004 - one of two
            self.price_product(shop, product, 1)
            return
        self.delete_product(shop, product)
        self.create_product(shop)

    def many(self, shop: Shop, count: int, seed: int) -> dict[str, int]:
        """*count* changes of a busy day; the same for the same seed and state. Returns how many of each kind."""
        rng, done = random.Random(f"{seed}"), dict[str, int]()  # noqa: S311 - chance that repeats
        for _ in range(count):
            kind = rng.choices(tuple(_MIX), tuple(_MIX.values()))[0]
            done_kind = getattr(self, f"_random_{kind}")(shop, rng) or kind
            done[done_kind] = done.get(done_kind, 0) + 1
        return done

    def _note(self, shop: Shop, order: Json, rng: random.Random) -> str:
        self.edit_order(shop, order, {"internal_note": f"poznámka {rng.randrange(10**6)}"})
        return "note"

    def _random_product(self, shop: Shop, rng: random.Random) -> Json:
        return shop.goods.products[rng.choice(list(shop.goods.products))]

    def _random_stock(self, shop: Shop, rng: random.Random) -> None:
        product = self._random_product(shop, rng)
        variant = rng.choice(product["variants"]) if product["variants"] else None
        self.edit_product(shop, product, variant, {"stock": rng.randrange(200)})

    def _random_price(self, shop: Shop, rng: random.Random) -> None:
        self.price_product(shop, self._random_product(shop, rng), rng.choice((-10, 5, 12)))

    def _random_title(self, shop: Shop, rng: random.Random) -> None:
        product = self._random_product(shop, rng)
        self.rename_product(shop, product, "cs", f"{product['descriptions'][0]['title']} – nové")  # noqa: RUF001

    def _random_activity(self, shop: Shop, rng: random.Random) -> None:
        product = self._random_product(shop, rng)
        self.edit_product(shop, product, None, {"active_yn": not product["active_yn"]})

    def _random_new_product(self, shop: Shop, _rng: random.Random) -> None:
        self.create_product(shop)

    def _random_gone_product(self, shop: Shop, rng: random.Random) -> str | None:
        product = self._random_product(shop, rng)
        if product["set_yn"] or product["in_set_yn"]:
            self.price_product(shop, product, 3)
            return "price"
        self.delete_product(shop, product)
        return None

    def _random_new_order(self, shop: Shop, _rng: random.Random) -> None:
        self.create_order(shop)

    def _random_status(self, shop: Shop, rng: random.Random) -> str | None:
        order = shop.orders[rng.choice(list(shop.orders))]
        steps = {RECEIVED: (PAID, PAID, PAID, WORKING, CANCELED), PAID: (WORKING, SENT), WORKING: (SENT,)}
        status = rng.choice(steps.get(order["status_id"], (order["status_id"],)))
        if status == order["status_id"]:
            return self._note(shop, order, rng)
        self.edit_order(shop, order, {"status_id": status})
        return None

    def _random_quantity(self, shop: Shop, rng: random.Random) -> str | None:
        order = shop.orders[rng.choice(list(shop.orders)[-60:])]
        if order["order_number"] in shop.broken or len(order["products"]) > 1 or _discounted(order):
            return self._note(shop, order, rng)
        self.edit_order_line(shop, order, order["products"][0]["quantity"] + 1)
        return None

    def _random_gone_order(self, shop: Shop, rng: random.Random) -> None:
        self.delete_order(shop, shop.orders[rng.choice(list(shop.orders)[-40:])])


#: what a busy day is made of
_MIX = {
    "stock": 48,
    "price": 12,
    "title": 6,
    "activity": 4,
    "new_product": 2,
    "gone_product": 1,
    "new_order": 14,
    "status": 10,
    "quantity": 2,
    "gone_order": 1,
}


def _discounted(order: Json) -> bool:
    return any(order[name] for name in ("discount_voucher", "quantity_discount", "loyalty_points"))
