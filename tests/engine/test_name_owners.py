"""The same name in several products: the oldest is sent, the others wait for a name of their own."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.upp import make_product, make_variant
from upbridge.domain.product import Product
from upbridge.systems.base import NameOwner, UniqueName
from upbridge.systems.upp.mapping import product_documents, tombstone


def goods(product_id: int, code: str | None, *, active: bool = True, **overrides: Any) -> Product:
    """A product whose only variant has ten times its number."""
    variant = make_variant(10 * product_id, product_id=product_id, code=code, **overrides)
    return make_product(variant, product_id=product_id, active=active)


def first(machine: Engine) -> dict[str, NameOwner]:
    """Who bears names first, as the target was told last."""
    return dict(machine.target.fronts[-1].name_owners.first)


@pytest.fixture(autouse=True)
def by_code(machine: Engine) -> None:
    machine.target.apart_by = UniqueName.CODE


async def test_the_oldest_product_bears_a_name_first_in_any_case(machine: Engine) -> None:
    await machine.settle(goods(7, "AB-1"))
    await machine.settle(goods(3, "ab-1 "))

    await machine.settle(goods(9, "Ab-1"))

    assert first(machine) == {"ab-1": NameOwner(3, "v-30")}


@pytest.mark.parametrize(("one", "other"), [("ČERNÁ-1", "černá-1"), ("ß-1", "ß-1"), ("a_1%", "A_1%")])
async def test_case_is_folded_beyond_ascii_in_every_locale_of_the_database(
    machine: Engine, one: str, other: str
) -> None:
    await machine.settle(goods(3, one))
    await machine.settle(goods(7, other))
    assert {bearer.key for bearer in first(machine).values()} == {"v-30"}

    await machine.settle(goods(3, one))

    assert {bearer.key for bearer in first(machine).values()} == {"v-30"}


async def test_eans_are_looked_at_where_the_target_goes_by_them(machine: Engine) -> None:
    machine.target.apart_by = UniqueName.EAN
    await machine.settle(goods(3, "A", ean="859"))

    await machine.settle(goods(7, "B", ean="859"))

    assert first(machine) == {"859": NameOwner(3, "v-30")}


async def test_a_target_that_goes_by_ids_gets_no_names_and_nothing_is_read_again(machine: Engine) -> None:
    machine.target.apart_by = None
    await machine.settle(goods(3, "A"))

    await machine.settle(goods(7, "A"))

    assert (first(machine), machine.again) == ({}, set())


async def test_what_is_not_on_offer_bears_no_name(machine: Engine) -> None:
    await machine.settle(goods(3, "A", active=False), goods(4, "A"))
    await machine.settle(goods(5, None), goods(6, " "))

    await machine.settle(goods(7, "A"))

    assert first(machine) == {"a": NameOwner(4, "v-40")}


async def test_another_shop_is_another_world(machine: Engine) -> None:
    await machine.settle(goods(3, "A"))
    other = replace(machine, shop_id=await machine.make_shop())
    await other.connect("upp")

    await other.settle(goods(7, "A"))

    assert first(machine) == {"a": NameOwner(7, "v-70")}


class TestReadingAgain:
    """What is held is not read again by itself: who takes or gives up a name says so."""

    async def test_who_takes_a_name_has_its_other_owners_read_again(self, machine: Engine) -> None:
        await machine.settle(goods(7, "AB-1"), goods(8, "other"))
        assert machine.again == set()

        await machine.settle(goods(3, "ab-1"))

        assert machine.again == {"7"}

    @pytest.mark.parametrize("how", ["renamed", "hidden", "deleted"])
    async def test_so_has_who_gives_it_up(self, machine: Engine, how: str) -> None:
        await machine.settle(goods(3, "ab-1"), goods(7, "AB-1"))

        match how:
            case "renamed":
                await machine.settle(goods(3, "new"))
            case "hidden":
                await machine.settle(goods(3, "ab-1", active=False))
            case _:
                await machine.settle(missing=("3",))

        assert machine.again == {"7"}

    async def test_what_keeps_its_name_has_no_product_read_again(self, machine: Engine) -> None:
        await machine.settle(goods(3, "ab-1"), goods(7, "AB-1"))

        await machine.settle(goods(3, "ab-1", stock=5))
        await machine.settle(goods(7, "AB-1"))

        assert machine.again == set()


@pytest.mark.situation("product.case")
class TestUpp:
    """The whole way, with Upp's own mapping."""

    @pytest.fixture(autouse=True)
    async def upp(self, machine: Engine) -> None:
        shop = await machine.shop()
        [row] = (await machine.service.connections.of(machine.shop_id)).values()
        context = machine.service.connected.context(shop, row)

        def wants(entity: Any) -> Any:
            return product_documents(entity, replace(context, name_owners=machine.target.fronts[-1].name_owners))

        machine.target.mapping, machine.target.tombstone = wants, tombstone  # type: ignore[method-assign]

    async def sent(self, machine: Engine) -> list[tuple[str, bool]]:
        machine.target.received.clear()
        await machine.push()
        return [(body["externalProductId"], body["active"]) for body in machine.target.bodies()]

    async def test_only_the_oldest_is_sent_and_the_other_goes_when_its_code_is_its_own(
        self, machine: Engine
    ) -> None:
        await machine.settle(goods(3, "AB-1"))
        await machine.settle(goods(7, "ab-1"))

        assert await self.sent(machine) == [("v-30", True)]
        [problem] = await machine.problems()
        assert (problem.entity, problem.key) == ("v-70", "product.sku_twice")
        assert problem.params == {"sku": "ab-1", "other": "v-30"}

        await machine.settle(goods(7, "ab-2"))

        assert await self.sent(machine) == [("v-70", True)]
        assert await machine.problems() == []

    async def test_it_goes_too_when_the_older_one_gets_another_code(self, machine: Engine) -> None:
        await machine.settle(goods(3, "AB-1"), goods(7, "ab-1"))
        await self.sent(machine)

        await machine.settle(goods(3, "AB-3"))
        assert machine.again == {"7"}
        await machine.settle(goods(7, "ab-1"))

        assert await self.sent(machine) == [("v-30", True), ("v-70", True)]
        assert await machine.problems() == []

    async def test_an_older_one_that_comes_later_takes_over(self, machine: Engine) -> None:
        await machine.settle(goods(7, "ab-1"))
        assert await self.sent(machine) == [("v-70", True)]

        await machine.settle(goods(3, "AB-1"))
        assert machine.again == {"7"}
        await machine.settle(goods(7, "ab-1"))

        assert sorted(await self.sent(machine)) == [("v-30", True), ("v-70", False)]
        assert [problem.entity for problem in await machine.problems()] == ["v-70"]
