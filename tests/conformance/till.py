"""Made-up orders as the API lists them, and what they come to: a second calculation that shares no code with ours.

    order_total_before_round = lines + shipment + payment - discounts        (all with VAT)
    order_total              = order_total_before_round + order_total_rest

Everything is counted in whole haléř. Not published are: whether a set or its parts carry the money, whether a
gift that shows a price costs it, the sign of discounts. So an order may be read in several ways; right are those
whose sum with VAT is the order's own total, give or take five haléř (the VAT of each part is rounded by itself).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from random import Random
from typing import Any

Json = dict[str, Any]

TOLERANCE = 5
RATES = {"CZK": (21, 12, 0), "EUR": (23, 19, 5, 0)}
DISCOUNTS = ("discount_voucher", "quantity_discount", "loyalty_points")


def haler(value: Any) -> int:
    """An amount in hundredths, halves away from zero."""
    return int((Decimal(str(value)) * 100).to_integral_value(ROUND_HALF_UP))


def crowns(hundredths: int) -> float | int:
    """Hundredths as the API writes an amount."""
    whole, rest = divmod(hundredths, 100)
    return whole if not rest else float(Decimal(hundredths) / 100)


def _rounded(numerator: int, denominator: int) -> int:
    """The quotient, halves away from zero."""
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    return sign * ((2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator)))


# --- what an order comes to -----------------------------------------------------------------------------------


def both(part: Json | None, *, with_vat: bool) -> tuple[int, int]:
    """A part's price with and without VAT; where only `price` is given, the other one follows from the rate."""
    if part is None:
        return 0, 0
    gross, net, rate = part.get("price_with_vat"), part.get("price_without_vat"), part.get("vat") or 0
    if gross is None and net is None:
        if part.get("price") is None:
            return 0, 0
        gross, net = (part["price"], None) if with_vat else (None, part["price"])
    if gross is None:
        return _rounded(haler(net) * (100 + rate), 100), haler(net)
    return haler(gross), _rounded(haler(gross) * 100, 100 + rate) if net is None else haler(net)


def sums(order: Json) -> Iterator[tuple[int, int]]:
    """What *order* comes to, with and without VAT, in every way in which it can be read."""
    flag = order["prices_with_vat_yn"] is not False
    fixed = [both(order["shipment"], with_vat=flag), both(order["payment"], with_vat=flag)]
    for kind in DISCOUNTS:
        for entry in (order[kind] or {}).get("discounts", ()):
            gross, net = both(entry, with_vat=flag)
            fixed.append((-abs(gross), -abs(net)))
    heads = {line["uuid"] for line in order["products"] if line["type"] == "set"}
    worth: dict[str, list[tuple[int, int]]] = {"plain": list(fixed), "set": [], "part": [], "gift": []}
    for line in order["products"]:
        gross, net = both(line, with_vat=flag)
        match line["type"]:
            case "discount":
                worth["plain"].append((-abs(gross), -abs(net)))
            case "set" | "gift":
                worth[line["type"]].append((gross, net))
            case "set_part" if line["parent_uuid"] in heads:
                worth["part"].append((gross, net))
            case _:
                worth["plain"].append((gross, net))
    for gifts, carriers in product(((), ("gift",)), (("set",), ("part",), ("set", "part"))):
        counted = [pair for kind in ("plain", *carriers, *gifts) for pair in worth[kind]]
        yield sum(gross for gross, _ in counted), sum(net for _, net in counted)


def right_sums(order: Json) -> list[tuple[int, int]]:
    """The sums, with and without VAT, of the ways to read *order* by which it adds up; none if it does not."""
    before, total = haler(order["order_total_before_round"]), haler(order["order_total"])
    if abs(abs(total - before) - abs(haler(order["order_total_rest"]))) > 1:
        return []
    return [pair for pair in sums(order) if abs(pair[0] - before) <= TOLERANCE]


