"""The way back: staff pack, ship and count in Uphance; the shop has to show the same, and nothing more.

The numbers are worked out here a second time, from what the sandbox state holds: a SKU's number in Uphance less
the pieces of orders that Uphance does not count yet, never below zero.
"""

from collections import Counter
from dataclasses import dataclass, field

from upbridge_sandbox.demo.compare import DIFFERENT, LOST, UNWANTED, Origin, Verdict
from upbridge_sandbox.demo.sandbox_client import SHOP, SandboxClient
from upbridge_sandbox.demo.uphance_rules import Skus, spelled
from upbridge_sandbox.demo.upp_rules import CANCELED, Json, product_key

SENT = 4
AT_REST = (SENT, 6, 7)  # Sent, PaymentFailed, Unresolved: such an order is not on its way to Uphance
GOODS = ("product", "set_part", "gift", None)
COUNTED = 60


@dataclass(slots=True)
class StaffWork:
    """What staff did in Uphance: tracking numbers by order, orders shipped in part, SKUs that were counted."""

    shipped: dict[str, str] = field(default_factory=dict)
    partly: set[str] = field(default_factory=set)
    counted: int = 0


def staff_at_work(
    sandbox: SandboxClient, organisation: int, origin: Origin, key: str, *, orders: int = 30
) -> StaffWork:
    """Ship *orders* of the shop's orders whole and a few in part, and count some SKUs anew."""
    work = StaffWork()
    for draft in sorted(sandbox.uphance(organisation, "orders"), key=lambda row: int(row["id"])):
        number = str(draft["purchase_order_ref"] or "").removeprefix(f"UPG-{key}-")
        order = origin.orders.get(number)
        if order is None or order["status_id"] in (CANCELED, SENT) or draft["status"] != "draft":
            continue
        pieces = [entry for line in draft["line_items"] for entry in line["line_quantities"]]
        total = sum(entry["quantity"] for entry in pieces)
        if len(work.shipped) < orders:
            ticket = _ticket(sandbox, organisation, draft, None)
            work.shipped[number] = f"TRACK-{number}"
            _ship(sandbox, organisation, ticket, work.shipped[number])
        elif total > 1 and len(work.partly) < orders // 5:
            ticket = _ticket(sandbox, organisation, draft, {str(pieces[0]["sku_id"]): 1})
            work.partly.add(number)
            _ship(sandbox, organisation, ticket, f"PART-{number}")
    for product in sandbox.uphance(organisation, "products")[:COUNTED]:
        sku = product["variations"][0]["skus"][0]
        fresh = {"available_to_sell_from_stock": int(sku["available_to_sell_from_stock"]) + 2}
        sandbox.call("PUT", f"/uphance/{organisation}/skus/{sku['id']}", fresh)
        work.counted += 1
    return work


def _ticket(sandbox: SandboxClient, organisation: int, draft: Json, pieces: Json | None) -> Json:
    body = {"order_id": draft["id"], **({} if pieces is None else {"pieces": pieces})}
    made: Json = sandbox.call("POST", f"/uphance/{organisation}/tickets", body)
    return made


def _ship(sandbox: SandboxClient, organisation: int, ticket: Json, tracking: str) -> None:
    body = {"tracking_number": tracking, "carrier": "dpd"}
    sandbox.call("POST", f"/uphance/{organisation}/tickets/{ticket['id']}/ship", body)


# -- what has to be true afterwards ------------------------------------------------------------------------


def shipments(sandbox: SandboxClient, origin: Origin, work: StaffWork) -> Verdict:
    """Whole shipments change status and tracking; partial ones only the history; no other order is touched."""
    verdict = Verdict("shipments → Upgates", origins=len(work.shipped) + len(work.partly))
    noted: dict[str, Json] = sandbox.call("GET", f"/shops/{SHOP}/history")["history"]
    for number, order in origin.orders.items():
        tracking = work.shipped.get(number)
        if tracking is not None:
            if (order["status_id"], order["tracking_code"]) != (SENT, tracking):
                verdict.add(LOST, number, f"status {order['status_id']}, tracking {order['tracking_code']}")
        elif str(order["tracking_code"]).startswith(("TRACK-", "PART-")) and number not in work.partly:
            verdict.add(UNWANTED, number, "has a tracking number of another order")
        if number in work.partly and order["status_id"] == SENT:
            verdict.add(DIFFERENT, number, "counts as sent, but was shipped in part")
        if (tracking is not None or number in work.partly) and not noted.get(number):
            verdict.add(LOST, number, "nothing in its history")
        verdict.copies += bool(noted.get(number))
    return verdict


