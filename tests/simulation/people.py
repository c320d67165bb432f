"""What people do: shoppers, the shop's staff, and staff in Uphance. Each act says what it did, for the story."""

from collections.abc import Callable, Mapping
from random import Random

from tests.conformance.testbed import Json, Testbed
from upbridge_sandbox.seed.orders import CANCELED, PAID, RECEIVED, SENT, WORKING
from upbridge_sandbox.uphance.logins import FEWEST
from upbridge_sandbox.uphance.tickets import make_ticket, ship

Act = Callable[[Testbed, Random], str]

NEXT_STATUS = {RECEIVED: (PAID, PAID, WORKING, CANCELED), PAID: (WORKING, CANCELED), WORKING: (PAID, CANCELED)}


def place_order(testbed: Testbed, chance: Random) -> str:
    return f"order {testbed.edits.create_order(testbed.origin)['order_number']} is placed"


def move_order(testbed: Testbed, chance: Random) -> str:
    order = _order(testbed, chance, *NEXT_STATUS)
    if order is None:
        return place_order(testbed, chance)
    status = chance.choice(NEXT_STATUS[order["status_id"]])
    testbed.edits.edit_order(testbed.origin, order, {"status_id": status})
    return f"order {order['order_number']} gets the status {status}"


def note_order(testbed: Testbed, chance: Random) -> str:
    order = _order(testbed, chance)
    if order is None:
        return place_order(testbed, chance)
    testbed.edits.edit_order(testbed.origin, order, {"internal_note": f"poznámka {chance.randrange(10**6)}"})
    return f"order {order['order_number']} gets a note"


def order_more(testbed: Testbed, chance: Random) -> str:
    order = _order(testbed, chance, RECEIVED, PAID)
    if order is None or order["order_number"] in testbed.origin.broken or not _plain(order):
        return place_order(testbed, chance)
    testbed.edits.edit_order_line(testbed.origin, order, order["products"][0]["quantity"] + 1)
    return f"order {order['order_number']} has a piece more"


def delete_order(testbed: Testbed, chance: Random) -> str:
    order = _order(testbed, chance)
    if order is None:
        return place_order(testbed, chance)
    testbed.edits.delete_order(testbed.origin, order)
    return f"order {order['order_number']} is deleted"


def restore_order(testbed: Testbed, chance: Random) -> str:
    if not testbed.origin.deleted_orders:
        return delete_order(testbed, chance)
    number = chance.choice(list(testbed.origin.deleted_orders))
    testbed.edits.restore_order(testbed.origin, number)
    return f"order {number} is restored"


def renumber_order(testbed: Testbed, chance: Random) -> str:
    order = _order_that_stayed_itself(testbed, chance)
    if order is None:
        return place_order(testbed, chance)
    former = order["order_number"]
    testbed.edits.renumber_order(testbed.origin, order, f"R-{former}")
    return f"order {former} gets the number {order['order_number']}"


def reuse_number(testbed: Testbed, chance: Random) -> str:
    order = _order_that_stayed_itself(testbed, chance)
    if order is None:
        return place_order(testbed, chance)
    other = testbed.edits.replace_order(testbed.origin, order)
    return f"order {other['order_number']} is deleted for good, and another one gets its number"


def change_defaults(testbed: Testbed, chance: Random) -> str:
    facts = testbed.origin.facts
    if chance.random() < 0.5:
        testbed.edits.set_defaults(testbed.origin, language=chance.choice(("cs", "sk", "en")))
    else:
        testbed.edits.set_defaults(testbed.origin, pricelist=chance.choice((1, 2)))
    return f"the owner chooses the language {facts.language} and the price list {facts.default_pricelist}"


def rename_pricelist(testbed: Testbed, chance: Random) -> str:
    number, name = chance.choice((1, 2)), f"Ceník {chance.randrange(10**6)}"
    testbed.edits.rename_pricelist(testbed.origin, number, name)
    return f"price list {number} is called {name}"


def new_status(testbed: Testbed, chance: Random) -> str:
    number = testbed.edits.add_status(testbed.origin, "Custom", f"Stav {chance.randrange(10**6)}")
    order = _order(testbed, chance, RECEIVED, PAID)
    if order is not None:
        testbed.edits.edit_order(testbed.origin, order, {"status_id": number})
    return f"order {order['order_number'] if order else None} gets the new status {number}"


def count_in_shop(testbed: Testbed, chance: Random) -> str:
    product = _product(testbed, chance)
    variant = chance.choice(product["variants"]) if product["variants"] else None
    pieces = chance.randrange(200)
    testbed.edits.edit_product(testbed.origin, product, variant, {"stock": pieces})
    return f"staff write {pieces} pieces of {(variant or product)['code']} into the shop"


def price(testbed: Testbed, chance: Random) -> str:
    product, percent = _product(testbed, chance), chance.choice((-10, 5, 12))
    testbed.edits.price_product(testbed.origin, product, percent)
    return f"product {product['product_id']} costs {percent} % more"


def rename(testbed: Testbed, chance: Random) -> str:
    product = _product(testbed, chance)
    testbed.edits.rename_product(testbed.origin, product, "cs", f"Nové jméno {chance.randrange(1000)}")
    return f"product {product['product_id']} gets a new name"


