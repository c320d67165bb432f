"""A big shop straight into the database, in bulk: what a year of work leaves behind, without the year.

Nothing is read from anywhere and nothing is random: the same numbers give the same rows. The orders are those of
the last half year, evenly.
"""

import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher
from upbridge.core.i18n import keys
from upbridge.domain.shop_id import ShopId
from upbridge.store import sku_matching

#: A found order, code and product name are this far into the shop.
_SHARE = 0.37
_DAYS = 182
#: One in so many …
_PARKED, _WAITING, _OPEN, _UNREAD, _NEVER_SENT = 100, 50, 40, 25, 20

_FACTS = {
    "company": "Šatník s.r.o.",
    "default_language": "cs",
    "currencies": {"cs": "CZK", "sk": "EUR", "en": "EUR"},
    "pricelists": ["Výchozí", "VIP"],
    "default_pricelist": "Výchozí",
    "status_types": {"1": "Received", "2": "PaymentSuccessful", "3": "Sent", "4": "Canceled"},
    "status_names": {
        number: {"cs": name}
        for number, name in zip("1234", ("Přijatá", "Zaplacená", "Odeslaná", "Storno"), strict=True)
    },
}
_UPHANCE = {
    "organisation": {"id": 501, "name": "Wholesale"},
    "channels": [
        {"id": 6900, "name": "Web CZ", "currency": "CZK"},
        {"id": 6901, "name": "Web EU", "currency": "EUR"},
    ],
    "seasons": [{"id": 300, "name": "AW26"}],
}
_ORDER = {
    "externalOrderId": "U1",
    "currency": "CZK",
    "items": [{"sku": f"GAR-{number:06}-M", "quantity": 1, "price": 599} for number in range(4)],
    "shopper": {"email": "jana@example.org", "billing": {"first_name": "Jana", "last_name": "Nováková"}},
}


@dataclass(frozen=True, slots=True)
class BigShop:
    """A filled shop, and what a search in it is for."""

    id: ShopId
    order: str
    code: str
    name: str


async def fill(engine: AsyncEngine, cipher: Cipher, *, variants: int, orders: int, now: datetime) -> BigShop:
    """A shop of *variants* and *orders*, connected to both systems, its import long done, some of it under way.

    When all shops are there, their days have to be added up (`summarise_days`), as the worker does each night.
    """
    shop_id = uuid4()
    values: dict[str, Any] = {
        "id": shop_id,
        "now": now,
        "variants": variants,
        "orders": orders,
        "days": _DAYS,
        "body": cipher.encrypt(json.dumps(_ORDER).encode()),
        "sent": json.dumps(
            {"sku": "GAR", "title": "Svetr vlněný", "stock": 12, "price": 599, "active": True}
        ).encode(),
        "step": zlib.compress(json.dumps(_ORDER).encode()),
        "facts": json.dumps(_FACTS),
        "uphance": json.dumps(_UPHANCE),
        "parked": _PARKED,
        "waiting": _WAITING,
        "open": _OPEN,
        "unread": _UNREAD,
        "never_sent": _NEVER_SENT,
    }
    async with engine.begin() as tx:
        for statement in _STATEMENTS:
            await tx.execute(text(statement), values)
        await sku_matching.rematch_all(tx, ShopId(shop_id))
    async with engine.connect() as plain:
        tx = await plain.execution_options(isolation_level="AUTOCOMMIT")
        for table in _TABLES:  # as autovacuum would have by now
            await tx.execute(text(f"VACUUM (ANALYZE) {table}"))
    place = int(variants * _SHARE)
    return BigShop(
        ShopId(shop_id), f"U{int(orders * _SHARE):08}", f"GAR-{place:06}-M", f"Svetr vlněný {place // 3}"
    )