def stock(sandbox: SandboxClient, organisation: int, origin: Origin, key: str, skus: Skus) -> Verdict:
    """Every variant that is one SKU, and no other, shows Uphance's number less the open pieces."""
    drafts = {
        str(row["purchase_order_ref"]).removeprefix(f"UPG-{key}-"): row
        for row in sandbox.uphance(organisation, "orders")
    }
    taken = _open_pieces(origin, drafts, skus)
    verdict = Verdict("stock → Upgates")
    for item, sku in pairs(origin, sandbox.uphance(organisation, "products")):
        wanted = max(0, int(sku["available_to_sell_from_stock"] - taken[item["key"]]))
        verdict.origins += 1
        verdict.copies += item["stock"] == wanted
        if item["stock"] != wanted:
            verdict.add(
                DIFFERENT, item["code"], f"shows {item['stock']}, not {wanted} ({taken[item['key']]} open)"
            )
    return verdict


def _open_pieces(origin: Origin, drafts: dict[str, Json], skus: Skus) -> Counter[str]:
    """Pieces by variant that are sold and that Uphance's numbers do not show.

    Those of orders that it does not know but may still get, or that are drafts there; of one that staff have
    confirmed, what was added to it in the shop afterwards.
    """
    pieces: Counter[str] = Counter()
    former = origin.former_numbers()
    for number, order in origin.orders.items():
        draft = next((drafts[name] for name in (*former[number], number) if name in drafts), None)
        if order["status_id"] == CANCELED or (draft is None and order["status_id"] in AT_REST):
            continue
        counted: Counter[int] = Counter()
        if draft is not None and draft["status"] != "draft":
            for line in draft["line_items"]:
                counted.update({entry["sku_id"]: entry["quantity"] for entry in line["line_quantities"]})
        for line in order["products"]:
            if line["type"] in GOODS and line["quantity"] > 0:
                variant, sku = line["option_set_id"], skus.sku(line)
                known = min(line["quantity"], counted[sku]) if sku is not None else 0
                if sku is not None:
                    counted[sku] -= known
                pieces[f"v-{variant}" if variant else f"p-{line['product_id']}"] += line["quantity"] - known
    return pieces


def pairs(origin: Origin, products: list[Json]) -> list[tuple[Json, Json]]:
    """Variants on sale and SKUs that belong together one to one: by code, else by the variant's own EAN."""
    skus = [sku for product in products for variation in product["variations"] for sku in variation["skus"]]
    by_code: dict[str, list[Json]] = {}
    by_ean: dict[str, list[Json]] = {}
    for sku in skus:
        by_code.setdefault(spelled(sku["sku_number"]), []).append(sku)
        by_ean.setdefault(sku["ean"] or "", []).append(sku)
    found: list[tuple[Json, Json]] = []
    for item in _items(origin):
        by_either = by_code.get(spelled(item["code"])) or by_ean.get(item["ean"] or "-", [])
        if len(by_either) == 1:
            found.append((item, by_either[0]))
    often = Counter(sku["id"] for _, sku in found)
    codes = Counter(spelled(item["code"]) for item in _items(origin))
    return [(item, sku) for item, sku in found if often[sku["id"]] == 1 and codes[spelled(item["code"])] == 1]


def _items(origin: Origin) -> list[Json]:
    """What is on sale, has a code, and whose stock is its own."""
    items: list[Json] = []
    for product in origin.products:
        if not product["active_yn"] or product["archived_yn"]:
            continue
        items += [
            {**(variant or product), "key": product_key(product, variant)}
            for variant in product["variants"] or [None]
        ]
    return [item for item in items if item["code"] and item["stock"] is not None]
