"""Products that Uphance lacks: what is made of them, against the simulated Uphance, and never twice."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import FakeLinks, FakeVault
from tests.support.shop_settings import make_settings
from tests.support.shops import MakeShop
from tests.support.uphance import FACTS, refresh_skus
from tests.support.uphance_sandbox import BASE, Cable
from upbridge.core.errors import Unreachable
from upbridge.domain.delivery import (
    Delivered,
    DesiredDocument,
    Document,
    Dropped,
    Issue,
    Link,
    Outcome,
    Parked,
    Retry,
)
from upbridge.domain.product import Price, Product, ProductText, Variant
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.store import schema
from upbridge.systems.base import Connection, MappingContext
from upbridge.systems.uphance.client import UphanceClient, login
from upbridge.systems.uphance.product_mapping import NewProduct, map_product
from upbridge.systems.uphance.target import UphanceTarget
from upbridge_sandbox.faults import Faults
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.api import uphance_api
from upbridge_sandbox.uphance.organisations import Organisation

RULES: Mapping[str, Any] = {
    "uphance.create_products": True,
    "uphance.color_parameter": "Barva",
    "uphance.size_parameter": "velikost",
}
SHOP = ShopProfile(default_language="cs", currencies={"cs": "CZK"}, default_pricelist="Výchozí")


def variant(number: int | None, color: str | None = None, size: str | None = None, **overrides: Any) -> Variant:
    worn = (("Barva", color), ("Velikost", size))
    values: dict[str, Any] = {
        "id": "p-17" if number is None else f"v-{number}",
        "product_id": 17,
        "variant_id": number,
        "code": f"T-{number}",
        "ean": None,
        "stock": Decimal(3),
        "stock_own": True,
        "active": True,
        "image": None,
        "prices": (price(),),
        "parameters": tuple((name, value) for name, value in worn if value is not None),
        **overrides,
    }
    return Variant(**values)


def price(**overrides: Any) -> Price:
    values: dict[str, Any] = {
        "language": "cs",
        "currency": "CZK",
        "pricelist": "Výchozí",
        "with_vat": Decimal(121),
        "without_vat": Decimal(100),
        **overrides,
    }
    return Price(**values)


def product(*variants: Variant, **overrides: Any) -> Product:
    values: dict[str, Any] = {
        "product_id": 17,
        "code": "TRIKO",
        "active": True,
        "is_set": False,
        "texts": (ProductText(language="cs", title="Triko", description="<p>Měkké &amp; <b>lehké</b></p>"),),
        "manufacturer": None,
        "category": None,
        "backorder": None,
        "weight": None,
        "variants": variants or (variant(1, "Červená", "M"), variant(2, "Červená", "L"), variant(3, "Modrá", "M")),
        "updated_at": None,
        **overrides,
    }
    return Product(**values)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<p>Měkké &amp; <b>lehké</b></p>", "Měkké & lehké"),
        ("<style>p{color:red}</style><p>Ahoj</p><script>x()</script>", "Ahoj"),
        ('<STYLE type="text/css">\np > b {}\n</STYLE >Ahoj<script src="x"></script\n>', "Ahoj"),
        ("Ahoj<script>if (a < b) { '<p>' }", "Ahoj"),
        ("<!-- <style> -->Ahoj<!-- </style> -->", "Ahoj"),
        ("<p>Ahoj</p><scripture>svět</scripture>", "Ahoj svět"),
        (
            "<p>Měkké</p><p>lehké<br>prodyšné</p><ul><li>bavlna</li><li>len</li></ul>",
            "Měkké lehké prodyšné bavlna len",
        ),
        ("bez<b>pečné</b>", "bezpečné"),
        ("délka 3 < 5 a šířka 7 > 2", "délka 3 < 5 a šířka 7 > 2"),
        ("<a title='x > y'>Ahoj</a>", "Ahoj"),
        ("&nbsp;Ahoj&nbsp;světe", "Ahoj světe"),
        ("<noscript>Zapněte skripty</noscript><template>vzor</template><title>Triko</title>Ahoj", "Ahoj"),
        ("<style>nikdy neskončí", None),
        ("&lt;script&gt; je značka", "<script> je značka"),
        ("<script>x()</script>", None),
        ("", None),
    ],
)
def test_a_description_is_what_a_reader_sees(written: str, shown: str | None) -> None:
    one = product(texts=(ProductText(language="cs", title="Triko", description=written),))
    tx = Connection(ShopId(None), "shop", "uphance", "5", "", NOON, FACTS)  # type: ignore[arg-type]
    context = MappingContext(make_settings(RULES), SHOP, tx, NOON)

    made = map_product(one, one.variants, context)

    assert isinstance(made, NewProduct)
    assert made.description == shown


@pytest.mark.parametrize(("language", "name"), [(None, "Triko"), ("en", "T-shirt")])
def test_a_product_has_the_language_in_which_its_parameters_were_read(language: str | None, name: str) -> None:
    texts = (ProductText(language="cs", title="Triko"), ProductText(language="en", title="T-shirt"))
    one = product(texts=texts)
    tx = Connection(ShopId(None), "shop", "uphance", "5", "", NOON, FACTS)  # type: ignore[arg-type]
    context = MappingContext(make_settings(RULES), SHOP, tx, NOON, text_language=language)

    made = map_product(one, one.variants, context)

    assert isinstance(made, NewProduct)
    assert made.name == name


def making(request: httpx.Request) -> bool:
    """Whether this makes a product."""
    return (request.method, request.url.path) == ("POST", "/products")


def looking(request: httpx.Request) -> bool:
    """Whether this asks which products there are, by the id of one or by the number of a page."""
    return (request.method, request.url.path) == ("GET", "/products")


class Losing(Cable):
    """Loses the answers to what `lost` names, although it happened."""

    lost: Callable[[httpx.Request], bool] = staticmethod(lambda _: False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if self.lost(request):
            raise httpx.ReadTimeout("lost")
        return answer


class Setup:
    """A connected shop whose rules make products, and the organisation that gets them."""

    def __init__(
        self, world: State, cable: "Losing", http: httpx.AsyncClient, engine: AsyncEngine, shop_id: ShopId
    ) -> None:
        self.world, self.cable, self.http, self.engine, self.shop_id = world, cable, http, engine, shop_id
        self.clock = MovableClock(NOON)
        self.vault, self.links = FakeVault(), FakeLinks()
        self.settings = dict(RULES)
        self.target = UphanceTarget.stored(http, BASE, engine, self.clock)

    @property
    def organisation(self) -> Organisation:
        return self.world.uphance.organisations[5]

    @property
    def faults(self) -> Faults:
        return self.world.faults["uphance"]

    @property
    def context(self) -> MappingContext:
        tx = Connection(self.shop_id, "shop", "uphance", "5", "", NOON, FACTS)
        return MappingContext(make_settings(self.settings), SHOP, tx, self.clock())

    async def connect(self) -> None:
        tokens, _ = await login(self.http, BASE, self.clock, email="a@b.cz", password="right")
        await self.vault.save_tokens(tokens.stored(), renew_at=tokens.renew_at)

    async def read(self) -> None:
        """Read Uphance's catalogue, as the engine does from time to time."""
        client = UphanceClient(self.http, BASE, self.vault, self.clock, 5)
        await refresh_skus(self.engine, self.shop_id, client)
        async with self.engine.begin() as tx:
            await tx.execute(text("UPDATE connections SET polled_at = now()"))

    async def keep(self, *products: Product) -> None:
        """Remember the shop's own variants, as the engine does when it reads them."""
        rows = [
            {
                "shop_id": self.shop_id,
                "key": one.id,
                "product_id": one.product_id,
                "code": one.code,
                "ean": one.ean,
            }
            for thing in products
            for one in thing.variants
        ]
        async with self.engine.begin() as tx:
            await tx.execute(text("DELETE FROM variants WHERE shop_id = :id"), {"id": self.shop_id})
            values = [{**row, "stock_own": True, "active": True, "listed": True} for row in rows]
            await tx.execute(insert(schema.variants), values)

    def drafts(self, one: Product) -> list[DesiredDocument]:
        return [
            draft
            for draft in self.target.desired_documents(one, self.context)
            if isinstance(draft, DesiredDocument)
        ]

    async def deliver(self, one: Product, attempts: int = 0) -> Outcome:
        [draft] = self.drafts(one)
        await self.keep(one)
        link = self.links.rows.get(("product", draft.key))
        document = Document("product", draft.key, draft.parent, 1, draft.body, draft.hash, attempts, link)
        return await self.push(document)

    async def push(self, document: Document) -> Outcome:
        outcomes: list[Outcome] = []
        sender = self.target.sender(self.context.connection, self.vault, self.links)
        async for settled in sender.push([document], self.context):
            outcomes += [outcome for _, outcome in settled]
        [outcome] = outcomes
        if isinstance(outcome, Delivered):
            link = Link("product", document.key, document.parent, outcome.remote_id, hash=document.hash)
            kept = replace(link, created_keys=outcome.created_keys)
            self.links.rows["product", document.key] = kept
        return outcome

    def there(self) -> dict[str, dict[tuple[str, str], Any]]:
        """What Uphance has: by identifier, colour and size, the SKU number."""
        return {
            one["product_identifier"]: {
                (variation["color"], sku["size"]): sku["sku_number"]
                for variation in one["variations"]
                for sku in variation["skus"]
            }
            for one in self.organisation.products.values()
        }