def hide_or_show(testbed: Testbed, chance: Random) -> str:
    product = _product(testbed, chance)
    name = chance.choice(("active_yn", "archived_yn"))
    testbed.edits.edit_product(testbed.origin, product, None, {name: not product[name]})
    return f"product {product['product_id']} has {name} {product[name]}"


def new_product(testbed: Testbed, chance: Random) -> str:
    return f"product {testbed.edits.create_product(testbed.origin)['product_id']} is new"


def delete_product(testbed: Testbed, chance: Random) -> str:
    product = _product(testbed, chance)
    in_set = product["set_yn"] or product["in_set_yn"]
    if in_set or len(testbed.origin.goods.products) <= 3:
        return price(testbed, chance)
    testbed.edits.delete_product(testbed.origin, product)
    return f"product {product['product_id']} is deleted"


def count_in_uphance(testbed: Testbed, chance: Random) -> str:
    product = chance.choice(list(testbed.organisation.products.values()))
    sku = chance.choice([sku for variation in product["variations"] for sku in variation["skus"]])
    sku["available_to_sell_from_stock"] = chance.randrange(60)
    return f"staff count {sku['available_to_sell_from_stock']} of SKU {sku['id']} in Uphance"


def delete_in_uphance(testbed: Testbed, chance: Random) -> str:
    """Goods that no order has or will have: of others, what is right afterwards is for a person to say."""
    company, unsold = testbed.organisation, testbed.organisation.unsold(testbed.world.sellable())
    if len(company.products) <= FEWEST or not unsold:
        return count_in_uphance(testbed, chance)
    product = chance.choice(unsold)
    company.drop_product(product)
    return f"staff delete product {product} in Uphance"


def ship_order(testbed: Testbed, chance: Random) -> str:
    """Whole, or one piece of it."""
    company, day = testbed.organisation, testbed.day
    for sale in chance.sample(list(company.orders.values()), len(company.orders)):
        order = _order_of_sale(testbed, sale)
        if order is None or sale["status"] != "draft" or order["status_id"] in (CANCELED, SENT):
            continue
        number = str(order["order_number"])
        if sale["total_quantity"] > 1 and chance.random() < 0.3:
            day.partly.add(number)
            first = sale["line_items"][0]["line_quantities"][0]["sku_id"]
            ticket = make_ticket(sale, company, testbed.world.uphance, pieces={first: 1})
            ship(ticket, company, testbed.world.uphance, f"PART-{number}", "ppl")
            return f"order {number} is shipped in part"
        day.shipped[number] = f"TRACK-{number}"
        ship(
            make_ticket(sale, company, testbed.world.uphance),
            company,
            testbed.world.uphance,
            f"TRACK-{number}",
            "ppl",
        )
        return f"order {number} is shipped"
    return count_in_uphance(testbed, chance)


ACTS: Mapping[str, Act] = {
    act.__name__: act
    for act in (
        place_order,
        move_order,
        note_order,
        order_more,
        delete_order,
        restore_order,
        renumber_order,
        reuse_number,
        change_defaults,
        rename_pricelist,
        new_status,
        count_in_shop,
        price,
        rename,
        hide_or_show,
        new_product,
        delete_product,
        count_in_uphance,
        delete_in_uphance,
        ship_order,
    )
}


def _order(testbed: Testbed, chance: Random, *statuses: int) -> Json | None:
    """An order that staff have not packed, in one of *statuses* where some are named."""
    found = [
        order
        for number, order in testbed.origin.orders.items()
        if number not in testbed.day.shipped
        and number not in testbed.day.partly
        and order["status_id"] in (statuses or (order["status_id"],))
    ]
    return chance.choice(found) if found else None


def _order_that_stayed_itself(testbed: Testbed, chance: Random) -> Json | None:
    """An order that has had one number, which no other order had, and that is right in itself."""
    strange = {number for number in testbed.origin.versions if _uuids(testbed, number) > 1}
    strange |= {number for number in testbed.origin.orders if number.startswith("R-")} | set(testbed.origin.broken)
    found = [_order(testbed, chance) for _ in range(4)]
    return next((order for order in found if order and order["order_number"] not in strange), None)


def _order_of_sale(testbed: Testbed, sale: Json) -> Json | None:
    """The order that *sale* was made of, under the number that it has now; None where another one may be meant."""
    number = str(sale["purchase_order_ref"]).removeprefix("UPG-demo-")
    if _uuids(testbed, number) > 1:
        return None
    return testbed.origin.orders.get(number) or testbed.origin.orders.get(f"R-{number}")


def _uuids(testbed: Testbed, number: str) -> int:
    return len({order["uuid"] for order in testbed.origin.versions[number]})


def _product(testbed: Testbed, chance: Random) -> Json:
    return testbed.origin.goods.products[chance.choice(list(testbed.origin.goods.products))]


def _plain(order: Json) -> bool:
    """Whether its totals are those of its one line."""
    discounts = ("discount_voucher", "quantity_discount", "loyalty_points")
    return len(order["products"]) == 1 and not any(order[name] for name in discounts)
