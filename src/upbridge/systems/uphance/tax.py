"""Does an order cost in Uphance what it cost in the shop? Prices are sent, the tax is its own. Pure."""

from collections.abc import Mapping
from typing import Any

from upbridge.domain.delivery import Issue
from upbridge.systems.uphance.money import amount_of, hellers
from upbridge.systems.uphance.schemas import number, words

#: How far the total over there may be from the shop's, in hundredths per order, before staff are told. Section
#: 15.1 of the reference (row `vat`) proposes 0.05; the contract has no setting for it. Doubt: tax was seen to be
#: rounded per piece there, so an order of very many pieces may be told of although every rate is right.
TOLERANCE = 5


def tax_remark(sent: Mapping[str, Any], row: Mapping[str, Any]) -> Issue | None:
    """What staff have to know of the sales order *row*: it costs something else there than in the shop.

    *sent* is the trace of the order that it was made of (`content.trace`): the shop's may have changed since.
    Uphance derives tax from rules of its own and may not know the rates of other countries (OSS). Compared is what
    the shop charged before rounding, which has no home over there. An answer without a total that can be read says
    nothing.
    """
    theirs, charged = number(row.get("grand_total")), number(sent.get("charged"))
    if theirs is None or charged is None or abs(hellers(theirs) - (ours := hellers(charged))) <= TOLERANCE:
        return None
    return Issue(
        "order.taxed_otherwise",
        {
            "number": sent["number"],
            "uphance_order": words(row.get("order_number")) or words(row.get("id")),
            "ours": str(amount_of(ours)),
            "theirs": str(amount_of(hellers(theirs))),
            "currency": sent["currency"],
        },
    )
