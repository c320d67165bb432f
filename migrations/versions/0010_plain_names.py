"""Plain names for tables and columns

Revision ID: 0010
Revises: 0009

Renames in one step, so no process of the previous version may run meanwhile. 0.1.0 was never released, so there is
no such process. Rows, indexes and constraints stay what they are; only their names change. From the first release
on a name changes in three steps: add, copy, remove.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: (before, after).
TABLES = (
    ("items", "variants"),
    ("pieces", "open_order_lines"),
    ("steps", "order_events"),
    ("days", "daily_stats"),
    ("leases", "call_leases"),
    ("calls", "api_calls"),
    ("samples", "metric_samples"),
)

#: (table by its new name, column before, column after).
COLUMNS = (
    ("variants", "folded", "title_folded"),
    ("open_order_lines", "place", "position"),
    ("open_order_lines", "item", "variant_key"),
    ("open_order_lines", "waits", "pending"),
    ("orders", "made_at", "ordered_at"),
    ("order_events", "number", "order_number"),
    ("order_events", "what", "event"),
    ("daily_stats", "what", "metric"),
    ("budgets", "made", "calls_made"),
    ("budgets", "seen_made", "calls_made_at_header"),
    ("budgets", "unseen", "calls_unconfirmed"),
    ("budgets", "lost", "calls_lost"),
)

INDEXES = (
    ("items_shop_id_product_id_idx", "variants_shop_id_product_id_idx"),
    ("items_shop_id_code_idx", "variants_shop_id_code_idx"),
    ("items_shop_id_ean_idx", "variants_shop_id_ean_idx"),
    ("items_match_idx", "variants_match_idx"),
    ("orders_shop_id_made_at_idx", "orders_shop_id_ordered_at_idx"),
    ("orders_made_at_idx", "orders_ordered_at_idx"),
    ("steps_shop_id_number_idx", "order_events_shop_id_order_number_idx"),
    ("steps_shop_id_at_idx", "order_events_shop_id_at_idx"),
    ("steps_at_idx", "order_events_at_idx"),
    ("days_day_at_idx", "daily_stats_day_at_idx"),
)

#: The other tables have a foreign key to their shop.
WITHOUT_SHOP = {"metric_samples"}


def upgrade() -> None:
    for before, after in TABLES:
        op.rename_table(before, after)
        for end in _constraints(after):
            op.execute(f"ALTER TABLE {after} RENAME CONSTRAINT {before}_{end} TO {after}_{end}")
    for table, before, after in COLUMNS:
        op.alter_column(table, before, new_column_name=after)
    for before, after in INDEXES:
        op.execute(f"ALTER INDEX {before} RENAME TO {after}")
    op.execute("ALTER SEQUENCE steps_id_seq RENAME TO order_events_id_seq")


def downgrade() -> None:
    op.execute("ALTER SEQUENCE order_events_id_seq RENAME TO steps_id_seq")
    for before, after in INDEXES:
        op.execute(f"ALTER INDEX {after} RENAME TO {before}")
    for table, before, after in COLUMNS:
        op.alter_column(table, after, new_column_name=before)
    for before, after in TABLES:
        for end in _constraints(after):
            op.execute(f"ALTER TABLE {after} RENAME CONSTRAINT {after}_{end} TO {before}_{end}")
        op.rename_table(after, before)


def _constraints(table: str) -> tuple[str, ...]:
    return ("pkey",) if table in WITHOUT_SHOP else ("pkey", "shop_id_fkey")
