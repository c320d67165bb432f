"""Products and variants of a made-up clothes shop, with everything that a real catalogue gets wrong.

Among them: variants that inherit by null, products and variants without a code, doubled codes and EANs, one
product without a price, inactive and archived ones, stock that is null, negative or fractional, 0/1 for booleans.
"""
# ruff: noqa: PLR2004 - every n-th item is special; the numbers mean nothing else

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from upbridge_sandbox.seed import vocabulary
from upbridge_sandbox.seed.formats import Json, ean, empty, moment, nulls, price_rows

FIRST_PRODUCT, FIRST_VARIANT = 41, 5001
NO_PRICE_AT = 5

_NEVER = ("adult_yn", "add_images_into_variants_yn", "set_yn", "in_set_yn", "exclude_from_search_yn")
_CATEGORY = ("category_id", "code", "name")


@dataclass(slots=True)
class Goods:
    """A shop's catalogue in the shape of GET /products, and what that answer leaves out."""

    products: dict[int, Json] = field(default_factory=dict)
    #: variant id -> colour (index into the words) and size
    colour_and_size: dict[int, tuple[int, str]] = field(default_factory=dict)
    #: product id of a set -> product ids of its parts
    sets: dict[int, list[int]] = field(default_factory=dict)

    def variant(self, variant_id: int) -> tuple[Json, Json] | None:
        """The product and the variant with this id."""
        for product in self.products.values():
            for variant in product["variants"]:
                if variant["variant_id"] == variant_id:
                    return product, variant
        return None