def goods(order: Json) -> Counter[str]:
    """The pieces that leave the stock, by code: of a set its parts."""
    pieces: Counter[str] = Counter()
    heads = {line["parent_uuid"] for line in order["products"] if line["type"] == "set_part"}
    for line in order["products"]:
        if line["type"] != "discount" and not (line["type"] == "set" and line["uuid"] in heads):
            pieces[line["code"]] += line["quantity"]
    return pieces


# --- orders ---------------------------------------------------------------------------------------------------


@dataclass
class Till:
    """Rings up one order. Seldom something is wrong with it: `fault` says what."""

    chance: Random
    number: int
    vat_payer: bool = True
    fault: str = ""

    def order(self) -> Json:
        """The order as the API lists it."""
        chance = self.chance
        self.vat_payer = chance.random() > 0.1
        self.currency = chance.choice(("CZK", "CZK", "EUR"))
        self.with_vat = chance.random() > 0.2
        self.explicit = chance.random() > 0.2
        """Whether the amounts with and without VAT are given; answers from before April 2025 have only one."""
        self.fault = chance.choices(("", "total", "fraction", "manual"), (88, 8, 2, 2))[0]
        self.owed = 0
        self.levels: Counter[int] = Counter()
        self.codes = iter(range(1000))
        lines = [line for _ in range(chance.randint(1, 4)) for line in self._goods()]
        if chance.random() < 0.25:
            lines += self._set()
        if chance.random() < 0.2:
            lines.append(self._gift())
        order: Json = {
            "order_number": f"P{self.number}",
            "creation_time": "2026-11-20T09:00:00+01:00",
            "currency_id": self.currency,
            "language_id": "cs" if self.currency == "CZK" else "sk",
            "status_id": 1,
            "origin": "frontend",
            "prices_with_vat_yn": self.with_vat,
            "customer": {"email": "jana@example.cz", "firstname_invoice": "Jana", "surname_invoice": "Nová"},
            "products": lines,
            **{kind: self._discount(kind) if chance.random() < 0.25 else None for kind in DISCOUNTS},
            "shipment": self._charge("PPL", 0) if chance.random() < 0.8 else None,
            "payment": self._charge("Dobírka", -3000) if chance.random() < 0.6 else None,
        }
        chance.shuffle(lines)
        return self._closed(order)

    def _closed(self, order: Json) -> Json:
        """Its totals: in crowns rounded to whole ones, or not, as the shop likes; VAT may put the sum off."""
        before = self.owed + self.chance.choice((0, 0, 0, 0, 1, -2, 5, -5))
        if self.fault == "total":
            before += self.chance.choice((-1, 1)) * self.chance.choice((6, 7, 99, 12_345))
        total = _rounded(before, 100) * 100 if self.currency == "CZK" and self.chance.random() < 0.7 else before
        sign = self.chance.choice((1, 1, 1, -1))  # which one `order_total_rest` has is not published
        return order | {
            "order_total_before_round": crowns(before),
            "order_total": crowns(total),
            "order_total_rest": crowns(sign * (total - before)),
        }

    def _rate(self) -> int:
        return self.chance.choice(RATES[self.currency]) if self.vat_payer else 0

    def _priced(self, hundredths: int, rate: int, *, owed: int = 1) -> Json:
        """A price in the fields of the API, as this shop states one; *owed* times of it is charged."""
        gross, net = hundredths, _rounded(hundredths * 100, 100 + rate)
        if not self.with_vat:
            net, gross = hundredths, _rounded(hundredths * (100 + rate), 100)
        if self.explicit and rate and abs(gross) > 100 and self.chance.random() < 0.3:
            net += self.chance.choice((-1, 1))  # rounded piece by piece, not at the end
        self.owed += owed * gross
        if owed:
            self.levels[rate] += owed * gross
        fields: Json = {"price": crowns(hundredths), "vat": rate}
        if self.explicit:
            fields |= {"price_with_vat": crowns(gross), "price_without_vat": crowns(net)}
        return fields

    def _line(self, kind: str, unit: int, quantity: Any, rate: int, *, owed: int = 1, **more: Any) -> Json:
        number = next(self.codes)
        return {
            "type": kind,
            "uuid": f"u{number}",
            "parent_uuid": None,
            "product_id": 100 + number,
            "option_set_id": None,
            "code": f"K{number}",
            "ean": None,
            "title": f"Zboží {number}",
            "quantity": quantity,
            "price_per_unit": crowns(unit),
            **self._priced(int(unit * quantity), rate, owed=owed),
            **more,
        }

    def _price(self) -> int:
        return (
            self.chance.choice((0, 1, 99, 9_900, 12_345))
            if self.chance.random() < 0.2
            else self.chance.randint(1, 500_000)
        )

    def _goods(self) -> list[Json]:
        rate, quantity = self._rate(), self.chance.choice((1, 1, 1, 2, 3, 7, 13))
        line = self._line("product", self._price(), quantity, rate)
        lines = [line]
        if self.fault == "fraction":
            lines = [self._line("product", 10_000, 1.5, rate)]
        elif self.fault == "manual":
            lines = [line | {"product_id": None, "code": None}]
        elif self.chance.random() < 0.2 and line["price"] > 0:
            off = self.chance.randint(1, max(1, haler(line["price"])))
            sign = self.chance.choice((1, -1))
            lines.append(self._line("discount", off, 1, rate, owed=-1, parent_uuid=line["uuid"], code=None))
            for name in ("price", "price_with_vat", "price_without_vat", "price_per_unit"):
                if name in lines[1]:
                    lines[1][name] *= sign
        return lines

    def _set(self) -> list[Json]:
        """Charged is the set, or its parts; the other side shows nothing, the same again, or its prices alone."""
        rate, carries, shown = self._rate(), self.chance.choice((True, False)), self.chance.choice((True, False))
        units = [self.chance.randint(1, 50_000) for _ in range(self.chance.randint(1, 3))]
        pieces = [self.chance.choice((1, 1, 2)) for _ in units]
        worth = sum(unit * many for unit, many in zip(units, pieces, strict=True))
        cheaper = worth - (self.chance.randint(0, worth // 5) if carries else 0)
        head = self._line("set", cheaper if carries or shown else 0, 1, rate, owed=int(carries))
        parts = [
            self._line(
                "set_part",
                unit if not carries or shown else 0,
                many,
                rate,
                owed=int(not carries),
                parent_uuid=head["uuid"],
            )
            for unit, many in zip(units, pieces, strict=True)
        ]
        return [head, *parts]

    def _gift(self) -> Json:
        """A gift with no price, with one that is only shown, or with one that is charged."""
        price, charged = self.chance.choice(((0, 0), (0, 0), (15_000, 0), (100, 1)))
        return self._line("gift", price, 1, self._rate(), owed=charged)

    def _discount(self, kind: str) -> Json:
        """A discount on the whole order, an entry per VAT level; sometimes larger than the goods of its level."""
        entries = []
        for rate, worth in sorted(self.levels.items()):
            if worth > 0 and self.chance.random() < 0.7:
                share = self.chance.choice(
                    (5, 10, 15, 33, 50, 100, 110) if self.chance.random() < 0.3 else (3, 7, 10)
                )
                entry = self._priced(_rounded(worth * share, 100), rate, owed=0)
                self.owed -= both(entry, with_vat=self.with_vat)[0]
                sign = self.chance.choice((1, 1, -1))
                entries.append({name: (value if name == "vat" else value * sign) for name, value in entry.items()})
        return {"code": f"{kind}-1", "discounts": entries}

    def _charge(self, name: str, lowest: int) -> Json:
        amount = self.chance.choice((0, self.chance.randint(lowest, 20_000)))
        return {"name": name, **self._priced(amount, self._rate())}
