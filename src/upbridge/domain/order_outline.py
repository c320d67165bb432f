"""What is kept of an order that was read, for the pages: amounts and goods, nothing of its customer."""

from datetime import datetime
from decimal import Decimal

from pydantic import ConfigDict

from upbridge.core.parsing import storable
from upbridge.domain.order import LineType, Order
from upbridge.domain.value import Value

#: Orders of wholesale may have thousands of lines; a page shows so many of them.
MOST_LINES = 50


class OutlineLine(Value):
    """A line: *amount* is what it came to with VAT. Only goods of the catalogue have a title: what was typed into
    an order by hand may be about its customer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str | None = None
    title: str | None = None
    quantity: Decimal
    amount: Decimal


class OrderOutline(Value):
    """An order in short. Amounts are in *currency*, with VAT. What a newer version keeps beside it is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    currency: str
    total: Decimal
    status_id: int | None = None
    origin: str
    language: str | None = None
    admin_url: str | None = None
    shipping: Decimal | None = None
    payment: Decimal | None = None
    discounts: Decimal | None = None
    rounding: Decimal | None = None
    lines: tuple[OutlineLine, ...] = ()
    more_lines: int = 0
    updated_at: datetime | None = None

    @classmethod
    def of(cls, order: Order) -> "OrderOutline":
        """The outline of *order*."""
        lines = [line for line in order.lines if line.type is not LineType.SET_PART]
        return cls(
            currency=storable(order.currency),
            total=order.total,
            status_id=order.status_id,
            origin=storable(order.origin),
            language=_text(order.language),
            admin_url=_text(order.admin_url),
            shipping=order.shipping.amount.with_vat if order.shipping else None,
            payment=order.payment.amount.with_vat if order.payment else None,
            discounts=-sum((one.amount.with_vat for one in order.discounts), Decimal()) or None,
            rounding=order.rounding or None,
            lines=tuple(
                OutlineLine(
                    code=_text(line.code),
                    title=_text(line.title) if line.product_id is not None else None,
                    quantity=line.quantity,
                    amount=line.total.with_vat,
                )
                for line in lines[:MOST_LINES]
            ),
            more_lines=max(len(lines) - MOST_LINES, 0),
            updated_at=order.updated_at,
        )


def _text(said: str | None) -> str | None:
    """What the shop said, as a table takes it."""
    return None if said is None else storable(said)
