"""Every copy against its origin: what is lost, doubled, different, or should not be there."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from upbridge_sandbox.demo import uphance_rules, upp_rules
from upbridge_sandbox.demo.upp_rules import Json

LOST, DOUBLED, DIFFERENT, UNWANTED, SILENT = "lost", "doubled", "different", "unwanted", "silent"


@dataclass(frozen=True, slots=True)
class Finding:
    """One copy that is not as it should be. `silent`: no problem says that something cannot be sent."""

    flow: str
    kind: str
    entity: str
    detail: str = ""


@dataclass(slots=True)
class Verdict:
    """The outcome of comparing one flow."""

    flow: str
    origins: int = 0
    copies: int = 0
    parked: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, entity: str, detail: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(self.flow, kind, entity, detail[:160]))

    def count(self, kind: str) -> int:
        """How many findings are of *kind*."""
        return sum(item.kind == kind for item in self.findings)


@dataclass(frozen=True, slots=True)
class Origin:
    """What the simulated shop holds now, held before, and deleted."""

    products: list[Json]
    deleted_products: list[Json]
    orders: dict[str, Json]
    versions: dict[str, list[Json]]
    market: upp_rules.Market = upp_rules.FIRST_MARKET

    def former_numbers(self) -> dict[str, list[str]]:
        """By each number that an order has now, or had last: those that it had before, the oldest first.

        A number that its order has given up is not among the keys, unless another order has it.
        """
        numbers: dict[str, list[str]] = {}
        for number, versions in self.versions.items():
            for who in {str(version["uuid"] or number) for version in versions}:
                numbers.setdefault(who, []).append(number)
        last = {number: numbers[str(versions[-1]["uuid"] or number)] for number, versions in self.versions.items()}
        return {number: had[:-1] for number, had in last.items() if had[-1] == number}


@dataclass(frozen=True, slots=True)
class Problems:
    """The add-on's list of what needs a person, by anything that names the entity."""

    rows: list[Json]

    def about(self, names: set[str], target: str | None = None) -> bool:
        """Whether a problem names one of *names*."""
        return any(names & _words(row) for row in self.rows if target in (None, row.get("target")))

    def others(self, names: set[str]) -> list[Json]:
        """The problems that name none of *names*."""
        return [row for row in self.rows if not names & _words(row)]


def _words(row: Json) -> set[str]:
    text = f"{row.get('entity')} {row.get('message')}"
    for character in ",;:()[]'\"":
        text = text.replace(character, " ")
    return set(text.split())


def upp_products(origin: Origin, copies: dict[str, Json], problems: Problems) -> Verdict:
    """Upgates products against Upp.ai's."""
    verdict = Verdict("products → Upp.ai", copies=len(copies))
    expected: dict[str, Json | None] = {}
    names: dict[str, set[str]] = {}
    for product in origin.deleted_products:
        expected.update(dict.fromkeys(upp_rules.product_ids(product)))
    for product in origin.products:
        documents = upp_rules.product_documents(product, origin.market)
        expected.update(documents)
        names.update(dict.fromkeys(documents, _product_names(product)))
        if upp_rules.has_problem(product, origin.market):
            verdict.parked += 1
            if not problems.about(_product_names(product)):
                verdict.add(SILENT, str(product["product_id"]), "has no price, and no problem says so")
    counts = upp_rules.sku_counts(origin.products, origin.market)
    for key, document in expected.items():
        if document is None:
            _compare_retired(verdict, key, copies.get(key))
            continue
        verdict.origins += 1
        twin = counts[str(document["sku"]).lower()] > 1
        listed = twin and problems.about(names[key] | {key, str(document["sku"])})
        _compare_product(verdict, key, document, copies.get(key), listed=listed)
    for key in copies.keys() - expected.keys():
        verdict.add(UNWANTED, key, "the shop has no such thing")
    return verdict


