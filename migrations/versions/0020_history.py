"""Who did what to a shop, and which stock was written

Revision ID: 0020
Revises: 0019

Two tables more: the version before does not know them and needs them not.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("shop_id", sa.Uuid(), sa.ForeignKey("shops.id", ondelete="CASCADE")),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, server_default=""),
        sa.Column("old", sa.Text()),
        sa.Column("new", sa.Text()),
        sa.Column("details", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
    )
    op.create_index("history_shop_id_id_idx", "history", ["shop_id", "id"])
    op.create_index("history_at_idx", "history", ["at"])
    op.create_index(
        "history_stock_run_idx",
        "history",
        ["shop_id", "subject"],
        unique=True,
        postgresql_where=sa.text("what = 'stock'"),
    )
    op.create_table(
        "stock_writes",
        sa.Column("shop_id", sa.Uuid(), sa.ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("run_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("old", sa.Numeric()),
        sa.Column("new", sa.Numeric(), nullable=False),
    )
    op.create_index("stock_writes_run_at_idx", "stock_writes", ["run_at"])


def downgrade() -> None:
    op.drop_table("stock_writes")
    op.drop_table("history")
