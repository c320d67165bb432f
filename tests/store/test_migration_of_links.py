"""Revision 0013: what stood in the notes of links, and the rows that were none, find their places."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command
from psycopg.rows import dict_row

from upbridge.store.alembic_steps import alembic_config
from upbridge.store.migrate import migrate
from upbridge.systems.uphance.customer_mapping import customer_key

SHOP = UUID(int=1)
AT = "2026-11-24T11:00:00+00:00"

#: (target, kind, key, state, remote_id, high_water, note).
BEFORE: tuple[tuple[str, str, str, str, str | None, int | None, dict[str, Any]], ...] = (
    ("uphance", "account", "uphance", "delivered", "7", None, {"prefix": "shop-"}),
    ("upp", "account", "upp", "delivered", "tenant", None, {"prefix": ""}),
    ("uphance", "pick_ticket", "newest", "delivered", None, 812, {}),
    ("uphance", "pick_ticket", "801", "watched", None, None, {"updated_at": AT}),
    ("uphance", "pick_ticket", "802", "watched", None, None, {"updated_at": None}),
    ("uphance", "order", "sent", "delivered", "1001", None, {"order_number": "S1", "status": "draft"}),
    (
        "uphance",
        "order",
        "through",
        "delivered",
        "1002",
        None,
        {"order_number": "S2", "status": "shipped", "updated_at": AT, "closed": True},
    ),
    ("uphance", "order", "doubt", "sending", None, 17, {"mark": "ab01", "trace": {"goods": [1]}, "at": AT}),
    ("uphance", "order", "refused", "unsent", None, 19, {}),
    ("uphance", "customer", "UPG-demo-1", "delivered", "500", None, {"mark": "ff00"}),
    ("uphance", "customer", "UPG-demo-eva@example.com", "delivered", "501", None, {}),
    ("uphance", "product", "12", "delivered", "900", None, {"made": ["v-1", "v-2"]}),
    (
        "upgates",
        "shipment",
        "sent",
        "delivered",
        None,
        None,
        {"status": 4, "tracking": "CZ1", "external": "S1", "tickets": [1, 2], "at": AT},
    ),
    (
        "upgates",
        "shipment",
        "doubt",
        "sending",
        None,
        None,
        {"status": 4, "tracking": None, "tickets": [1], "doubt": [2], "doubt_at": AT},
    ),
    (
        "upgates",
        "stock",
        "v-1",
        "delivered",
        None,
        None,
        {"written": "3", "uphance": 5, "at": AT, "confirmed": True},
    ),
    ("upp", "product", "v-1", "delivered", "v-1", None, {}),
)


@pytest.fixture
def carried(empty_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A database that had every shape of links before, at the newest revision."""
    command.upgrade(alembic_config(empty_url), "0012")
    with psycopg.connect(empty_url) as tx:
        tx.execute(
            "INSERT INTO shops (id, key, token, state, api_url) VALUES (%s, 's', 't', 'active', 'u')", [SHOP]
        )
        for target, kind, key, state, remote_id, high_water, note in BEFORE:
            tx.execute(
                "INSERT INTO links (shop_id, target, kind, key, state, remote_id, high_water, note)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [SHOP, target, kind, key, state, remote_id, high_water, json.dumps(note)],
            )
    migrate(empty_url)
    with psycopg.connect(empty_url, row_factory=dict_row) as tx:
        yield tx


def test_what_the_notes_decided_has_columns(carried: psycopg.Connection[dict[str, Any]]) -> None:
    rows = carried.execute("SELECT * FROM links").fetchall()
    links = {(row["target"], row["kind"], row["key"]): row for row in rows}
    gone = {("uphance", "account", "uphance"), ("upp", "account", "upp"), ("uphance", "pick_ticket", "newest")}
    guest = ("uphance", "customer", "UPG-demo-eva@example.com")
    unnamed = ("uphance", "customer", customer_key(guest[2]))
    assert links.keys() == {row[:3] for row in BEFORE} - gone - {guest} | {unnamed}
    assert links[unnamed]["remote_id"] == "501"

    sent, through = links["uphance", "order", "sent"], links["uphance", "order", "through"]
    assert (sent["remote_status"], sent["closed"], sent["metadata"]) == ("draft", False, {"order_number": "S1"})
    assert (through["remote_status"], through["closed"]) == ("shipped", True)
    assert through["remote_updated_at"].isoformat() == AT
    assert links["uphance", "pick_ticket", "801"]["remote_updated_at"].isoformat() == AT
    assert links["uphance", "pick_ticket", "802"]["remote_updated_at"] is None
    assert links["uphance", "customer", "UPG-demo-1"]["hash"] == b"\xff\x00"
    assert links["uphance", "product", "12"]["created_keys"] == ["v-1", "v-2"]
    shipped = links["upgates", "shipment", "sent"]
    assert json.loads(shipped["sent"]) == {"status": 4, "tracking": "CZ1", "external": "S1"}
    assert (shipped["created_keys"], shipped["metadata"]) == ([1, 2], {"at": AT})
    assert links["upgates", "stock", "v-1"]["metadata"] == {"written": "3", "uphance": 5, "at": AT}
    assert links["upp", "product", "v-1"]["metadata"] == {}


def test_an_attempt_in_doubt_stays_one(carried: psycopg.Connection[dict[str, Any]]) -> None:
    rows = carried.execute("SELECT * FROM links WHERE attempted_at IS NOT NULL ORDER BY target").fetchall()

    shipment, order = rows
    assert (order["key"], order["attempted_at"].isoformat(), order["attempt_newer_than"]) == ("doubt", AT, 17)
    assert (order["attempt_mark"], order["attempt_trace"]) == ("ab01", {"goods": [1]})
    assert (shipment["attempted_at"].isoformat(), shipment["attempt_trace"]) == (AT, {"tickets": [2]})
    assert (shipment["created_keys"], json.loads(shipment["sent"])) == ([1], {"status": 4, "tracking": None})


def test_what_was_no_link_is_a_cursor(carried: psycopg.Connection[dict[str, Any]]) -> None:
    rows = carried.execute("SELECT system, name, value FROM cursors").fetchall()

    assert {(row["system"], row["name"]): row["value"] for row in rows} == {
        ("uphance", "account"): "7",
        ("uphance", "account_prefix"): "shop-",
        ("upp", "account"): "tenant",
        ("upp", "account_prefix"): "",
        ("uphance", "newest_pick_ticket"): "812",
        ("uphance", "highest_order_id"): "19",
    }
