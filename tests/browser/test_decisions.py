"""The pages on which a person decides: for everybody, and on a phone."""

import json
from collections.abc import Iterator

from axe_core_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.browser.furnished import Furnished, furnish
from tests.support.rows import document_row, insert_rows, problem_row, sku_row, variant_row
from tests.support.shops import KEY
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import Texts
from upbridge.domain.shop_id import ShopId

WIDE, NARROW = 1280, 360
CS = Texts("cs")
GUARD, SEVERAL = 900_000_001, 900_000_002
SEVERAL_SAID = {"number": 2, "names": "A, B"}


async def _questions(house: Furnished) -> ShopId:
    """A shop with two questions: a guard that holds twenty numbers, and several warehouses."""
    shop_id, cipher = await furnish(house.engine, "well"), Cipher([KEY])
    tally = {"changed": 20, "zeroed": 20, "matched": 20, "percent": 30}
    about = {"kind": "stock", "target": "upgates"}
    parked = {"state": "parked", "reason": "stock.guard"}
    await insert_rows(
        house.engine,
        problem_row(shop_id, "stock.guard", id=GUARD, key="stock.guard", params=tally, **about),
        problem_row(
            shop_id,
            "stock.several",
            id=SEVERAL,
            key="stock.several",
            params={"number": 2, "names": "A, B"},
            **about,
        ),
    )
    for number in range(100, 120):
        code, matched = f"C{number}", {"match": "code", "sku_id": number} if number < 119 else {}
        body = json.dumps({"code": code, "written": 0}).encode()
        held = document_row(shop_id, "upgates", f"v-{number}", kind="stock", body=cipher.encrypt(body), **parked)
        numbers = dict.fromkeys(("in_stock", "available", "available_from_stock"), 0)
        await insert_rows(
            house.engine,
            sku_row(shop_id, number, sku_number=code, name="Šaty Zlatá", **numbers),
            variant_row(shop_id, number, code=code, title="Šaty s krajkou", stock=7, **matched),
            held,
        )
    return shop_id


def _complaints(page: Page, name: str) -> Iterator[str]:
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 740})
        for found in Axe().run(page)["violations"]:
            yield f"{name}, {width}: {found['id']}: {found['nodes'][0]['html'][:150]}"
        if page.evaluate("document.documentElement.scrollWidth") > width:
            yield f"{name} is wider than {width} pixels"


def test_the_pages_on_which_one_decides_pass_axe_and_fit_a_phone(
    house: Furnished, browser: BrowserContext
) -> None:
    page = browser.new_page()
    home = house.enter(house.run(house.pages.ticket_address(house.run(_questions(house)), "cs")))
    complaints: list[str] = []

    def look(name: str, said: str) -> None:
        assert page.locator("main").get_by_text(said).count() > 0, name
        complaints.extend(_complaints(page, name))

    page.goto(f"{home}decision?id={GUARD}")
    look("decision", CS.get("ui.decision.asked_again"))
    page.locator("a.button.main").click()
    look("decision, asked again", CS.get("ui.sure.stock.guard", count=20, zeroed=20))
    page.goto(f"{home}question?id={SEVERAL}")
    look("question", CS.get("ui.decline.stock.several"))
    page.goto(f"{home}pair?key=v-119")
    look("pair", CS.get("ui.pair.what", system="Uphance"))
    page.goto(f"{home}rules?part=stock")
    page.locator("[name='stock.safety']").fill("1")
    page.locator("form#rules button.main").click()
    look("dry run", CS.get("ui.dry_run.nothing_yet"))
    page.goto(f"{home}orders?since=31.+2.+2026")
    look("orders, a wrong day", CS.get("ui.said.no_day"))

    assert not complaints
