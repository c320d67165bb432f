"""`upbridge shops …`: what an operator does to a shop, and what a mistake costs (nothing)."""

import asyncio
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.support.program import Database, Ended, Program
from upbridge_sandbox import Sandbox


def failed(ended: Ended, code: int = 1) -> str:
    """The one line of a failure."""
    assert (ended.code, ended.out) == (code, ""), ended
    assert "Traceback" not in ended.err
    return ended.err


# --- looking --------------------------------------------------------------------------------------------------


def test_no_shops_are_an_empty_list(program: Program) -> None:
    assert program("shops", "list", "--json").json == []
    assert "No shop" in program("shops", "list").out


def test_a_shop_answers_to_its_three_names(program: Program, database: Database) -> None:
    number = database.shop()

    shown = [program("shops", "show", name, "--json").json["id"] for name in (number, "garde", "token-of-garde")]

    assert shown == [number] * 3


def test_a_shop_that_is_not_there_is_one_line(program: Program) -> None:
    for words in (["show"], ["budget"], ["settings"], ["suspend"], ["erase", "--yes"], ["import"]):
        line = failed(program("shops", words[0], "nobody", *words[1:]))
        assert line == "error: no shop is called nobody; `upbridge shops list` shows them all\n"


def test_tables_for_people_say_the_same(program: Program, database: Database) -> None:
    database.everything()

    assert "garde" in program("shops", "list").out
    shown = program("shops", "show", "garde").out
    assert "https://upbridge.example/webhooks/uphance/" in shown
    assert "3 of 9, running" in shown
    assert "OBJ-1" in program("changes", "list").out
    assert "OBJ-1" in program("outbox", "list").out
    assert "product: no price" in program("problems", "list").out
    assert "hour" in program("shops", "budget", "garde").out


def test_an_import_for_a_second_system_makes_less_of_no_first_one(program: Program, database: Database) -> None:
    """The first import read 400 orders; that of a system connected later had none to read."""
    database.shop()
    database.run(
        "INSERT INTO runs (shop_id, kind, purpose, state, total, done, complete)"
        " SELECT id, 'order', 'import', 'done', many, many, true FROM shops, unnest(ARRAY[400, 0]) AS many"
    )

    orders = program("shops", "show", "garde", "--json").json["imports"]["orders"]

    assert (orders["done"], orders["total"], orders["state"]) == (400, 400, "done")


def test_tables_keep_numbers_names_and_moments_whole(program: Program, database: Database) -> None:
    """At 80 columns, where standard output is no terminal."""
    shop = database.everything()
    database.run("UPDATE documents SET state = 'parked', reason = 'order.changed_after_sending'")

    lines = program("outbox", "list").out.splitlines()
    assert any(line.startswith("garde") and "order OBJ-1" in line and "parked:" in line for line in lines)
    assert any("order.changed_after_sending" in line for line in lines)
    assert max(len(line) for line in lines) <= 80
    assert any("order OBJ-1" in line for line in program("changes", "list").out.splitlines())
    assert shop in program("shops", "show", "garde").out


def test_the_lists_can_be_of_one_shop(program: Program, database: Database) -> None:
    database.everything("garde")
    database.everything("other")

    for list_ in ("problems", "changes", "outbox"):
        assert [row["shop"] for row in program(list_, "list", "--json").json] == ["garde", "other"]
        assert [row["shop"] for row in program(list_, "list", "other", "--json").json] == ["other"]
        assert [row["shop"] for row in program(list_, "list", "--shop", "garde", "--json").json] == ["garde"]


def test_no_secret_is_ever_printed(program: Program, database: Database) -> None:
    database.everything()

    for words in (["shops", "list"], ["shops", "show", "garde"], ["outbox", "list"]):
        assert "api-key" not in program(*words).out + program(*words, "--json").out


# --- settings -------------------------------------------------------------------------------------------------


def test_settings_are_changed_together_or_not_at_all(program: Program, database: Database) -> None:
    database.shop()

    typed = ("upp.sku_from=ean", "upp.order_days=many", "no.such=1")
    line = failed(program("shops", "settings", "garde", *typed), 2)
    assert failed(program("shops", "settings", "garde", *typed, "--dry-run"), 2) == line

    assert "upp.order_days: 'many' is not a whole number" in line
    assert "no.such: there is no such setting" in line
    assert program("shops", "settings", "garde", "--json").json["upp.sku_from"] == "code"


