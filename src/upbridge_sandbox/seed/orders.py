"""Orders of a made-up clothes shop. Their totals add up as Upgates adds them; a few are broken on purpose."""
# ruff: noqa: PLR2004 - every n-th item is special; the numbers mean nothing else

import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from upbridge_sandbox.seed.customers import by_word, make_customers
from upbridge_sandbox.seed.formats import MARKETS, Json, cents, empty, moment, nulls, number, php_moment
from upbridge_sandbox.seed.order_totals import charge, per_vat, price_line, share, write_totals
from upbridge_sandbox.seed.products import Goods, price_of, vat_of
from upbridge_sandbox.seed.uphance_seed import Coverage

RECEIVED, PAID, WORKING, SENT, CANCELED, PAYMENT_FAILED, UNRESOLVED = range(1, 8)
STATUSES: tuple[tuple[int, str, str, str, str, str], ...] = (
    (RECEIVED, "Received", "#2d7ff9", "Přijatá", "Prijatá", "Received"),
    (PAID, "PaymentSuccessful", "#20a86b", "Zaplacená", "Zaplatená", "Paid"),
    (WORKING, "Custom", "#c9a227", "Vyřizuje se", "Vybavuje sa", "In progress"),
    (SENT, "Sent", "#5a4fcf", "Odeslaná", "Odoslaná", "Sent"),
    (CANCELED, "Canceled", "#b3261e", "Stornovaná", "Stornovaná", "Canceled"),
    (PAYMENT_FAILED, "PaymentFailed", "#b3261e", "Platba se nezdařila", "Platba zlyhala", "Payment failed"),
    (UNRESOLVED, "Unresolved", "#808080", "Nevyřízená", "Nevybavená", "Unresolved"),
)
STATUS_NAMES = {
    (status, language): name
    for status, _, _, *names in STATUSES
    for language, name in zip(MARKETS, names, strict=True)
}
CASH_REGISTER = "cash–register"  # noqa: RUF001 - published with this dash
BROKEN = ("totals", "unknown_sku", "manual_line", "fractional", "no_channel")


@dataclass(frozen=True, slots=True)
class Sellable:
    """One thing that can stand on an order line."""

    product: Json
    variant: Json | None

    @property
    def code(self) -> str | None:
        """The code that the order line carries."""
        return (self.variant or self.product)["code"]  # type: ignore[no-any-return]


