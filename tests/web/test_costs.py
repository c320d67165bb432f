"""The cost per acquisition from a file: every row is looked at, and nothing is sent until all are right."""

import html
import json

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, TOKEN_ANSWER, Enter, Remote, said_by
from tests.support.rows import connection_row, insert_rows
from tests.support.shops import MakeShop
from upbridge.core.bounds import UPLOAD
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop_id import ShopId
from upbridge.store.history import latest
from upbridge.web.endpoints.costs import MOST_ROWS

RIGHT = b"date;cpa;campaign\n2. 11. 2026;34;a\n1. 11. 2026;30,03;b\n"


class Merchant:
    """A shop that is connected to the one system that takes costs."""

    def __init__(self, browser: httpx.AsyncClient, home: str) -> None:
        self.browser, self.home = browser, home
        self.address = f"{home}costs/upp"

    async def upload(self, content: bytes, account: str = "acc-1") -> httpx.Response:
        """Send a file for a look."""
        files = {"file": ("cpa.csv", content, "text/csv")}
        return await self.browser.post(self.address, data={"discriminator": account}, files=files)

    async def send(self, page: httpx.Response) -> httpx.Response:
        """Press the button below the rows of *page*."""
        head = '<input type="hidden" name="{}" value="'
        form = {
            name: html.unescape(page.text.split(head.format(name), 1)[1].split('"', 1)[0])
            for name in ("discriminator", "rows")
        }
        return await self.browser.post(f"{self.address}/send", data=form)


@pytest.fixture
async def shop_id(make_shop: MakeShop, engine: AsyncEngine, cipher: Cipher) -> ShopId:
    found = await make_shop()
    secret = cipher.encrypt(json.dumps({"client_id": "a", "client_secret": "b"}))
    await insert_rows(engine, connection_row(found, "upp", secret=secret, connected_at=NOON))
    return found


@pytest.fixture
async def merchant(browser: httpx.AsyncClient, enter: Enter, shop_id: ShopId) -> Merchant:
    return Merchant(browser, await enter(shop_id))


async def test_a_right_file_is_shown_and_sent_by_the_second_button_only(
    merchant: Merchant, remote: Remote, engine: AsyncEngine, shop_id: ShopId
) -> None:
    remote.answers |= {"/auth/oauth/token": TOKEN_ANSWER, "/cpa": httpx.Response(202, json={})}

    looked = await merchant.upload(RIGHT)

    assert looked.status_code == 200
    assert EN.get("ui.costs.send", count=2, system="Upp.ai") in looked.text
    assert "30.03" in looked.text
    assert remote.asked == []

    done = await merchant.send(looked)

    assert said_by(done) == f"{merchant.address}?said=costs_sent&n=2"
    assert json.loads(remote.sent[-1]) == {
        "discriminator": "acc-1",
        "payload": [
            {"date": "2026-11-01T00:00:00.000Z", "cpa": 30.03},
            {"date": "2026-11-02T00:00:00.000Z", "cpa": 34},
        ],
    }
    async with engine.connect() as tx:
        [line] = await latest(tx, shop_id, limit=5)
    assert (line.what, line.subject, line.details) == ("costs_sent", "upp", {"count": 2})
    told = html.unescape((await merchant.browser.get(f"{merchant.home}history")).text)
    assert EN.get("ui.history.what.costs_sent", system="Upp.ai", number=2) in told


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_wrong_row_says_why_in_the_visitors_language_and_nothing_can_be_sent(
    browser: httpx.AsyncClient, enter: Enter, shop_id: ShopId, language: str, remote: Remote
) -> None:
    merchant, texts = Merchant(browser, await enter(shop_id, language)), Texts(language)

    page = await merchant.upload(b"date,cpa\n2026-11-01,30\nsoon,2\n2026-11-01,<b>\n2026-11-02\n")

    said = html.unescape(page.text)
    assert page.status_code == 422
    assert texts.get("ui.costs.some_wrong", count=3) in said
    assert texts.get("ui.costs.wrong.no_date", typed="soon") in said
    assert texts.get("ui.costs.wrong.no_amount", typed="<b>") in said
    assert texts.get("ui.costs.wrong.fewer_columns", found=1, wanted=2) in said
    assert "<b>" not in page.text
    assert "costs/upp/send" not in page.text
    assert 'value="acc-1"' in page.text
    refused = await browser.post(
        f"{merchant.address}/send", data={"discriminator": "a", "rows": "date,cpa\n2026-11-01,x"}
    )
    assert (refused.status_code, remote.asked) == (422, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", EN.get("ui.costs.fill_in"), id="an empty file"),
        pytest.param(b"a,b\n1,2\n", EN.get("ui.costs.wrong.no_header"), id="another file"),
        pytest.param(b"date,cpa\n\xe1,1\n", EN.get("ui.costs.wrong.no_text"), id="another encoding"),
        pytest.param(
            b"date,cpa\n" + b"2026-11-01,1\n" * (MOST_ROWS + 1),
            EN.get("ui.costs.too_many", rows=MOST_ROWS),
            id="too many rows",
        ),
        pytest.param(
            b"a" * UPLOAD.bytes, EN.get("ui.costs.too_large", size=UPLOAD.bytes // 1024), id="too many bytes"
        ),
    ],
)
async def test_a_file_that_is_no_file_of_costs_is_refused_with_the_reason(
    merchant: Merchant, content: bytes, said: str
) -> None:
    page = await merchant.upload(content)

    assert page.status_code == 422
    assert said in html.unescape(page.text)


