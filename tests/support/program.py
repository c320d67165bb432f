"""The program as a shell calls it, and its database."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg

from tests.support.shops import KEY
from upbridge.core.encryption import Cipher


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


Program = Callable[..., Ended]


@dataclass
class Database:
    """The database, seen without our code."""

    url: str

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """A statement; its rows if it has any."""
        with psycopg.connect(self.url, autocommit=True) as tx:
            cursor = tx.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def shop(self, key: str = "garde", **columns: Any) -> str:
        """A new shop; returns its id."""
        number = str(uuid4())
        row = {
            "id": number,
            "key": key,
            "token": f"token-of-{key}",
            "state": "active",
            "api_url": f"https://{key}.admin.s1.upgates.com/api/v2",
            "api_user": "12345678",
            "api_key": Cipher([KEY]).encrypt("api-key"),
            "version": 1,
            **columns,
        }
        self.insert("shops", row)
        return number

    def insert(self, table: str, row: dict[str, Any]) -> None:
        """A row as it is."""
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())

    def everything(self, key: str = "garde") -> str:
        """A shop of which there is something of each kind; returns its id."""
        shop = self.shop(key)
        self.insert("connections", {"shop_id": shop, "system": "upp", "state": "connected", "account": key})
        place = {"shop_id": shop, "kind": "order", "key": "OBJ-1", "priority": 1}
        self.insert("changes", {**place, "source": "upgates", "origin": "webhook"})
        self.insert("documents", {**place, "target": "upp", "parent": "OBJ-1", "body": b"", "hash": b""})
        order = "INSERT INTO orders (shop_id, number, ordered_at, read_at) VALUES (%s, %s, now(), now())"
        self.run(order, shop, "OBJ-1")
        self.problem(shop)
        for kind in ("product", "order"):
            run = {"shop_id": shop, "kind": kind, "purpose": "import", "state": "running", "total": 9, "done": 3}
            self.insert("runs", run)
        return shop

    def problem(self, shop: str) -> int:
        """An open problem of a product; returns its number."""
        row = {
            "shop_id": shop,
            "stage": "map",
            "key": "product.no_price",
            "target": "upp",
            "kind": "product",
            "entity": "v-4711",
            "parent": "12",
            "message": "product: no price",
        }
        self.insert("problems", row)
        return int(self.run("SELECT max(id) FROM problems")[0][0])