def test_a_setting_goes_back_to_its_default(program: Program, database: Database) -> None:
    database.shop()
    assert program("shops", "settings", "garde", "upp.sku_from=ean", "--json").json["upp.sku_from"] == "ean"

    assert program("shops", "settings", "garde", "upp.sku_from=", "--json").json["upp.sku_from"] == "code"


def test_a_change_prints_what_was_changed(program: Program, database: Database) -> None:
    database.shop()

    out = program("shops", "settings", "garde", "upp.order_days=7").out

    assert "upp.order_days" in out
    assert "upp.sku_from" not in out


def test_a_setting_without_a_value_is_wrong_usage(program: Program, database: Database) -> None:
    database.shop()

    assert "KEY=VALUE" in failed(program("shops", "settings", "garde", "upp.sku_from"), 2)


# --- connecting -----------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> dict[str, Any]:
    """A shop with counterparts in the simulated systems; how to log in to them."""
    environment.setenv("UPBRIDGE_ALLOW_INSECURE", "1")
    environment.setenv("UPBRIDGE_UPP_URL", sandbox.addresses.upp)
    environment.setenv("UPBRIDGE_UPHANCE_URL", sandbox.addresses.uphance)
    shops = asyncio.run(sandbox.control("GET", "/shops"))["shops"]
    if not shops:
        asyncio.run(sandbox.control("POST", "/shops", {"name": "garde", "products": 5, "orders": 2}))
    found: dict[str, Any] = asyncio.run(sandbox.control("GET", "/shops/garde"))["credentials"]
    return found


def test_upp_is_connected_with_a_secret_from_standard_input(
    program: Program, database: Database, elsewhere: dict[str, Any]
) -> None:
    database.shop()
    upp = elsewhere["upp"]

    ended = program(
        "shops",
        "connect",
        "garde",
        "upp",
        "--client-id",
        upp["client_id"],
        "--json",
        stdin=upp["secret"] + "\n",
    )

    assert ended.code == 0, ended
    assert ended.json == {"system": "upp", "state": "connected", "account": upp["client_id"], "prefix": ""}
    again = program(
        "shops", "connect", "garde", "upp", "--client-id", upp["client_id"], stdin=upp["secret"] + "\n"
    )
    assert again.code == 0, again
    assert "it was connected before, so nothing is imported anew" in again.out
    assert upp["secret"] not in ended.out + ended.err
    [shown] = program("shops", "list", "--json").json
    assert [one["system"] for one in shown["connections"]] == ["upp"]
    assert [kind for (kind,) in database.run("SELECT kind FROM runs ORDER BY kind")] == ["order", "product"]


def test_a_wrong_secret_is_refused_and_nothing_is_stored(
    program: Program, database: Database, elsewhere: dict[str, Any]
) -> None:
    database.shop()

    line = failed(
        program(
            "shops",
            "connect",
            "garde",
            "upp",
            "--client-id",
            elsewhere["upp"]["client_id"],
            stdin="not-the-secret\n",
        )
    )

    assert "not-the-secret" not in line
    assert "nothing was stored: check client id and secret" in line
    assert database.run("SELECT FROM connections") == []


def test_uphance_is_connected_with_a_password_from_standard_input(
    program: Program, database: Database, elsewhere: dict[str, Any]
) -> None:
    database.shop()
    uphance = elsewhere["uphance"]
    words = ("shops", "connect", "garde", "uphance", "--email", uphance["email"])

    several = failed(program(*words, stdin=uphance["password"] + "\n"))
    assert "choose an organisation of this login" in several
    assert several.rstrip().endswith("; nothing was stored: name one with --organisation")
    ended = program(*words, "--organisation", str(uphance["organisation"]), stdin=uphance["password"] + "\n")

    assert ended.code == 0, ended
    assert "uphance is connected" in ended.out
    assert "the first import has begun" in ended.out
    [(secret, tokens)] = database.run("SELECT secret, tokens FROM connections WHERE system = 'uphance'")
    assert secret is None
    assert uphance["password"].encode() not in bytes(tokens)


def test_no_text_on_standard_input_is_a_failure(program: Program, database: Database) -> None:
    database.shop()

    words = ("shops", "connect", "garde", "upp", "--client-id", "x")
    assert "standard input" in failed(program(*words))
    assert "the client secret is not UTF-8 text" in failed(program(*words, stdin="pass\udcffword\n"))


