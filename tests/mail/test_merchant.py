"""A shop's people hear once what needs them and once that it is over: not at night and not too often."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.mail import Box
from tests.support.rows import connection_row, insert_rows, order_event_row, order_row, problem_row
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.mail.merchant import MOST_A_DAY, MerchantWatch
from upbridge.mail.post_office import PostOffice
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS
from upbridge_sandbox.mail_box import Received

TO = "owner@example.com"
SUPPORT = "help@upbridge.example"
ORIGIN = "https://upbridge.example"


@dataclass
class Post:
    """A shop whose people read mails, and what is sent to them."""

    watch: MerchantWatch
    mail: Box
    time: MovableClock
    engine: AsyncEngine
    shop_id: ShopId
    sent: list[Received] = field(default_factory=list)

    async def mails(self, *, seconds: int = 40) -> list[str]:
        """The subjects of the mails of so many seconds, with a look every ten."""
        for _ in range(0, seconds, 10):
            await self.watch.look()
            self.time.move(seconds=10)
        await self.watch.look()
        self.mail.box.received.clear()
        while await self.watch.post.send_due():
            pass
        self.sent = list(self.mail.box.received)
        return [one.subject for one in self.sent]

    async def problem(self, entity: str = "1001", **values: Any) -> None:
        await insert_rows(self.engine, problem_row(self.shop_id, entity, since=self.time(), **values))

    async def run(self, statement: str, **values: Any) -> None:
        async with self.engine.begin() as tx:
            await tx.execute(text(statement), {"id": self.shop_id, **values})

    async def settings(self, **values: str) -> None:
        shops = self.watch.shops
        async with self.engine.begin() as tx:
            texts = {f"notify.{name}": value for name, value in values.items()}
            await shops.change_settings(tx, self.shop_id, texts, now=self.time())


@pytest.fixture
async def here(post: PostOffice, mail: Box, engine: AsyncEngine, cipher: Cipher, make_shop: MakeShop) -> Post:
    shop_id = await make_shop(key="eshop", language="cs", settings={"notify.email": TO}, facts={})
    await insert_rows(engine, connection_row(shop_id, "uphance"), connection_row(shop_id, "upp"))
    shops = Shops(engine, cipher, SYSTEMS.settings)
    merchants = MerchantWatch(post=post, shops=shops, systems=SYSTEMS, origin=ORIGIN, support=(SUPPORT,))
    assert isinstance(post.clock, MovableClock)
    return Post(merchants, mail, post.clock, engine, shop_id)


async def test_where_all_is_well_no_mail_is_sent(here: Post) -> None:
    assert await here.mails() == []


async def test_problems_are_one_mail_by_cause_and_their_end_another(here: Post) -> None:
    for number in range(3):
        await here.problem(f"100{number}")
    await here.problem("2001", key="order.unknown_sku")

    assert await here.mails() == ["Upbridge: Vyžaduje vaši pozornost (2)"]
    (mail,) = here.sent
    assert mail.recipients == (TO,)
    for kind in ("plain", "html"):
        body = mail.body(kind)
        assert "Není jasný kanál Uphance" in body
        assert "3 objednávky, od 24. 11. 2026 12:00" in body
        assert "Zboží v Uphance není" in body
        assert "https://shop.admin.s1.upgates.com/" in body
        assert f"Podpora: {SUPPORT}" in body
    await here.problem("1009")
    assert await here.mails() == []

    await here.run("DELETE FROM problems WHERE key = 'order.no_channel'")

    assert await here.mails(seconds=60) == ["Upbridge: Už je v pořádku: Není jasný kanál Uphance"]
    assert await here.mails(seconds=60) == []


async def test_what_passes_at_once_is_never_reported(here: Post) -> None:
    await here.problem()
    assert await here.mails(seconds=10) == []
    await here.run("DELETE FROM problems")

    assert await here.mails(seconds=120) == []


async def test_a_dead_login_says_what_to_do(here: Post) -> None:
    await here.run("UPDATE connections SET state = 'broken' WHERE system = 'uphance'")
    await here.problem("uphance", key="connection.refused", kind="connection", target="uphance")

    assert await here.mails() == ["Upbridge: Přenos je zastavený: Přihlášení do Uphance neplatí"]
    assert "Zadejte přihlašovací údaje znovu" in here.sent[0].body("plain").replace("\n", " ")
    await here.run("UPDATE connections SET state = 'connected'")
    await here.run("DELETE FROM problems")
    assert await here.mails(seconds=60) == ["Upbridge: Už je v pořádku: Přihlášení do Uphance neplatí"]


async def test_a_shop_that_is_paused_hears_of_that_alone_and_nothing_else_counts_as_resolved(here: Post) -> None:
    await here.run("UPDATE connections SET state = 'broken' WHERE system = 'uphance'")
    await here.problem()
    assert len(await here.mails()) == 1
    await here.run("UPDATE shops SET state = 'suspended', reason = 'refused' WHERE id = :id")

    assert await here.mails(seconds=120) == ["Upbridge: Přenos je zastavený: Doplněk je pozastavený"]
    await here.run("UPDATE shops SET state = 'active', reason = NULL WHERE id = :id")
    assert await here.mails(seconds=120) == ["Upbridge: Už je v pořádku: Doplněk je pozastavený"]


@pytest.mark.parametrize(
    ("language", "subject", "open_it"),
    [
        ("sk", "Upbridge: Vyžaduje vašu pozornosť: ", "Otvoriť administráciu Upgates"),
        ("en", "Upbridge: Needs your attention: ", "Open the Upgates admin"),
        ("de", "Upbridge: Needs your attention: ", "Open the Upgates admin"),
    ],
)
async def test_mails_are_in_the_shop_s_language(here: Post, language: str, subject: str, open_it: str) -> None:
    await here.run("UPDATE shops SET language = :language WHERE id = :id", language=language)
    await here.problem()

    (told,) = await here.mails()

    assert told.startswith(subject)
    assert open_it in here.sent[0].body("plain")
    assert open_it in here.sent[0].body("html")


async def test_new_problems_wait_a_while_and_what_stops_does_not(here: Post) -> None:
    await here.problem()
    assert len(await here.mails()) == 1
    await here.problem("2001", key="order.unknown_sku")
    assert await here.mails(seconds=600) == []
    await here.run("UPDATE connections SET state = 'broken' WHERE system = 'uphance'")

    assert await here.mails() == ["Upbridge: Přenos je zastavený (2)"]


async def test_the_night_is_quiet_and_what_is_over_by_the_morning_is_not_reported(here: Post) -> None:
    here.time.now = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)  # half past nine in Prague
    await here.problem()
    await here.problem("2001", key="order.unknown_sku")
    assert await here.mails(seconds=120) == []
    await here.run("DELETE FROM problems WHERE key = 'order.no_channel'")
    assert await here.mails() == []

    here.time.now = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)

    assert await here.mails(seconds=0) == ["Upbridge: Vyžaduje vaši pozornost: Zboží v Uphance není"]


async def test_a_shop_without_quiet_hours_hears_at_once(here: Post) -> None:
    here.time.now = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    await here.settings(quiet="off")
    await here.problem()

    assert len(await here.mails()) == 1


async def test_no_more_than_so_many_mails_a_day_and_the_last_one_says_so(here: Post) -> None:
    subjects = []
    for number in range(MOST_A_DAY + 2):
        await here.problem(f"{number}", key=f"some.cause_{number}")
        subjects += await here.mails()
        last = here.sent
        here.time.move(minutes=15)
    assert len(subjects) == MOST_A_DAY
    assert last == []
    here.time.now = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)

    assert await here.mails(seconds=0) == ["Upbridge: Vyžaduje vaši pozornost (2)"]
    assert "posledn" not in here.sent[0].body("plain")


async def test_the_last_mail_of_a_day_says_that_it_is(here: Post) -> None:
    for number in range(MOST_A_DAY):
        await here.problem(f"{number}", key=f"some.cause_{number}")
        assert len(await here.mails()) == 1
        here.time.move(minutes=15)

    assert "10 e\u2011mailů denně" in here.sent[0].body("plain")


PLANTED = ("Novák", "novak@example.org", "+420777123456", "Dlouhá 12", "UPG-eshop-1001", "SKU-SECRET")


async def test_no_mail_has_anything_of_a_customer_an_order_or_a_product(here: Post) -> None:
    planted = " ".join(PLANTED)
    await here.problem("UPG-eshop-1001", params={"reason": planted, "customer": planted}, message=planted)
    for key in ("order.refused", "product.refused", "push.gave_up", "unknown.cause"):
        await here.problem("SKU-SECRET", key=key, params={"reason": planted}, message=planted)
    await here.run("UPDATE connections SET state = 'broken', reason = :planted", planted=planted)
    await insert_rows(here.engine, order_row(here.shop_id, "UPG-eshop-1001", ordered_at=here.time()))
    await here.settings(digest="daily")

    assert len(await here.mails()) == 2
    for one in here.sent:
        whole = one.raw.decode() + one.body("plain") + one.body("html")
        assert [word for word in PLANTED if word in whole] == []


async def test_only_who_switched_it_on_gets_mails(here: Post) -> None:
    await here.settings(email="", digest="daily")
    await here.problem()

    assert await here.mails() == []


async def test_the_next_reader_hears_what_is_still_so(here: Post) -> None:
    await here.problem()
    assert len(await here.mails()) == 1

    await here.settings(email="another@example.com")

    assert len(await here.mails()) == 1
    assert here.sent[0].recipients == ("another@example.com",)


async def test_several_processes_write_one_mail(here: Post) -> None:
    await here.settings(digest="daily")
    await here.problem()
    for _ in range(6):
        for _ in range(3):
            await here.watch.look()
        here.time.move(seconds=10)

    assert len(await here.mails()) == 2


async def test_each_mail_can_be_ended_by_one_click(here: Post) -> None:
    await here.problem()
    await here.mails()

    headers = here.sent[0].as_json()["headers"]

    address = headers["List-Unsubscribe"].strip("<>")
    assert address.startswith(f"{ORIGIN}/ui/mail/")
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert address in here.sent[0].body("plain")
    assert TO not in address


async def test_html_fetches_nothing_from_anywhere(here: Post) -> None:
    await here.problem()
    await here.mails()

    html = here.sent[0].body("html")

    assert not any(word in html for word in ("<img", "<script", "<link", "url(", "@import"))


# --- summaries ----------------------------------------------------------------------------------------------


async def test_the_summary_of_a_day_counts_orders_and_names_what_waits(here: Post) -> None:
    yesterday = here.time() - timedelta(days=1)
    orders = [order_row(here.shop_id, f"{n}", ordered_at=yesterday) for n in range(3)]
    orders.append(order_row(here.shop_id, "today", ordered_at=here.time()))
    events = [order_event_row(here.shop_id, f"{n}", "delivered", at=yesterday) for n in range(2)]
    events.append(order_event_row(here.shop_id, "1", "delivered", target="upgates", at=yesterday))
    await insert_rows(here.engine, *orders, *events)
    await here.settings(digest="daily")
    await here.problem()

    assert await here.mails(seconds=0) == ["Upbridge: souhrn 23. 11."]

    plain = here.sent[0].body("plain")
    assert "3 objednávky přijaté v e\u2011shopu" in plain
    assert "2 objednávky předané do Uphance" in plain
    assert "1 zásilka zapsaná do e\u2011shopu" in plain
    assert "Není jasný kanál Uphance" in plain


async def test_a_summary_is_sent_once_a_day_from_seven_on(here: Post) -> None:
    await here.settings(digest="daily", quiet="off")
    here.time.now = datetime(2026, 11, 25, 5, 59, tzinfo=UTC)
    assert await here.mails(seconds=0) == ["Upbridge: souhrn 23. 11."]
    here.time.now = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
    assert await here.mails(seconds=0) == ["Upbridge: souhrn 24. 11."]
    assert "Nic. Vše je v pořádku." in here.sent[0].body("plain")
    here.time.now = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)
    assert await here.mails(seconds=0) == []


async def test_the_summary_of_a_week_comes_on_monday(here: Post) -> None:
    await here.settings(digest="weekly")
    assert await here.mails(seconds=0) == ["Upbridge: souhrn 16. 11. \N{EN DASH} 22. 11."]
    here.time.now = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
    assert await here.mails(seconds=0) == []
    here.time.now = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
    assert await here.mails(seconds=0) == ["Upbridge: souhrn 23. 11. \N{EN DASH} 29. 11."]
