"""What is said before settings are changed is what then happens."""

import json

import pytest

from tests.operations.connecting import change, connected, make_unconnected, parked, states
from tests.support.engine import Engine, MakeEngine
from tests.support.shop_settings import OTHER
from upbridge.core.errors import BadRequest
from upbridge.operations.settings_preview import SettingsPreview
from upbridge.systems.registry import SYSTEMS

#: Lists of the shop that have what `OTHER` names.
LISTS = {
    "languages": ["cs", OTHER["upp.language"]],
    "pricelists": ["Výchozí", OTHER["upp.pricelist"]],
    "status_types": dict.fromkeys((OTHER["shipments.status"], "1", "2", "3"), "Sent"),
}


@pytest.fixture
async def machine(make_engine: MakeEngine) -> Engine:
    """A shop that is connected to nothing, with both other systems at hand."""
    return await make_unconnected(make_engine)


def test_every_setting_is_tried() -> None:
    assert OTHER.keys() == SYSTEMS.settings.keys()


@pytest.mark.parametrize("key", OTHER)
async def test_what_is_previewed_is_what_happens(machine: Engine, key: str) -> None:
    await connected(machine)
    await parked(machine)
    await machine.run("DELETE FROM changes")
    await machine.run("UPDATE shops SET facts = facts || CAST(:lists AS jsonb)", lists=json.dumps(LISTS))
    texts = {each: OTHER[each] for each in (key, *SYSTEMS.settings[key].needs)}

    preview = await machine.service.settings_previewer.preview(await machine.shop(), texts)

    assert await states(machine) == ["parked"], "looking changes nothing"
    assert await machine.changes() == []
    await change(machine, **texts)
    assert preview.tried == (await states(machine)).count("waiting")
    assert list(preview.reread) == sorted(
        kind.removesuffix("s.page") for kind, _ in await machine.change_keys() if kind.endswith(".page")
    )
    looked = {row["kind"] for row in await machine.changes("uphance")}
    assert preview.compared == bool(looked)


async def test_the_calls_are_those_of_the_known_pages(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 131))
    await connected(machine)

    preview = await machine.service.settings_previewer.preview(await machine.shop(), {"upp.sku_from": "ean"})

    assert preview == SettingsPreview(reread=("order", "product"), calls=1 + 2)


async def test_a_wrong_text_is_refused(machine: Engine) -> None:
    with pytest.raises(BadRequest):
        await machine.service.settings_previewer.preview(await machine.shop(), {"stock.safety": "many"})


async def test_parameters_cost_a_call_more_for_each_page_of_products(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 131))
    await connected(machine)

    preview = await machine.service.settings_previewer.preview(
        await machine.shop(), {"upp.variant_titles": "true"}
    )

    assert preview == SettingsPreview(reread=("product",), calls=2 + 2)