async def crowd(engine: AsyncEngine, shop: BigShop, *, now: datetime) -> None:
    """Ten thousand problems of *shop*, of every cause that has a name."""
    start = "problem.order."
    of_orders = sorted(key.removeprefix("problem.") for key in keys("en") if key.startswith(start))
    others = [f"order.cause_{number}" for number in range(_CAUSES - len(of_orders))]
    values = {"id": shop.id, "now": now, "causes": [*of_orders, *others], "each": _PROBLEMS // _CAUSES}
    async with engine.begin() as tx:
        await tx.execute(text(_CROWD), values)
    async with engine.connect() as plain:
        tx = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await tx.execute(text("VACUUM (ANALYZE) problems"))


_PROBLEMS, _CAUSES = 10_000, 62
_CROWD = """
    INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, params, message, since, found_at)
    SELECT :id, 'push', cause, 'uphance', 'order', 'U' || lpad(n::text, 8, '0'), 'U' || lpad(n::text, 8, '0'),
      jsonb_build_object('codes', 'GAR-' || n, 'number', n, 'currency', 'EUR', 'language', 'sk'),
      cause || ' (codes GAR-' || n || ', number ' || n || ')', :now,
      CAST(:now AS timestamptz) + interval '1 minute'
    FROM unnest(CAST(:causes AS text[])) AS cause, generate_series(1, CAST(:each AS int)) AS n
    ON CONFLICT DO NOTHING
"""

_TABLES = [
    "shops",
    "connections",
    "variants",
    "skus",
    "links",
    "documents",
    "changes",
    "problems",
    "daily_stats",
    "orders",
    "order_events",
    "open_order_lines",
    "deliveries",
    "api_calls",
    "runs",
    "budgets",
]

_STATEMENTS = (
    """
    INSERT INTO shops
      (id, key, token, state, api_url, facts, facts_at, subscribed_at, reconciled_at, installed_at)
    VALUES (:id, 'big-' || left(CAST(:id AS text), 8), CAST(:id AS text), 'active', 'https://big.invalid/api/v2',
      CAST(:facts AS jsonb), :now, :now, CAST(:now AS timestamptz) - interval '5 hours',
      CAST(:now AS timestamptz) - interval '1 year')
    """,
    """
    INSERT INTO connections (shop_id, system, state, account, facts, connected_at, polled_at)
    SELECT :id, system, 'connected', '501', CAST(:uphance AS jsonb),
      CAST(:now AS timestamptz) - interval '1 year', :now
    FROM unnest(ARRAY['upp', 'uphance']) AS system
    """,
    # Three variants a product; every 97th has no code, every 41st shares the code of the one before it.
    """
    INSERT INTO variants (shop_id, key, product_id, code, ean, title, stock, stock_own, active, listed, read_at)
    SELECT :id, 'v-' || n, n / 3,
      CASE WHEN n % 97 = 0 THEN NULL ELSE 'GAR-' || lpad((n - (n % 41 = 0)::int)::text, 6, '0') || '-M' END,
      '859' || lpad(n::text, 10, '0'),
      (ARRAY['Svetr vlněný', 'Tričko bavlněné', 'Kalhoty lněné', 'Šaty letní', 'Košile flanelová'])[1 + n / 3 % 5]
        || ' ' || n / 3, n % 120, true, true, true, :now
    FROM generate_series(1, CAST(:variants AS int)) AS n
    """,
    # Uphance has nine in ten of them; of some it knows the EAN only, of some it has two.
    """
    INSERT INTO skus (shop_id, sku_id, product_id, variation_id, season_id, sku_number, ean, name,
      in_stock, available, available_from_stock, read_at)
    SELECT :id, n, n / 3, n / 3, 300,
      CASE WHEN n % 31 = 0 THEN 'UPH-' || n ELSE 'gar-' || lpad((n - (n % 53 = 0)::int)::text, 6, '0') || '-m' END,
      '859' || lpad(n::text, 10, '0'), 'Sweater ' || n / 3 || ' M', n % 120, n % 120, n % 120, :now
    FROM generate_series(1, CAST(:variants AS int)) AS n WHERE n % 10 > 0
    """,
    # What `domain.sku.code_key` makes of these codes.
    "UPDATE variants SET code_key = lower(code), ean_key = ean WHERE shop_id = :id",
    "UPDATE skus SET code_key = lower(sku_number), ean_key = ean WHERE shop_id = :id",
    """
    INSERT INTO links (shop_id, target, kind, key, parent, remote_id, hash, sent, updated_at)
    SELECT :id, 'upp', 'product', 'v-' || n, (n / 3)::text, 'v-' || n, sha256(n::text::bytea), :sent,
      CAST(:now AS timestamptz) - n * interval '1 second'
    FROM generate_series(1, CAST(:variants AS int)) AS n
    """,
    """
    INSERT INTO links (shop_id, target, kind, key, parent, hash, metadata, updated_at)
    SELECT :id, 'upgates', 'stock', 'v-' || n, 'v-' || n, sha256(n::text::bytea), '{"written": "12"}',
      CAST(:now AS timestamptz) - n * interval '1 second'
    FROM generate_series(1, CAST(:variants AS int)) AS n WHERE n % 10 > 0
    """,
    """
    INSERT INTO links
      (shop_id, target, kind, key, parent, remote_id, hash, sent, remote_status, metadata, updated_at)
    SELECT :id, system, 'order', 'U' || lpad(n::text, 8, '0'), 'U' || lpad(n::text, 8, '0'), (700000 + n)::text,
      sha256(n::text::bytea), :sent, 'confirmed', '{"order_number": "SO1"}',
      CAST(:now AS timestamptz) - interval '1 day' * :days * n / :orders
    FROM generate_series(1, CAST(:orders AS int)) AS n, unnest(ARRAY['upp', 'uphance']) AS system
    WHERE system = 'upp' OR n % :never_sent > 0
    """,
    """
    INSERT INTO orders (shop_id, number, ordered_at, read_at)
    SELECT :id, 'U' || lpad(n::text, 8, '0'),
      CAST(:now AS timestamptz) - interval '1 day' * :days * n / :orders, :now
    FROM generate_series(1, CAST(:orders AS int)) AS n
    """,
    # Steps are kept for 90 days: each order was read once and delivered to both.
    """
    INSERT INTO order_events (shop_id, order_number, at, event, target, since, body)
    SELECT :id, 'U' || lpad(n::text, 8, '0'), at, what, target, at - interval '1 second' * (5 + n % 300), :step
    FROM generate_series(1, CAST(:orders AS int) * 90 / :days) AS n
    CROSS JOIN LATERAL (SELECT CAST(:now AS timestamptz) - interval '1 day' * :days * n / :orders AS at) AS moment
    CROSS JOIN unnest(
      ARRAY['read', 'delivered', 'delivered'], ARRAY['upgates', 'upp', 'uphance']) AS s (what, target)
    """,
    """
    INSERT INTO links (shop_id, target, kind, key, remote_id, hash, updated_at)
    SELECT :id, 'uphance', 'customer', 'UPG-big-C' || n, n::text, sha256('0'), :now
    FROM generate_series(1, CAST(:orders AS int) / 2) AS n
    """,
    """
    INSERT INTO links (shop_id, target, kind, key, parent, hash, updated_at)
    SELECT :id, 'upgates', 'shipment', 'U' || lpad(n::text, 8, '0'), 'U' || lpad(n::text, 8, '0'),
      sha256(n::text::bytea), CAST(:now AS timestamptz) - interval '1 day' * :days * n / :orders
    FROM generate_series(1, CAST(:orders AS int)) AS n WHERE n % 3 > 0
    """,
    """
    INSERT INTO documents (shop_id, target, kind, key, parent, body, hash, state, reason, priority, since, due_at)
    SELECT :id, 'uphance', 'order', 'U' || lpad(n::text, 8, '0'), 'U' || lpad(n::text, 8, '0'), :body,
      sha256(n::text::bytea), CASE WHEN n % :parked = 0 THEN 'parked' ELSE 'waiting' END,
      CASE WHEN n % :parked = 0 THEN 'order.unknown_sku' END, 1, :now,
      CAST(:now AS timestamptz) + interval '1 hour'
    FROM generate_series(1, CAST(:orders AS int)) AS n WHERE n % :waiting = 0
    """,
    """
    INSERT INTO documents (shop_id, target, kind, key, parent, body, hash, priority, since, due_at)
    SELECT :id, 'upp', 'product', 'v-' || n, (n / 3)::text, :body, sha256(n::text::bytea), 3, :now,
      CAST(:now AS timestamptz) + interval '1 hour'
    FROM generate_series(1, CAST(:variants AS int)) AS n WHERE n % :waiting = 0
    """,
    """
    INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, params, message, since)
    SELECT :id, 'push', 'order.unknown_sku', 'uphance', 'order', 'U' || lpad(n::text, 8, '0'),
      'U' || lpad(n::text, 8, '0'), jsonb_build_object('codes', 'GAR-' || n), 'unknown sku', :now
    FROM generate_series(1, CAST(:orders AS int)) AS n WHERE n % :parked = 0
    """,
    """
    INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, params, message, since)
    SELECT :id, 'map', 'product.no_price', 'upp', 'product', 'v-' || n, (n / 3)::text,
      jsonb_build_object('title', 'Svetr ' || n, 'sku', 'GAR-' || n), 'no price', :now
    FROM generate_series(1, CAST(:variants AS int)) AS n WHERE n % :parked = 0
    """,
    """
    INSERT INTO changes (shop_id, source, kind, key, origin, priority, marked_at, due_at)
    SELECT :id, 'upgates', 'order', 'U' || lpad(n::text, 8, '0'), 'webhook', 1, :now,
      CAST(:now AS timestamptz) + interval '1 hour'
    FROM generate_series(1, CAST(:orders AS int)) AS n WHERE n % :unread = 0
    """,
    """
    INSERT INTO changes (shop_id, source, kind, key, origin, priority, marked_at, due_at)
    SELECT :id, 'upgates', 'product', n::text, 'webhook', 3, :now, CAST(:now AS timestamptz) + interval '1 hour'
    FROM generate_series(1, CAST(:variants AS int) / 3) AS n WHERE n % :unread = 0
    """,
    """
    INSERT INTO open_order_lines
      (shop_id, order_number, position, variant_key, code, quantity, pending, ordered_at)
    SELECT :id, 'U' || lpad(n::text, 8, '0'), place, 'v-' || n, 'GAR-' || lpad(n::text, 6, '0') || '-M', 1, true,
      CAST(:now AS timestamptz) - interval '1 day' * :days * n / :orders
    FROM generate_series(1, CAST(:orders AS int)) AS n, generate_series(0, 2) AS place WHERE n % :open = 0
    """,
    """
    INSERT INTO deliveries (shop_id, source, event, records, keys, received_at)
    SELECT :id, 'upgates', CASE WHEN n % 2 = 0 THEN 'Orders.update' ELSE 'Products.update' END, 1, ARRAY[n::text],
      CAST(:now AS timestamptz) - interval '7 days' * n / :orders
    FROM generate_series(1, CAST(:orders AS int)) AS n
    """,
    """
    INSERT INTO api_calls (shop_id, hour, access, purpose, count)
    SELECT :id, date_trunc('hour', CAST(:now AS timestamptz)) - n * interval '1 hour', access, purpose, 20 + n % 7
    FROM generate_series(0, 24 * 35) AS n,
      unnest(ARRAY['GET /orders', 'GET /products', 'PUT /products']) AS access,
      unnest(ARRAY['orders', 'products', 'stock', 'safety']) AS purpose
    """,
    """
    INSERT INTO runs (shop_id, kind, purpose, state, total, pages, done, found, started_at, finished_at)
    SELECT :id, kind, purpose, 'done', :variants, :variants / 100, :variants, 3, at, at + interval '5 minutes'
    FROM unnest(ARRAY['product', 'order']) AS kind, unnest(ARRAY['import', 'safety_net']) AS purpose,
      generate_series(CAST(:now AS timestamptz) - interval '90 days', :now, interval '1 day') AS at
    """,
    """
    INSERT INTO budgets
      (shop_id, hour_limit, day_limit, hour_at, hour_used, day_at, day_used, learned_at, succeeded_at)
    VALUES (:id, 1000, 20000, date_trunc('hour', CAST(:now AS timestamptz)), 120,
      date_trunc('day', CAST(:now AS timestamptz)), 2400, :now, :now)
    """,
)
