"""Which new names in a shop's lists a person has to map, before an order has one of them. Pure."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from upbridge.domain.delivery import Issue, ProblemKey, Unmappable
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.statuses import ENDED, SHIPPED
from upbridge.systems.base import MappingContext

_Listed: TypeAlias = Mapping[int, Mapping[str, str]]


class _NoRow(ProblemKey):
    CARRIER = "carrier.no_row"
    PAYMENT = "payment.no_row"


def new_names(before: ShopProfile | None, context: MappingContext) -> Iterator[Unmappable]:
    """What is to be decided about names that *before* has not heard of: order statuses, ways to deliver and to
    pay. None: about all names."""
    yield from _statuses(before or ShopProfile(), context)
    facts, chosen = context.facts, context.settings
    if chosen.yes("uphance.send_orders"):
        former = before or ShopProfile(carriers={}, payments={})
        rows = chosen.get("uphance.carriers"), chosen.get("uphance.payment_terms")
        yield from _without_row(_NoRow.CARRIER, facts, facts.carriers, former.carriers, rows[0])
        yield from _without_row(_NoRow.PAYMENT, facts, facts.payments, former.payments, rows[1])


def _statuses(before: ShopProfile, context: MappingContext) -> Iterator[Unmappable]:
    """Where the shop chose the statuses that send orders (`uphance.order_statuses`), a new one does not send:
    that is asked. Where it chose none, the type decides. A second status of shipped orders makes it unclear which
    of them is written (`shipments.status`)."""
    facts, shop_settings = context.facts, context.settings
    known = before.known_statuses()
    chosen = shop_settings.get("uphance.order_statuses")
    sends, ships = shop_settings.yes("uphance.send_orders"), shop_settings.yes("shipments.write")
    shipped = facts.statuses_of(SHIPPED)
    for number in sorted({*facts.status_names, *facts.status_types} - known.keys()):
        said = {"status": number, "name": facts.status_name(number)}
        type_ = facts.status_type(number)
        if type_ == SHIPPED:
            if ships and len(shipped) > 1 and shop_settings.number("shipments.status") is None:
                yield Unmappable("status", str(number), Issue("status.several_shipped", said))
        elif type_ not in ENDED and sends and chosen and number not in chosen:
            yield Unmappable("status", str(number), Issue("status.not_chosen", said))


def _without_row(
    key: _NoRow, facts: ShopProfile, listed: _Listed | None, known: _Listed | None, rows: Mapping[str, str]
) -> Iterator[Unmappable]:
    """Where the shop chose what some of its ways to deliver (or to pay) are called in Uphance, a new one has no
    such row. Where it chose none, each goes by its own name, and nothing is asked. A list that is read for the
    first time has nothing new."""
    if not rows or listed is None or known is None:
        return
    for number in sorted(listed.keys() - known.keys()):
        if str(number) not in rows:
            said = {"name": facts.name_of(number, listed[number]), "number": number}
            yield Unmappable(key.partition(".")[0], str(number), Issue(key, said))