@pytest.mark.parametrize("words", [["upp"], ["uphance"], ["sap", "--client-id", "x"]])
def test_what_connecting_needs_is_said(program: Program, database: Database, words: list[str]) -> None:
    database.shop()

    failed(program("shops", "connect", "garde", *words, stdin="secret\n"), 2)


def test_a_connection_is_forgotten_once(program: Program, database: Database) -> None:
    database.everything()

    assert program("shops", "disconnect", "garde", "upp").code == 0
    assert "not connected" in failed(program("shops", "disconnect", "garde", "upp"))


# --- states ---------------------------------------------------------------------------------------------------


def test_suspending_and_resuming(program: Program, database: Database) -> None:
    database.shop()

    assert program("shops", "suspend", "garde").out == "garde is suspended.\n"
    assert "nothing to do" in failed(program("shops", "suspend", "garde"))
    assert program("shops", "show", "garde", "--json").json["state"] == "suspended"
    assert program("shops", "resume", "garde").out == "garde goes on.\n"
    assert "nothing to do" in failed(program("shops", "resume", "garde"))


def test_an_import_needs_a_connection(program: Program, database: Database) -> None:
    database.shop()

    assert "connect` first" in failed(program("shops", "import", "garde"))


def test_erasing_asks(program: Program, database: Database) -> None:
    database.everything()

    declined = program("shops", "erase", "garde", stdin="n\n")

    assert declined.code == 1
    assert len(program("shops", "list", "--json").json) == 1
    assert program("shops", "erase", "garde", stdin="y\n").code == 0
    assert program("shops", "list", "--json").json == []


def test_erasing_with_yes_does_not_ask_and_says_what_went(program: Program, database: Database) -> None:
    database.everything()

    out = program("shops", "erase", "garde", "--yes").out

    assert out.startswith("garde is erased: ")
    assert "1 shops" in out
    assert "1 documents" in out


# --- problems -------------------------------------------------------------------------------------------------


def test_a_problem_is_tried_again_and_closed(program: Program, database: Database) -> None:
    number = str(database.problem(database.shop()))

    assert "read again" in program("problems", "retry", number).out
    assert "is closed" in program("problems", "dismiss", number).out
    assert program("problems", "list", "--json").json == []
    assert [one["id"] for one in program("problems", "list", "--handled", "--json").json] == [int(number)]
    assert "is open again" in program("problems", "take-back", number).out
    assert "is closed" in program("problems", "dismiss", number).out, "so it was open"
    for action in ("retry", "dismiss"):
        assert failed(program("problems", action, number)) == f"error: there is no open problem {number}\n"
    failed(program("problems", "retry", "twelve"), 2)


def test_renewing_needs_to_know_what(program: Program, database: Database) -> None:
    assert program("shops", "renew", str(database.shop())).code == 2


def test_webhook_addresses_are_renewed_and_those_that_people_type_are_said(
    program: Program, database: Database
) -> None:
    shop = str(database.shop())
    before = program("shops", "show", shop, "--json").json["uphance_webhook_url"]

    done = program("shops", "renew", shop, "--webhooks", "--json").json

    assert done["addresses"]["uphance"] != before
    assert program("shops", "show", shop, "--json").json["uphance_webhook_url"] == done["addresses"]["uphance"]
    waiting = program("changes", "list", "--json").json
    assert "webhooks" in [row["kind"] for row in waiting]


def test_all_sessions_are_ended(program: Program, database: Database) -> None:
    assert program("shops", "renew", str(database.shop()), "--sessions", "--json").json == {
        "sessions": 0,
        "addresses": {},
    }


HOSTILE = "[/] s.r.o.[link=https://evil.example]\x1b]0;pwned\x07\x1b[2J\u202e"


def test_what_merchants_write_is_neither_markup_nor_a_command_for_the_terminal(
    program: Program, database: Database
) -> None:
    database.shop(facts=Jsonb({"company": HOSTILE}))

    in_a_table, in_a_line = program("shops", "list").out, program("shops", "show", "garde").out

    assert "[/]" in in_a_table
    assert "[/] s.r.o.[link=https://evil.example]\\x1b]0;pwned\\x07\\x1b[2J\\u202e" in in_a_line
    assert not set("\x1b\x07\u202e") & set(in_a_table + in_a_line)