def held(outcome: Outcome) -> str:
    assert isinstance(outcome, Parked), outcome
    return outcome.issue.key


@pytest.fixture
async def setup(engine: AsyncEngine, make_shop: MakeShop) -> AsyncIterator[Setup]:
    world = State(signature_token="sig", addon_url=None)
    world.uphance.add_user("a@b.cz", "right", [5])
    channels = [{"channel_ID": 3, "channel_name": "Web CZ", "currency": "CZK"}]
    seasons = [{"id": 9, "name": "AW26"}]
    world.uphance.organisations[5] = Organisation(5, "Hemline Ltd", channels, seasons)
    shop_id = await make_shop()
    async with engine.begin() as tx:
        await tx.execute(
            insert(schema.connections).values(
                shop_id=shop_id, system="uphance", state="connected", account="5", connected_at=NOON
            )
        )
    cable = Losing(app=cast("Any", uphance_api(world)))
    async with httpx.AsyncClient(transport=cable) as http:
        made = Setup(world, cable, http, engine, shop_id)
        await made.connect()
        await made.read()
        yield made
    assert world.call_log.violations == []


class TestWhatIsMade:
    @pytest.mark.situation("product.missing")
    async def test_a_missing_product_is_made_with_a_variation_for_each_colour(self, setup: Setup) -> None:
        outcome = await setup.deliver(product())

        [made] = setup.organisation.products.values()
        assert isinstance(outcome, Delivered)
        assert outcome.remote_id == str(made["id"])
        assert setup.there() == {
            "TRIKO": {("Červená", "M"): "T-1", ("Červená", "L"): "T-2", ("Modrá", "M"): "T-3"}
        }
        told = ("name", "description", "sizing_system", "season_id")
        assert [made[name] for name in told] == ["Triko", "Měkké & lehké", "M,L", 9]
        [paid] = made["variations"][0]["prices"]
        assert paid == {"name": "Web CZ", "currency": "CZK", "wsp_money": "100", "msrp_money": "121"}

    async def test_once_made_and_read_nothing_more_is_asked_or_made(self, setup: Setup) -> None:
        await setup.deliver(product())
        await setup.read()
        calls = len(setup.world.call_log.calls)

        assert isinstance(await setup.deliver(product()), Delivered)
        assert len(setup.world.call_log.calls) == calls

    async def test_what_a_restored_database_has_forgotten_is_not_made_again(self, setup: Setup) -> None:
        """Its copy of the catalogue is as old as its links."""
        await setup.deliver(product())
        [before] = [dict(one) for one in setup.organisation.products.values()]
        setup.links.rows.clear()

        outcome = await setup.deliver(product())

        assert isinstance(outcome, Delivered)
        assert outcome.remote_id == str(before["id"])
        assert list(setup.organisation.products.values()) == [before]

    @pytest.mark.situation("product.variant")
    async def test_a_new_variant_is_added_to_the_product_and_nothing_else_is_touched(self, setup: Setup) -> None:
        await setup.deliver(product())
        await setup.read()
        [before] = [dict(one) for one in setup.organisation.products.values()]

        outcome = await setup.deliver(
            product(*product().variants, variant(4, "Modrá", "XL"), variant(5, "Bílá", "M"))
        )

        assert isinstance(outcome, Delivered)
        [after] = setup.organisation.products.values()
        assert (after["id"], after["name"]) == (before["id"], before["name"])
        assert (before["sizing_system"], after["sizing_system"]) == ("M,L", "M,L,XL")
        assert setup.there()["TRIKO"] == {
            ("Červená", "M"): "T-1",
            ("Červená", "L"): "T-2",
            ("Modrá", "M"): "T-3",
            ("Modrá", "XL"): "T-4",
            ("Bílá", "M"): "T-5",
        }

    async def test_a_product_of_that_name_gets_what_it_lacks_instead_of_a_twin(self, setup: Setup) -> None:
        setup.organisation.products[70] = {
            "id": 70,
            "product_identifier": "TRIKO",
            "name": "Old",
            "variations": [],
        }

        assert isinstance(await setup.deliver(product()), Delivered)

        assert list(setup.organisation.products) == [70]
        assert len(setup.there()["TRIKO"]) == 3

    async def test_a_thing_without_variants_has_one_colour_and_one_size(self, setup: Setup) -> None:
        await setup.deliver(product(variant(None, code="HRNEK")))

        assert setup.there() == {"TRIKO": {("\N{EM DASH}", "ONE"): "HRNEK"}}

    async def test_a_product_without_a_code_is_named_after_shop_and_id(self, setup: Setup) -> None:
        await setup.deliver(product(code=None))

        assert list(setup.there()) == ["upg-shop-17"]

    async def test_what_several_variants_are_called_is_not_made(self, setup: Setup) -> None:
        twins = product(variant(1, "Bílá", "M"), variant(2, "Bílá", "L", code="t-1"), variant(3, "Bílá", "S"))

        await setup.deliver(twins)

        assert setup.there() == {"TRIKO": {("Bílá", "S"): "T-3"}}

    async def test_what_was_made_is_not_made_again_under_another_name(self, setup: Setup) -> None:
        await setup.deliver(product())
        for one in setup.organisation.products.values():
            for variation in one["variations"]:
                for sku in variation["skus"]:
                    sku["sku_number"] = f"AUTO-{sku['id']}"
        await setup.read()
        before = setup.there()

        await setup.deliver(product(variant(1, "Červená", "M", ean="859"), *product().variants[1:]))

        assert setup.there() == before


