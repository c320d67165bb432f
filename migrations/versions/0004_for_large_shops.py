"""Indexes for large shops, and the match report beside the catalogue

Revision ID: 0004
Revises: 0003

Runs while the previous version of the service still works: it neither reads nor writes the new columns. `items`
is rewritten once for the folded titles (about a second for 100,000 variants); only workers and pages wait
meanwhile, no webhook touches the table. The matches are filled in by the next look at Uphance's catalogue, within
UPBRIDGE_STOCK_POLL_SECONDS.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "documents_next_idx",
        "documents",
        ["shop_id", "target", "priority", "seq"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
    )
    op.drop_index("links_parent_idx", table_name="links")
    op.create_index(
        "links_parent_idx",
        "links",
        ["shop_id", "target", "kind", "parent"],
        unique=False,
        postgresql_ops={"parent": "text_pattern_ops"},
    )
    op.create_index("links_updated_at_idx", "links", ["shop_id", "target", "kind", "updated_at"], unique=False)
    op.create_index(
        "orders_begin_idx",
        "orders",
        ["shop_id", "number"],
        unique=False,
        postgresql_ops={"number": "text_pattern_ops"},
    )
    op.add_column("items", sa.Column("match", sa.Text(), server_default="unmatched", nullable=False))
    op.add_column("items", sa.Column("sku_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "items", sa.Column("folded", sa.Text(), sa.Computed("lower(title)", persisted=True), nullable=True)
    )
    op.drop_index("items_shop_id_code_idx", table_name="items")
    op.create_index(
        "items_shop_id_code_idx", "items", ["shop_id", sa.literal_column("lower(btrim(code))")], unique=False
    )
    op.create_index("items_match_idx", "items", ["shop_id", "match", "folded", "code", "key"], unique=False)


def downgrade() -> None:
    op.drop_index("items_match_idx", table_name="items")
    op.drop_index("items_shop_id_code_idx", table_name="items")
    op.create_index("items_shop_id_code_idx", "items", ["shop_id", sa.literal_column("lower(code)")], unique=False)
    op.drop_column("items", "folded")
    op.drop_column("items", "sku_id")
    op.drop_column("items", "match")
    op.drop_index("orders_begin_idx", table_name="orders")
    op.drop_index("links_updated_at_idx", table_name="links")
    op.drop_index("links_parent_idx", table_name="links")
    op.create_index("links_parent_idx", "links", ["shop_id", "target", "kind", "parent"], unique=False)
    op.drop_index("documents_next_idx", table_name="documents")