@dataclass(slots=True)
class OrderFactory:
    """Writes orders; numbers count up."""

    goods: Goods
    coverage: Coverage
    rng: random.Random
    now: datetime
    host: str
    customers: list[Json] = field(default_factory=list)
    shoppers: dict[str, set[str]] = field(default_factory=dict)
    """What tells of a customer, by a word of it."""
    next_number: int = 1
    pool: list[Sellable] = field(default_factory=list)
    strangers: list[Sellable] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.customers = make_customers(self.rng)
        self.shoppers = by_word(self.customers)
        doubled = self.coverage.doubled
        for product in self.goods.products.values():
            if not (product["active_yn"] and product["prices"]) or product["archived_yn"]:
                continue
            if product["set_yn"]:
                continue
            for variant in product["variants"] or [None]:
                item = Sellable(product, variant)
                source = variant or product
                if {source["code"], source["ean"]} & doubled:
                    continue
                known = self.coverage.how(product, variant) != "missing"
                (self.pool if known else self.strangers).append(item)

    def order(self, *, age: timedelta, broken: str = "", fresh: bool = False) -> Json:
        """One more order, placed *age* ago; *broken* names what is wrong with it."""
        rng, number_ = self.rng, self.next_number
        self.next_number += 1
        created = self.now - age
        language = rng.choices(("cs", "sk", "en"), (78, 15, 7))[0]
        currency, country, _ = MARKETS[language]
        order = self._head(number_, language, created, fresh=fresh or bool(broken))
        kinds = min(len(self.pool), rng.choices((1, 2, 3, 5), (40, 35, 20, 5))[0])
        lines = [
            self._line(item, language, rng.choices((1, 2, 3), (75, 18, 7))[0])
            for item in rng.sample(self.pool, kinds)
        ]
        if number_ % 12 == 5:
            lines[0]["quantity"] = 3
            price_line(lines[0], Decimal(str(lines[0]["price_per_unit_with_vat"])), 3)
            lines.append(self._discount_line(lines[0]))
        if number_ % 10 == 3 and self.goods.sets:
            lines += self._set_lines(language, carries=number_ % 20 == 3)
        if number_ % 14 == 6:
            lines.append(self._gift(language))
        if broken == "unknown_sku" and self.strangers:
            lines.append(self._line(self.strangers[0], language, 1))
        if broken == "manual_line":
            lines.append(self._manual_line(language))
        if broken == "fractional":
            lines[0]["quantity"] = 1.5
            price_line(lines[0], Decimal(str(lines[0]["price_per_unit_with_vat"])), Decimal("1.5"))
        order["products"] = lines
        self._discounts(order, number_, currency)
        self._delivery(order, number_, country)
        if broken == "no_channel":
            order["currency_id"] = "USD"
        write_totals(order)
        if broken == "totals":
            order["order_total"] = number(Decimal(str(order["order_total"])) + 37)
            order["order_total_before_round"] = number(Decimal(str(order["order_total_before_round"])) + 37)
        return order

    def _head(self, number_: int, language: str, created: datetime, *, fresh: bool) -> Json:
        rng = self.rng
        status = RECEIVED if fresh else rng.choices(range(1, 8), (40, 22, 8, 17, 8, 3, 2))[0]
        customer = dict(self.customers[rng.randrange(len(self.customers))])
        until = php_moment(created + timedelta(days=366))
        customer["agreements"] = [
            {"name": "Obchodní podmínky", "valid_to": None, "status": True},
            {"name": "Výzva ke kontrole košíku", "valid_to": until, "status": True},
        ]
        customer["customer_note"] = "Prosím zabalit jako dárek." if number_ % 15 == 0 else ""
        paid = status in (PAID, SENT)
        origin = (
            "frontend" if fresh else rng.choices(("frontend", "admin", "api", CASH_REGISTER), (92, 4, 2, 2))[0]
        )
        return {
            "order_number": f"26{number_:06d}",
            "order_id": number_,
            "case_number": f"B{number_:05d}",
            "uuid": self._uuid(),
            "language_id": language,
            "currency_id": MARKETS[language][0],
            "default_currency_rate": 1 if language == "cs" else 0.04,
            "prices_with_vat_yn": True,
            "status_id": None if number_ % 150 == 80 and not fresh else status,
            "status": None if number_ % 150 == 80 and not fresh else STATUS_NAMES[status, language],
            "paid_date": created.date().isoformat() if paid else None,
            "resolved_yn": status == SENT,
            "oss_yn": language == "sk",
            "statistics_yn": fresh or number_ % 33 != 20,
            "last_update_time": moment(created),
            "creation_time": moment(created),
            "variable_symbol": 26_000_000 + number_,
            "dimensions": nulls("width length height"),
            "total_weight": 0,
            "order_total": 0,
            "order_total_before_round": 0,
            "order_total_rest": 0,
            "origin": origin,
            "admin_url": f"{self.host}/orders/edit-order/default/{number_}",
            "customer": customer,
            **nulls("external_order_number delivered_date tracking_code tracking_url internal_note"),
            **nulls("invoice_number discount_voucher quantity_discount loyalty_points shipment payment"),
            **empty("products attachments metas"),
        }

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _line(self, item: Sellable, language: str, quantity: int, kind: str = "product") -> Json:
        product, variant = item.product, item.variant
        source = variant or product
        title = next((text["title"] for text in product["descriptions"] if text["language"] == language), "")
        line: Json = {
            "product_id": product["product_id"],
            "option_set_id": variant["variant_id"] if variant else None,
            "type": kind,
            "uuid": self._uuid(),
            "code": source["code"],
            "ean": source["ean"],
            "title": title,
            "adult_yn": False,
            "unit": "ks",
            "length_unit": "ks",
            "quantity": quantity,
            "vat": vat_of(product, language),
            "weight": product["weight"],
            "availability": "Skladem",
            "invoice_info": "",
            "categories": [
                {"category_id": row["category_id"], "code": row["code"]} for row in product["categories"]
            ],
            **nulls("parent_uuid code_supplier supplier length buy_price recycling_fee stock_position image_url"),
            **empty("parameters configurations"),
        }
        price_line(line, price_of(product, variant, language) or Decimal(0), quantity)
        return line

    def _discount_line(self, parent: Json) -> Json:
        """2+1 for free: a line of its own with a negative price and its parent's uuid."""
        line = {
            **parent,
            **nulls("product_id option_set_id code ean"),
            "type": "discount",
            "uuid": self._uuid(),
            "parent_uuid": parent["uuid"],
            "title": "Sleva 2+1 zdarma",
            "quantity": 1,
            "parameters": [],
        }
        price_line(line, -Decimal(str(parent["price_per_unit_with_vat"])), 1)
        return line

    def _set_lines(self, language: str, *, carries: bool) -> list[Json]:
        """A set and its parts. Which of them carries the money is not published, so both ways occur."""
        set_id = self.rng.choice(sorted(self.goods.sets))
        head = self._line(Sellable(self.goods.products[set_id], None), language, 1, "set")
        parts: list[Json] = []
        for part_id in self.goods.sets[set_id]:
            part = self._line(Sellable(self.goods.products[part_id], None), language, 1, "set_part")
            part["parent_uuid"] = head["uuid"]
            if carries:
                price_line(part, Decimal(0), 1)
            parts.append(part)
        if not carries:
            price_line(head, Decimal(0), 1)
        return [head, *parts]

    def _gift(self, language: str) -> Json:
        line = self._line(self.pool[len(self.pool) // 2], language, 1, "gift")
        price_line(line, Decimal(0), 1)
        return line

    def _manual_line(self, language: str) -> Json:
        """Typed in by hand in the administration: no product, no code."""
        line = self._line(self.pool[0], language, 1)
        line.update(product_id=None, option_set_id=None, code=None, ean=None, title="Úprava délky", categories=[])
        price_line(line, Decimal(150), 1)
        return line

    def _discounts(self, order: Json, number_: int, currency: str) -> None:
        goods = per_vat(order["products"])
        small = Decimal(100) if currency == "CZK" else Decimal(4)
        enough = sum(goods.values(), Decimal(0)) > 2 * small

        def discount(name: str, amounts: dict[int, Decimal], **how: Any) -> None:
            order[name] = {**how, "discounts": [charge(cents(amount), vat) for vat, amount in amounts.items()]}

        if number_ % 9 == 2:
            tenth = {vat: value / 10 for vat, value in goods.items()}
            discount("discount_voucher", tenth, code=f"JARO{number_}", amount=10, type="percent")
        elif number_ % 9 == 6 and enough:
            amounts = share(goods, small)
            discount("discount_voucher", amounts, code=f"STO{number_}", amount=int(small), type="price")
        if number_ % 16 == 7:
            twentieth = {vat: value / 20 for vat, value in goods.items()}
            discount("quantity_discount", twentieth, amount=5, type="percent")
        if number_ % 22 == 9 and enough:
            discount("loyalty_points", share(goods, small / 2), one_point_for=1, amount=int(small / 2))

    def _delivery(self, order: Json, number_: int, country: str) -> None:
        euro = order["currency_id"] != "CZK"
        free = number_ % 4 == 0
        price = Decimal(0) if free else Decimal("4.5") if euro else Decimal(89)
        rate = 0 if free else 23 if country == "sk" else 21
        pickup = number_ % 3 == 0
        order["shipment"] = {
            "id": 5 if pickup else 4,
            "code": "ZAS" if pickup else "INB",
            "name": "Zásilkovna" if pickup else "WEDO (celá ČR)",
            **charge(price, rate),
            "affiliate_id": "1234" if pickup else None,
            "affiliate_name": "Praha, Lidická 12" if pickup else None,
            "type": "zasilkovna" if pickup else "wedo",
            "packeta_carrier_id": None,
        }
        on_delivery = number_ % 5 == 1
        fee = (Decimal("1.5") if euro else Decimal(39)) if on_delivery else Decimal(0)
        order["payment"] = {
            "id": 2 if on_delivery else 3,
            "code": None,
            "name": "Dobírka" if on_delivery else "Platba předem bankovním převodem",
            "payment_method": "cashOnDelivery" if on_delivery else "command",
            **charge(fee, (23 if country == "sk" else 21) if on_delivery else 0),
            "eet_yn": False,
            "type": "cashOnDelivery" if on_delivery else "command",
        }


def make_orders(order_factory: OrderFactory, count: int, days: float) -> tuple[dict[str, Json], dict[str, str]]:
    """*count* orders over the last *days* days, oldest first, and the broken ones with their reason."""
    broken_at = {count * (place + 1) // (len(BROKEN) + 2): reason for place, reason in enumerate(BROKEN)}
    orders: dict[str, Json] = {}
    broken: dict[str, str] = {}
    for index in range(count):
        age = timedelta(days=days) * (1 - (index + 0.5) / count)
        reason = broken_at.get(index, "") if count > len(BROKEN) else ""
        if reason == "unknown_sku" and not order_factory.strangers:
            reason = ""
        order = order_factory.order(age=age, broken=reason)
        orders[order["order_number"]] = order
        if reason:
            broken[order["order_number"]] = reason
    return orders, broken
