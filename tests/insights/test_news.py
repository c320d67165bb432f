"""What keeps a shop from being all well: nothing that a light says is left out, and nothing is said twice."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shops import KEY, MakeShop
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import LANGUAGES, Texts, keys
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import FlowFacts, FlowState
from upbridge.insights.news import news_of
from upbridge.insights.words import news_words
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS

#: Reasons that keep no shop from being all well, or that the causes of problems say.
CALM = {"delivered", "nothing_yet", "not_connected", "switched_off", "importing", "reading", "sending", "problems"}
REASONS = sorted({key.rpartition(".")[2] for key in keys("en") if key.startswith("ui.flow_reason.")} - CALM)


@pytest.mark.parametrize("reason", REASONS)
async def test_each_reason_of_a_light_is_said_once_in_every_language(
    engine: AsyncEngine, make_shop: MakeShop, reason: str
) -> None:
    shop = await Shops(engine, Cipher([KEY]), SYSTEMS.settings).get(
        await make_shop(state="suspended" if reason == "stopped" else "active")
    )
    flows = tuple(
        FlowState("order", system, "upgates", system, Light.STOPPED, reason, 8, NOON)
        for system in ("upp", "uphance")
    )

    news = news_of(shop, flows, FlowFacts(), platform="upgates")

    of_a_system = reason in {"broken", "elsewhere", "source_silent", "blocked"}
    assert [one.reason for one in news] == [reason] * (2 if of_a_system else 1)
    assert news[0].count in {8, 0}
    for language in LANGUAGES:
        said = news_words(news[0], shop, Texts(language), SYSTEMS)
        assert not said.startswith("ui.")