class ProductFactory:
    """Makes products one after another; ids and codes count up."""

    def __init__(self, rng: random.Random, now: datetime, host: str) -> None:
        self.rng = rng
        self.now = now
        self.host = host
        self.next_variant = FIRST_VARIANT

    def product(self, index: int, goods: Goods) -> Json:
        """The *index*-th product, put into *goods*."""
        rng, product_id = self.rng, FIRST_PRODUCT + index
        adjective = vocabulary.ADJECTIVES[index % len(vocabulary.ADJECTIVES)]
        names, sizes, price, vat = _sort(index)
        accessory = not sizes
        base = Decimal(price + 10 * rng.randrange(0, 40)) + rng.choice((Decimal(0), Decimal("0.9")))
        purchase = None if rng.random() < 0.15 else Decimal(int(base) * rng.randrange(35, 60)) / 100
        sale = rng.random() < 0.08
        created = self.now - timedelta(days=rng.randrange(60, 700), minutes=rng.randrange(1440))
        code = None if index % 97 == 11 else f"{'ACC' if accessory else 'GAR'}-{product_id:05d}"
        slug = f"{names[2]}-{product_id}".lower().replace(" ", "-")
        category = vocabulary.CATEGORIES[3 if accessory else index % 3]
        maker = rng.randrange(len(vocabulary.MAKERS))
        product: Json = {
            "code": code,
            "product_id": product_id,
            "action_currently_yn": int(sale),
            "ean": ean(859_100_000_000 + product_id) if accessory and index % 17 else None,
            "active_yn": _flag(index % 23 != 3, index),
            "archived_yn": index % 41 == 9,
            "can_add_to_basket_yn": index % 53 != 10,
            "descriptions": self._texts(names, adjective, product_id, slug),
            "manufacturer": vocabulary.MAKERS[maker] if rng.random() < 0.8 else None,
            "manufacturer_id": maker + 1,
            "stock": self._stock(index) if accessory or index % 3 == 0 else None,
            "limit_orders": rng.choice((None, "0", "1")),
            "availability_id": 2,
            "availability": "Skladem",
            "availability_type": "InStock",
            "variants_exists_yn": not accessory,
            "variants_stock": 0,
            "weight": rng.randrange(60, 900),
            "images": self._images(product_id, index),
            "categories": [
                {**dict(zip(_CATEGORY, category, strict=True)), "main_yn": True, "position": 1},
                {"category_id": 110, "code": "K00001", "name": "Oblečení", "main_yn": False, "position": 2},
            ],
            "prices": price_rows(base, vat=vat, purchase=purchase, sale=sale),
            "vats": {"cz": vat, "sk": {21: 23, 12: 5}[vat]},
            "metas": [{"key": "col", "type": "input", "value": ""}],
            "creation_time": moment(created),
            "last_update_time": moment(created + timedelta(days=rng.randrange(1, 50))),
            "admin_url": f"{self.host}/products/main/default/{product_id}",
            **nulls("code_supplier supplier replacement_product_code stock_position rating shipment_group"),
            **nulls("variants_availability_id variants_availability variants_availability_type"),
            **dict.fromkeys(_NEVER, False),
            **empty("stocks groups variants"),
        }
        if not accessory:
            product["variants"] = self._variants(product, index, sizes=sizes, base=base, vat=vat, goods=goods)
            product["variants_stock"] = sum(item["stock"] or 0 for item in product["variants"])
        if index == NO_PRICE_AT:
            product["prices"] = []
            for variant in product["variants"]:
                variant["prices"] = []
        goods.products[product_id] = product
        return product

    def _texts(self, names: list[str], adjective: tuple[str, str, str], product_id: int, slug: str) -> list[Json]:
        texts: list[Json] = []
        for place, (language, domain) in enumerate(
            (("cs", "www.satnik-demo.cz"), ("sk", "sk.satnik-demo.cz"), ("en", "eu.satnik-demo.cz"))
        ):
            texts.append(
                {
                    "language": language,
                    "title": f"{names[place]} {adjective[place]} {product_id}",
                    "short_description": None if language == "en" else f"{names[place]} ušité doma.",
                    "long_description": f"<p>{names[place]}</p>\r\n" if language == "cs" else None,
                    "url": f"https://{domain}/p/{slug}",
                    "seo_title": None,
                    "seo_description": None,
                    "seo_url": slug if language == "cs" else None,
                    "unit": "ks",
                }
            )
        return texts

    def _images(self, product_id: int, index: int) -> list[Json]:
        if index % 29 == 6:
            return []
        return [
            {
                "file_id": product_id * 10 + place,
                "url": f"https://satnik.s24.cdn-upgates.com/i/{product_id}-{place}.jpg",
                "main_yn": place == 1 and index % 7 != 0,
                "list_yn": place == 1,
                "position": 3 - place,
                "titles": [],
                "languages": [],
            }
            for place in (1, 2)
        ]

    def _stock(self, index: int) -> int | float | None:
        if index % 37 == 8:
            return None
        if index % 71 == 30:
            return -2
        if index % 83 == 35:
            return 2.5
        return self.rng.randrange(0, 120)

    def _variants(
        self, product: Json, index: int, *, sizes: tuple[str, ...], base: Decimal, vat: int, goods: Goods
    ) -> list[Json]:
        rng = self.rng
        count = (2, 3, 3, 4, 4, 4, 5, 6)[index % 8] if index % 19 else 1
        colours = vocabulary.COLOURS[index % 3 :][: max(1, -(-count // len(sizes)))]
        combinations = [(colour, size) for colour in colours for size in sizes][:count]
        variants: list[Json] = []
        for place, (colour, size) in enumerate(combinations):
            variant_id = self.next_variant
            self.next_variant += 1
            code = (
                f"{product['code'] or 'NOCODE-' + str(product['product_id'])}-{colour[3]}-{size.replace('/', '')}"
            )
            dearer = base + 50 if size in ("XL", "44") else base
            if index % 6 == 1:
                prices = price_rows(dearer, vat=vat, purchase=None, sale=bool(product["action_currently_yn"]))
            elif index % 6 == 2:
                prices = _without_prices(
                    price_rows(dearer, vat=vat, purchase=None, sale=False, languages=("sk", "en"))
                )
            else:
                prices = []
            image = f"https://satnik.s24.cdn-upgates.com/v/{variant_id}.jpg" if rng.random() < 0.4 else None
            variants.append(
                {
                    "code": None if (index + place) % 61 == 7 else code,
                    "ean": None if (index + place) % 31 == 4 else ean(859_200_000_000 + variant_id),
                    "variant_id": variant_id,
                    "product_code": product["code"],
                    "product_id": product["product_id"],
                    "active_yn": False if (index + place) % 47 == 13 else rng.choice((None, None, True)),
                    "main_yn": place == 0,
                    "stock": None if index % 3 == 0 and place == 1 else self._stock(index + place),
                    "availability_type": "InStock",
                    "image": image,
                    "prices": prices,
                    **nulls("code_supplier can_add_to_basket_yn stock_position availability_id"),
                    **nulls("availability weight"),
                    **empty("images stocks metas"),
                }
            )
            goods.colour_and_size[variant_id] = (vocabulary.COLOURS.index(colour), size)
        return variants


def _sort(index: int) -> tuple[list[str], tuple[str, ...], int, int]:
    """What the *index*-th product is: its names, sizes (an accessory has none), least price and VAT."""
    if index % 13 in (4, 9, 12):
        *names, price, vat = vocabulary.ACCESSORIES[index % len(vocabulary.ACCESSORIES)]
        return names, (), int(price), vat
    *names, sizes, price, vat = vocabulary.GARMENTS[index % len(vocabulary.GARMENTS)]
    return names, sizes, int(price), vat


def _flag(value: bool, index: int) -> bool | int:  # noqa: FBT001
    """A boolean as the API may write it: `true / false, 1 / 0`."""
    return int(value) if index % 9 == 2 else value


def _without_prices(rows: list[Json]) -> list[Json]:
    """The same rows with nothing of their own in them: every null inherits."""
    for row in rows:
        for entry in row["pricelists"]:
            entry.update(price_original=None, price_sale=None, price_with_vat=None, price_without_vat=None)
    return rows


def make_products(products: int, rng: random.Random, now: datetime, host: str) -> tuple[Goods, ProductFactory]:
    """A catalogue of *products* products."""
    goods = Goods()
    product_factory = ProductFactory(rng, now, host)
    for index in range(products):
        product_factory.product(index, goods)
    _double_some(goods)
    _bundle_some(goods)
    return goods, product_factory


def _double_some(goods: Goods) -> None:
    """Two variants that share a code but for its case, two that share an EAN, as real catalogues do."""
    products = list(goods.products.values())
    with_variants = [item for item in products if item["variants"] and item["code"] and item["active_yn"]]
    for place, change in ((20, "code"), (40, "ean"), (60, "both")):
        if len(with_variants) <= place + 1:
            return
        first, second = with_variants[place]["variants"][0], with_variants[place + 1]["variants"][0]
        if change in ("code", "both") and first["code"]:
            second["code"] = first["code"].lower() if change == "code" else first["code"]
        if change in ("ean", "both"):
            second["ean"] = first["ean"]


def _bundle_some(goods: Goods) -> None:
    """Some accessories are sets of two others that Uphance knows (it has no sets itself)."""
    products = list(goods.products.values())
    single = [item for item in products if not item["variants"] and item["code"] and item["active_yn"]]
    heads, parts = single[3::25], [item for item in single if item["ean"] and item["product_id"] % 25]
    for place, product in enumerate(heads):
        chosen = [part for part in parts[2 * place :] if part not in heads][:2]
        if len(chosen) < 2:
            return
        product.update(set_yn=True, ean=None)
        for part in chosen:
            part["in_set_yn"] = True
        goods.sets[product["product_id"]] = [part["product_id"] for part in chosen]


def price_of(product: Json, variant: Json | None, language: str, pricelist: str = "Výchozí") -> Decimal | None:
    """The price with VAT that the shop asks, inheritance resolved."""
    for source in (variant, product):
        if source is None:
            continue
        for row in source["prices"]:
            if row["language"] != language:
                continue
            for entry in row["pricelists"]:
                if entry["name"] == pricelist and entry["price_with_vat"] is not None:
                    return Decimal(str(entry["price_with_vat"]))
    return None


def vat_of(product: Json, language: str) -> int:
    """The VAT of a product in a market."""
    return next((int(row["vat"]) for row in product["prices"] if row["language"] == language), 21)


def effective_stock(product: Json, variant: Json | None) -> int | float | None:
    """The stock that the shop shows; None where it is not tracked."""
    value: int | float | None = variant["stock"] if variant is not None else None
    return product["stock"] if value is None else value
