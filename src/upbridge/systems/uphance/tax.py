"""Does an order cost in Uphance what it cost in the shop? Prices are sent, the tax is its own. Pure."""

from collections.abc import Mapping
from typing import Any

from upbridge.domain.delivery import Issue
from upbridge.domain.money import rounded, same_total
from upbridge.systems.uphance.schemas import number, string


def tax_remark(sent: Mapping[str, Any], row: Mapping[str, Any]) -> Issue | None:
    """The issue for staff if the sales order *row* costs something else in Uphance than in the shop.

    *sent* is the trace of the order as it was sent: the shop's order may have changed since. Uphance derives tax
    from its own rules and may not know the rates of other countries (OSS). The shop's total before rounding is
    compared, because Uphance has no field for rounding. An answer without a readable total gives no issue.

    Assumption: Uphance rounds tax per piece, so an order of very many pieces may get an issue although every rate
    is right.
    """
    theirs, ours = number(row.get("grand_total")), number(sent.get("charged"))
    if theirs is None or ours is None or same_total(rounded(theirs), rounded(ours)):
        return None
    return Issue(
        "order.taxed_otherwise",
        {
            "number": sent["number"],
            "uphance_order": string(row.get("order_number")) or string(row.get("id")),
            "ours": str(rounded(ours)),
            "theirs": str(rounded(theirs)),
            "currency": sent["currency"],
        },
    )
