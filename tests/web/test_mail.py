"""What the links in mails open: looking changes nothing, one click ends the mails."""

import html
import re

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import Texts
from upbridge.domain.shop_id import ShopId
from upbridge.mail.stopping import load_stop_addresses

TO = "owner@example.com"
CHOSEN = {"notify.email": TO, "notify.digest": "daily", "upp.send": False}
CS = Texts("cs")


@pytest.fixture
async def shop_id(make_shop: MakeShop) -> ShopId:
    return await make_shop(key="eshop", language="cs", settings=CHOSEN)


@pytest.fixture
async def address(engine: AsyncEngine, cipher: Cipher, shop_id: ShopId) -> str:
    """The address in a mail that ends such mails."""
    return f"/ui/mail/{(await load_stop_addresses(engine, cipher)).token(shop_id, TO)}"


@pytest.fixture
async def enter_new(make_shop: MakeShop, enter: Enter) -> str:
    """The address of the pages of another shop."""
    return await enter(await make_shop())


async def chosen(engine: AsyncEngine) -> object:
    async with engine.connect() as tx:
        return await tx.scalar(text("SELECT settings FROM shops"))


async def test_a_program_that_follows_every_link_ends_nothing(
    browser: httpx.AsyncClient, engine: AsyncEngine, address: str
) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        await browser.request(method, address)

    assert await chosen(engine) == CHOSEN


async def test_the_page_asks_in_the_shop_s_language_and_its_button_ends_the_mails(
    browser: httpx.AsyncClient, engine: AsyncEngine, address: str
) -> None:
    page = await browser.get(address)
    assert page.status_code == 200
    assert CS.get("ui.mail.stop_button") in page.text
    assert 'method="post"' in page.text
    assert TO not in page.text

    after = await browser.post(address, headers={"origin": "https://upbridge.example"})

    assert after.status_code == 200
    assert CS.get("ui.mail.stopped_text") in after.text
    assert await chosen(engine) == {"upp.send": False}


async def test_the_one_click_of_a_mail_program_needs_no_page_and_no_origin(
    browser: httpx.AsyncClient, engine: AsyncEngine, address: str
) -> None:
    answer = await browser.post(address, data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert await chosen(engine) == {"upp.send": False}
    assert (await browser.post(address)).status_code == 200


async def test_an_old_mail_does_not_end_the_mails_to_the_next_reader(
    browser: httpx.AsyncClient, engine: AsyncEngine, address: str
) -> None:
    async with engine.begin() as tx:
        await tx.execute(text("""UPDATE shops SET settings = '{"notify.email": "next@example.com"}'"""))

    answer = await browser.post(address)

    assert CS.get("ui.mail.stopped_text") in answer.text
    assert await chosen(engine) == {"notify.email": "next@example.com"}


@pytest.mark.parametrize("made_up", ["x", "A" * 64, "A" * 5000, "é", "..%2f"])
async def test_a_made_up_address_is_no_page(
    browser: httpx.AsyncClient, engine: AsyncEngine, shop_id: ShopId, made_up: str
) -> None:
    for method in ("GET", "POST"):
        assert (await browser.request(method, f"/ui/mail/{made_up}")).status_code == 404

    assert await chosen(engine) == CHOSEN


async def test_the_address_of_an_erased_shop_is_no_page(
    browser: httpx.AsyncClient, engine: AsyncEngine, address: str
) -> None:
    async with engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops"))

    assert (await browser.post(address)).status_code == 404


async def test_a_page_tells_how_the_add_on_is_opened(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/ui/mail/where", headers={"accept-language": "sk"})

    assert page.status_code == 200
    assert Texts("sk").get("ui.mail.where_text") in page.text


async def test_the_rules_propose_the_owner_s_address_and_choose_nothing(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    shop_id = await make_shop(facts={"email": "majitel@example.cz"})

    page = html.unescape((await browser.get(f"{await enter(shop_id)}rules?part=notify")).text)

    assert EN.get("ui.rules.propose_email", email="majitel@example.cz") in page
    assert '<option value="majitel@example.cz">' in page
    field = re.search(r'<input id="notify.email"[^>]*>', page)
    assert field is not None
    assert 'value=""' in field[0]
    assert EN.get("ui.rules.no_mail") in page


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [("notify.email", "owner", "email"), ("notify.quiet", "9", "hours")],
)
async def test_a_wrong_value_comes_back_with_what_would_be_right(
    browser: httpx.AsyncClient, enter_new: str, key: str, wrong: str, message: str
) -> None:
    answer = await browser.post(f"{enter_new}rules", data={key: wrong})

    assert answer.status_code == 422
    assert EN.get(f"ui.rules.wrong_{message}") in answer.text


@pytest.mark.parametrize("reason", ["the mail server answers 550", None])
async def test_the_rules_say_that_the_last_mail_did_not_arrive(
    browser: httpx.AsyncClient, engine: AsyncEngine, shop_id: ShopId, enter: Enter, reason: str | None
) -> None:
    async with engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO letters (shop_id, once, made_at, due_at, ended_at, reason)"
                " VALUES (:id, 'a', :now, :now, :now, :reason)"
            ),
            {"id": shop_id, "now": NOON, "reason": reason},
        )

    page = (await browser.get(f"{await enter(shop_id)}rules?part=notify")).text

    assert (EN.get("ui.rules.mail_refused", at=NOON) in page) is (reason is not None)
