"""A setting cannot name a price list, a language, a status or a channel that does not exist."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.engine import Engine
from upbridge.core.errors import BadRequest

FACTS = {
    "languages": ["cs", "sk", "de"],
    "currencies": {"cs": "CZK", "sk": "EUR"},
    "pricelists": ["Výchozí", "VIP"],
    "status_types": {"4": "Sent", "5": "Canceled"},
    "status_names": {"4": {"cs": "Odesláno"}},
    "default_language": "cs",
}
CHANNELS = {"channels": [{"id": 7, "name": "Eshop", "currency": "CZK"}]}


async def change(machine: Engine, facts: dict[str, Any] | None, **texts: str) -> dict[str, Any]:
    """Type settings in a shop of which *facts* are known, which Uphance has a channel for; what is chosen then."""
    if "uphance" not in await machine.service.connections.of(machine.shop_id):
        await machine.connect("uphance", facts=CHANNELS)
    shop = replace(await machine.shop(), facts=facts)
    typed = {key.replace("__", "."): text for key, text in texts.items()}
    return dict((await machine.service.settings_editor.change(shop, typed)).chosen)


@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("upp__pricelist", "VlP", "upp.pricelist: VlP does not exist (there are: Výchozí, VIP)"),
        ("upp__language", "en", "upp.language: en does not exist (there are: cs, sk, de)"),
        ("shipments__status", "9", "shipments.status: 9 does not exist (there are: 4 (Odesláno), 5)"),
        (
            "uphance__order_statuses",
            "4,9",
            "uphance.order_statuses: 9 does not exist (there are: 4 (Odesláno), 5)",
        ),
        ("uphance__channels", "cs/CZK:8", "uphance.channels: 8 does not exist (there are: 7 (Eshop))"),
    ],
)
async def test_what_does_not_exist_is_refused_with_what_there_is(
    machine: Engine, key: str, typed: str, said: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        await change(machine, FACTS, **{key: typed})

    assert str(refused.value) == said
    assert (await machine.shop()).settings.chosen == {}


async def test_what_exists_is_taken_and_what_stands_already_is_no_obstacle(machine: Engine) -> None:
    await change(machine, {**FACTS, "pricelists": ["Old"]}, upp__pricelist="Old", uphance__order_statuses="4")

    chosen = await change(machine, FACTS, uphance__order_statuses="4,5", uphance__channels="cs/CZK:7")

    assert chosen["upp.pricelist"] == "Old"
    assert chosen["uphance.order_statuses"] == [4, 5]
    assert chosen["uphance.channels"] == {"cs/CZK": 7}


@pytest.mark.parametrize("facts", [None, {**FACTS, "unread": ["pricelists"]}])
async def test_a_list_that_was_not_read_refuses_nothing(machine: Engine, facts: dict[str, Any] | None) -> None:
    assert (await change(machine, facts, upp__pricelist="Anything"))["upp.pricelist"] == "Anything"
