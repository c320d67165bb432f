"""Does an order cost in Uphance what it cost in the shop? Prices are sent, the tax is its own. Pure."""

from collections.abc import Mapping
from typing import Any

from upbridge.domain.delivery import Issue
from upbridge.domain.money import rounded, same_total
from upbridge.systems.uphance.schemas import number, words


def tax_remark(sent: Mapping[str, Any], row: Mapping[str, Any]) -> Issue | None:
    """What staff have to know of the sales order *row*: it costs something else there than in the shop.

    *sent* is the trace of the order that it was made of (`content.trace`): the shop's may have changed since.
    Uphance derives tax from rules of its own and may not know the rates of other countries (OSS). Compared is what
    the shop charged before rounding, which has no home over there. An answer without a total that can be read says
    nothing.

    Assumption: Uphance rounds tax per piece, so an order of very many pieces may be remarked although every
    rate is right.
    """
    theirs, ours = number(row.get("grand_total")), number(sent.get("charged"))
    if theirs is None or ours is None or same_total(rounded(theirs), rounded(ours)):
        return None
    return Issue(
        "order.taxed_otherwise",
        {
            "number": sent["number"],
            "uphance_order": words(row.get("order_number")) or words(row.get("id")),
            "ours": str(rounded(ours)),
            "theirs": str(rounded(theirs)),
            "currency": sent["currency"],
        },
    )
