"""What Uphance knows of the same goods: most by SKU number, some only by EAN, some not at all."""

from collections import Counter
from dataclasses import dataclass
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
                price = price_of(product, None, "cs") or 0
                euro = cents(price / EUR_RATE) if price else 0
                by_colour[colour] = {
                    "id": next(ids),
                    "color": colour,
                    "textile_content": None,
                    "prices": [
                        {"name": "Web CZ", "currency": "CZK", "wsp_money": str(price), "msrp_money": str(price)},
                        {"name": "Web EU", "currency": "EUR", "wsp_money": str(euro), "msrp_money": str(euro)},
                    ],
                    "skus": [],
                }
            item = variant or product
            sku_id = next(ids)
            on_hand = max(0, int(effective_stock(product, variant) or 0)) + (3 if sku_id % 40 == 0 else 0)
            by_colour[colour]["skus"].append(
                {
                    "id": sku_id,
                    "color": colour,
                    "size": size,
                    "ean": item["ean"] if how == "ean" or sku_id % 4 else None,
                    "sku_number": item["code"] if how == "sku" else f"AUTO-{sku_id}",
                    "in_stock": on_hand,
                    "available_to_sell": on_hand + sku_id % 3,
                    "available_to_sell_from_stock": on_hand,
                }
            )
        entry["variations"] = list(by_colour.values())
        sizes = dict.fromkeys(sku["size"] for row in entry["variations"] for sku in row["skus"])
        entry["sizing_system"] = ",".join(sizes)
        products[entry["id"]] = entry
    return products