class TestWhatIsNotWanted:
    @pytest.mark.parametrize(
        "one",
        [product(active=False), product(is_set=True), product(variant(1, "Bílá", "M", active=False))],
        ids=["inactive", "set", "no variant on sale"],
    )
    def test_these_are_not_made(self, setup: Setup, one: Product) -> None:
        assert setup.drafts(one) == []

    @pytest.mark.situation("product.missing")
    def test_nothing_is_wanted_where_the_shop_did_not_choose_so(self, setup: Setup) -> None:
        setup.settings.clear()

        assert setup.drafts(product()) == []

    def test_prices_and_stock_are_no_news(self, setup: Setup) -> None:
        dearer = [replace(one, prices=(price(with_vat=Decimal(9)),)) for one in product().variants]

        assert setup.drafts(product())[0].hash == setup.drafts(product(*dearer))[0].hash

    @pytest.mark.situation("product.deleted")
    async def test_a_deleted_product_stays_in_uphance(self, setup: Setup) -> None:
        assert setup.target.tombstone("product", b"{}") is None

    async def test_a_rule_that_was_switched_off_meanwhile_makes_nothing(self, setup: Setup) -> None:
        [draft] = setup.drafts(product())
        setup.settings.clear()
        document = Document("product", draft.key, draft.parent, 1, draft.body, draft.hash, 0, None)

        assert isinstance(await setup.push(document), Dropped)
        assert setup.there() == {}

    async def test_before_the_catalogue_was_read_to_its_end_nothing_is_made(self, setup: Setup) -> None:
        async with setup.engine.begin() as tx:
            await tx.execute(text("UPDATE connections SET polled_at = NULL"))

        assert isinstance(await setup.deliver(product()), Retry)
        assert setup.there() == {}