def _compare_retired(verdict: Verdict, key: str, copy: Json | None) -> None:
    """What is not for sale is not there, or with stock 0 and not active."""
    if copy is not None and not (copy.get("stock") == 0 and copy.get("active") is False):
        verdict.add(UNWANTED, key, "is not for sale, but stands there as if it were")


def _compare_product(verdict: Verdict, key: str, document: Json, copy: Json | None, *, listed: bool) -> None:
    """*listed*: a problem says that its SKU is another's too; then only one of the two is sent."""
    if copy is None:
        if not listed:
            verdict.add(LOST, key, str(document["sku"]))
    elif (wrong := _difference(document, copy)) and not (listed and copy.get("active") is False):
        verdict.add(DIFFERENT, key, wrong)


def upp_orders(origin: Origin, copies: dict[str, Json]) -> Verdict:
    """Upgates orders against Upp.ai's. One that got another number stays what it was under its former one."""
    verdict = Verdict("orders → Upp.ai", copies=len(copies))
    for number, former in origin.former_numbers().items():
        now = origin.orders.get(number)
        there = {name: copies[name] for name in (*former, number) if name in copies}
        versions = [version for name in (*former, number) for version in origin.versions[name]]
        wanted = now if now is not None and upp_rules.order_wanted(now) else None
        verdict.origins += wanted is not None
        if len(there) > 1:
            verdict.add(DOUBLED, number, f"is there as {', '.join(there)}")
        elif wanted is not None and not there:
            verdict.add(LOST, number)
        elif wanted is not None and number in there:
            if wrong := _difference(upp_rules.order_document(wanted), there[number]):
                verdict.add(DIFFERENT, number, wrong)
        elif there and not any(_is_sent_as(version, copy) for copy in there.values() for version in versions):
            verdict.add(UNWANTED, number, "was never to be sent like this")
    for number in copies.keys() - origin.versions.keys():
        verdict.add(UNWANTED, number, "the shop has no such order")
    return verdict


def _is_sent_as(version: Json, copy: Json) -> bool:
    """Whether *copy* is what an order was once."""
    return upp_rules.order_wanted(version) and not _difference(upp_rules.order_document(version), copy)


def uphance_orders(
    origin: Origin, copies: list[Json], skus: uphance_rules.Skus, problems: Problems, key: str
) -> Verdict:
    """Upgates orders against Uphance's drafts, each under the number that its order had when it was sent."""
    verdict = Verdict("orders → Uphance", copies=len(copies))
    by_reference: dict[str, list[Json]] = {}
    for copy in copies:
        by_reference.setdefault(str(copy["purchase_order_ref"]), []).append(copy)
    for number, former in origin.former_numbers().items():
        references = {f"UPG-{key}-{name}": name for name in (*former, number)}
        drafts = [draft for name in references for draft in by_reference.pop(name, [])]
        versions = [version for name in references.values() for version in origin.versions[name]]
        now = origin.orders.get(number)
        wanted = uphance_rules.sales_order(now, skus) if now and uphance_rules.sendable(now) else None
        listed = problems.about({*references, *references.values()})
        if len(drafts) > 1:
            verdict.add(DOUBLED, number, f"{len(drafts)} drafts")
        elif isinstance(wanted, uphance_rules.SalesOrder):
            verdict.origins += 1
            wrong = _wrong_draft(wanted, drafts, versions, skus, listed=listed)
            if wrong:
                verdict.add(wrong[0], number, wrong[1])
        elif isinstance(wanted, uphance_rules.Parked) and not drafts:
            verdict.parked += 1
            if not listed:
                verdict.add(SILENT, number, f"cannot be sent ({wanted.reason}), and no problem says so")
        elif drafts and not _like_any(drafts[0], versions, skus):
            verdict.add(UNWANTED, number, "was never to be sent like this")
    for reference in by_reference:
        verdict.add(UNWANTED, reference, "the shop has no such order")
    return verdict