@pytest.mark.parametrize(
    ("answer", "why"),
    [(httpx.Response(401), "refused"), (httpx.Response(503), "no_answer"), (httpx.Response(422), "rejected")],
)
async def test_what_the_system_does_not_take_is_said_and_can_be_sent_again(
    merchant: Merchant, remote: Remote, answer: httpx.Response, why: str
) -> None:
    remote.answers |= {"/auth/oauth/token": TOKEN_ANSWER, "/cpa": answer}

    page = await merchant.send(await merchant.upload(RIGHT))

    assert page.status_code == 422
    assert EN.get(f"ui.costs.{why}", system="Upp.ai") in page.text
    assert EN.get("ui.costs.send", count=2, system="Upp.ai") in page.text


async def test_a_paused_shop_sends_no_costs(
    merchant: Merchant, remote: Remote, browser: httpx.AsyncClient
) -> None:
    await browser.post(f"{merchant.home}pause", data={"sure": "yes"})

    page = await merchant.send(await merchant.upload(RIGHT))

    assert EN.get("ui.costs.stopped") in page.text
    assert remote.asked == []


async def test_only_a_connected_system_that_takes_costs_has_the_page(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, merchant: Merchant
) -> None:
    assert (await browser.get(f"{merchant.home}costs/uphance")).status_code == 404
    assert 'href="' + merchant.address in (await browser.get(f"{merchant.home}connections")).text
    home = await enter(await make_shop(key="other"))

    elsewhere = Merchant(browser, home)

    assert (await browser.get(elsewhere.address)).headers["location"] == f"{home}connections"
    assert (await elsewhere.upload(RIGHT)).headers["location"] == f"{home}connections"
    assert elsewhere.address not in (await browser.get(f"{home}connections")).text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data", b"--x--", 400),
        ("text/plain", b"date,cpa", 400),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 20,
            400,
        ),
    ],
)
async def test_a_body_that_is_no_form_is_refused(merchant: Merchant, kind: str, body: bytes, status: int) -> None:
    answer = await merchant.browser.post(merchant.address, content=body, headers={"content-type": kind})

    assert answer.status_code == status


async def test_a_file_from_another_site_is_refused(merchant: Merchant) -> None:
    answer = await merchant.browser.post(
        merchant.address, files={"file": RIGHT}, headers={"origin": "https://evil.example"}
    )

    assert answer.status_code == 403