class TestWhatWaitsForAPerson:
    @pytest.mark.situation("product.unfit")
    async def test_variants_without_any_name_of_their_own(self, setup: Setup) -> None:
        assert held(await setup.deliver(product(variant(1, "Bílá", "M", code=None)))) == "product.no_key"

    @pytest.mark.parametrize(
        "variants",
        [(variant(1),), (variant(1, "Bílá", "M"), variant(2, "bílá", "m"))],
        ids=["neither colour nor size", "the same twice"],
    )
    @pytest.mark.situation("product.unfit")
    async def test_variants_without_a_place_of_their_own(
        self, setup: Setup, variants: tuple[Variant, ...]
    ) -> None:
        assert held(await setup.deliver(product(*variants))) == "product.no_size"

    async def test_a_colour_and_size_that_is_taken_under_another_code(self, setup: Setup) -> None:
        await setup.deliver(product(variant(1, "Bílá", "M", code="OLD")))
        await setup.read()
        setup.links.rows.clear()

        assert held(await setup.deliver(product(variant(1, "Bílá", "M", code="NEW")))) == "product.no_size"

    async def test_variants_whose_siblings_are_in_two_products(self, setup: Setup) -> None:
        await setup.deliver(product(variant(1, "Bílá", "M")))
        await setup.deliver(product(variant(2, "Bílá", "L"), product_id=18, code="JINÉ"))
        await setup.read()
        setup.links.rows.clear()

        outcome = await setup.deliver(
            product(*(variant(number, "Bílá", size) for number, size in enumerate("MLS", 1)))
        )

        assert held(outcome) == "product.unclear"

    async def test_what_uphance_refuses_is_reported_in_its_words(self, setup: Setup) -> None:
        setup.faults.set({"error_share": 1.0, "match": "/products"})

        first, last = await setup.deliver(product()), await setup.deliver(product(), attempts=5)

        assert isinstance(first, Retry)
        assert held(last) == "product.refused"