def _wrong_draft(
    wanted: uphance_rules.SalesOrder,
    drafts: list[Json],
    versions: list[Json],
    skus: uphance_rules.Skus,
    *,
    listed: bool,
) -> tuple[str, str] | None:
    """What is wrong with the draft that an order should have. *listed*: a problem says that it has changed."""
    if not drafts:
        return LOST, ""
    sent = uphance_rules.as_sent(drafts[0])
    if sent == wanted or (listed and _like_any(drafts[0], versions, skus)):
        return None
    return DIFFERENT, f"{sent} is not {wanted}"


def _like_any(draft: Json, versions: list[Json], skus: uphance_rules.Skus) -> bool:
    """Whether a draft is what the order was once: a sent order is not changed, a problem says so."""
    sent = uphance_rules.as_sent(draft)
    return any(uphance_rules.sales_order(item, skus) == sent for item in versions if uphance_rules.sendable(item))


def uphance_customers(origin: Origin, orders: list[Json], customers: list[Json], key: str) -> Verdict:
    """The shoppers of sent orders against Uphance's customers."""
    verdict = Verdict("customers → Uphance", copies=len(customers))
    by_id = {customer["id"]: customer for customer in customers}
    references = Counter(customer["reference"] for customer in customers)
    for reference, count in references.items():
        if count > 1:
            verdict.add(DOUBLED, str(reference)[:12], f"{count} customers with one reference")
    used: set[int] = set()
    for copy in orders:
        number = str(copy["purchase_order_ref"]).removeprefix(f"UPG-{key}-")
        customer = by_id.get(copy["company_id"])
        versions = origin.versions.get(number, [])
        if customer is None or not versions:
            verdict.add(LOST, number, "the order's customer")
            continue
        used.add(customer["id"])
        wrong = [uphance_rules.wrong_customer(customer, item, key) for item in versions]
        if all(wrong):
            verdict.add(DIFFERENT, number, wrong[-1])
    verdict.origins = len(used)
    for customer in customers:
        if customer["id"] not in used:
            verdict.add(UNWANTED, str(customer["id"]), "no order has this customer")
    return verdict


def expected_problems(origin: Origin, skus: uphance_rules.Skus, key: str) -> set[str]:
    """Names of everything that may rightly be on the list of problems."""
    names: set[str] = set()
    counts = upp_rules.sku_counts(origin.products, origin.market)
    for product in origin.products:
        twins = any(counts[code] > 1 for code in upp_rules.sku_counts([product], origin.market))
        if twins or upp_rules.has_problem(product, origin.market):
            names |= _product_names(product) | {row["code"] for row in product["variants"] if row["code"]}
    former = origin.former_numbers()
    for number, versions in origin.versions.items():
        now = origin.orders.get(number)
        changed = now is None or len(versions) > 1 or former.get(number)
        bad = any(isinstance(uphance_rules.sales_order(item, skus), uphance_rules.Parked) for item in versions)
        if changed or bad or not upp_rules.adds_up(versions[-1]):
            names |= {number, f"UPG-{key}-{number}"}
    return names


def _product_names(product: Json) -> set[str]:
    return {str(product["product_id"]), f"p-{product['product_id']}", *upp_rules.product_ids(product)} | (
        {product["code"]} if product["code"] else set()
    )


def _difference(expected: Json, copy: Json) -> str:
    """The first field in which *copy* is not *expected*; fields that are expected and more are looked at."""
    for name, value in expected.items():
        if not _same(value, copy.get(name)):
            return f"{name}: {copy.get(name)!r} is not {value!r}"
    for name in ("stock", "costOfGoods", "imageUrl", "salePrice", "ean"):
        if name in copy and name not in expected:
            return f"{name}: {copy[name]!r} should not be there"
    return ""


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, list):
        same_length = isinstance(got, list) and len(wanted) == len(got)
        return same_length and all(_same(one, other) for one, other in zip(wanted, got, strict=True))
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(_same(value, got.get(name)) for name, value in wanted.items())
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, int | float) and isinstance(got, int | float):
        return math.isclose(wanted, got, abs_tol=0.001)
    return bool(wanted == got)
