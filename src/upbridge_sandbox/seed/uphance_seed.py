"""What Uphance knows of the same goods: most by SKU number, some only by EAN, some not at all."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from upbridge_sandbox.seed import vocabulary
from upbridge_sandbox.seed.formats import EUR_RATE, Json, cents
from upbridge_sandbox.seed.products import Goods, effective_stock, price_of

How = Literal["sku", "ean", "missing"]
FIRST_UPHANCE_ID = 7_000_000


@dataclass(slots=True)
class Coverage:
    """Which things Uphance knows, and by what."""

    doubled: set[str | None]

    @classmethod
    def of(cls, goods: Goods) -> "Coverage":
        """Learn which codes and EANs occur twice (codes without regard to case)."""
        codes: Counter[str] = Counter()
        spellings: dict[str, set[str]] = {}
        eans: Counter[str] = Counter()
        for product in goods.products.values():
            for item in product["variants"] or [product]:
                if item["code"]:
                    codes[item["code"].lower()] += 1
                    spellings.setdefault(item["code"].lower(), set()).add(item["code"])
                if item["ean"]:
                    eans[item["ean"]] += 1
        twice: set[str | None] = {value for value, count in eans.items() if count > 1}
        for code, count in codes.items():
            if count > 1:
                twice |= spellings[code]
        return cls(twice)

    def how(self, product: Json, variant: Json | None) -> How:
        """By what Uphance knows this thing."""
        item = variant or product
        if product["set_yn"]:
            return "missing"
        luck = (variant["variant_id"] if variant else product["product_id"]) % 25
        if luck == 0:
            return "missing"
        if luck in (1, 2) and item["ean"]:
            return "ean"
        if item["code"]:
            return "sku"
        return "ean" if item["ean"] else "missing"


def uphance_products(goods: Goods, coverage: Coverage, *, first_id: int, season_id: int) -> dict[int, Json]:
    """Uphance's products (product -> variations -> skus) for one organisation."""
    products: dict[int, Json] = {}
    ids = iter(range(first_id, first_id + 10**6))
    for product in goods.products.values():
        rows = [
            (variant, how)
            for variant in product["variants"] or [None]
            if (how := coverage.how(product, variant)) != "missing"
        ]
        if not rows:
            continue
        entry: Json = {
            "id": next(ids),
            "product_identifier": product["code"] or f"STYLE-{product['product_id']}",
            "name": product["descriptions"][-1]["title"],
            "description": None,
            "sizing_system": "",
            "image_url": None,
            "not_for_sale": False,
            "season_id": [season_id] if product["product_id"] % 2 else season_id,
            "category": "Apparel",
            "sub_category": None,
            "variations": [],
        }
        by_colour: dict[str, Json] = {}
        for variant, how in rows:
            colour, size = "—", "ONE"
            if variant is not None:
                worn = goods.colour_and_size[variant["variant_id"]]
                colour, size = vocabulary.COLOURS[worn[0]][2], worn[1]
            if colour not in by_colour:
                by_colour[colour] = _variation(next(ids), colour, price_of(product, None, "cs") or Decimal(0))
            on_hand = max(0, int(effective_stock(product, variant) or 0))
            by_colour[colour]["skus"].append(
                _sku(next(ids), variant or product, how, colour=colour, size=size, on_hand=on_hand)
            )
        entry["variations"] = list(by_colour.values())
        sizes = dict.fromkeys(sku["size"] for row in entry["variations"] for sku in row["skus"])
        entry["sizing_system"] = ",".join(sizes)
        products[entry["id"]] = entry
    return products


def _variation(number: int, colour: str, price: Decimal) -> Json:
    """One colour of a product, at *price* in crowns."""
    prices = (("Web CZ", "CZK", price), ("Web EU", "EUR", cents(price / EUR_RATE) if price else 0))
    return {
        "id": number,
        "color": colour,
        "textile_content": None,
        "prices": [
            {"name": name, "currency": currency, "wsp_money": str(asked), "msrp_money": str(asked)}
            for name, currency, asked in prices
        ],
        "skus": [],
    }


def _sku(number: int, item: Json, how: How, *, colour: str, size: str, on_hand: int) -> Json:
    """*item* under its own code, or under one that Uphance has made. Some are miscounted."""
    counted = on_hand + (3 if number % 40 == 0 else 0)
    return {
        "id": number,
        "color": colour,
        "size": size,
        "ean": item["ean"] if how == "ean" or number % 4 else None,
        "sku_number": item["code"] if how == "sku" else f"AUTO-{number}",
        "in_stock": counted,
        "available_to_sell": counted + number % 3,
        "available_to_sell_from_stock": counted,
    }