class TestDoubt:
    async def test_a_lost_answer_is_looked_up_at_once(self, setup: Setup) -> None:
        setup.cable.lost = making

        assert isinstance(await setup.deliver(product()), Delivered)
        assert len(setup.organisation.products) == 1

    @pytest.mark.situation("product.twice")
    async def test_a_crash_after_the_making_is_looked_up_at_the_next_start(self, setup: Setup) -> None:
        setup.cable.lost = lambda request: making(request) or looking(request)
        with pytest.raises(Unreachable):
            await setup.deliver(product())
        setup.cable.lost = lambda _: False

        assert isinstance(await setup.deliver(product()), Delivered)
        assert len(setup.organisation.products) == 1

    async def test_a_variant_that_came_while_in_doubt_is_added(self, setup: Setup) -> None:
        setup.cable.lost = lambda request: making(request) or looking(request)
        with pytest.raises(Unreachable):
            await setup.deliver(product(variant(1, "Bílá", "M")))
        setup.cable.lost = lambda _: False

        await setup.deliver(product(variant(1, "Bílá", "M"), variant(2, "Bílá", "L")))

        assert setup.there() == {"TRIKO": {("Bílá", "M"): "T-1", ("Bílá", "L"): "T-2"}}

    @pytest.mark.situation("product.twice")
    async def test_a_lost_answer_doubles_no_addition(self, setup: Setup) -> None:
        await setup.deliver(product(variant(1, "Bílá", "M")))
        await setup.read()
        more = product(variant(1, "Bílá", "M"), variant(2, "Bílá", "L"))
        setup.cable.lost = lambda request: request.method == "PUT"
        with pytest.raises(Unreachable):
            await setup.deliver(more)
        setup.cable.lost = lambda _: False

        assert isinstance(await setup.deliver(more), Delivered)
        assert setup.there() == {"TRIKO": {("Bílá", "M"): "T-1", ("Bílá", "L"): "T-2"}}


class TestPrices:
    def mapped(
        self, one: Variant, shop_settings: Mapping[str, Any] = RULES, facts: Mapping[str, Any] = FACTS
    ) -> NewProduct:
        tx = Connection(ShopId(None), "shop", "uphance", "5", "", NOON, facts)  # type: ignore[arg-type]
        result = map_product(product(one), [one], MappingContext(make_settings(shop_settings), SHOP, tx, NOON))
        assert not isinstance(result, Issue)
        return result

    def test_a_channel_with_tax_has_customers_pay_it(self) -> None:
        new = self.mapped(variant(1, "Bílá", "M"), {**RULES, "uphance.prices_with_tax": True})

        assert [one.wsp for one in new.prices["Bílá"]] == [Decimal(121)]

    def test_a_sale_says_nothing_about_what_a_thing_costs(self) -> None:
        new = self.mapped(variant(1, "Bílá", "M", prices=(price(sale=Decimal(60)),)))

        assert new.prices == {"Bílá": ()}

    def test_of_several_seasons_none_is_guessed(self) -> None:
        several = {**FACTS, "seasons": [{"id": 9, "name": "AW26"}, {"id": 10, "name": "SS27"}]}

        assert self.mapped(variant(1, "Bílá", "M"), facts=several).season_id is None
        assert self.mapped(variant(1, "Bílá", "M"), {**RULES, "uphance.season": 10}, several).season_id == 10
