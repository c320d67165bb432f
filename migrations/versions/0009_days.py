"""What days came to

Revision ID: 0009
Revises: 0008

A table that is empty at first: the worker fills it, and until then pages add up the rows themselves, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "days",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("day_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("median", sa.Double(), nullable=True),
        sa.Column("p95", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("days_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "what", "system", "day_at", name=op.f("days_pkey")),
    )
    op.create_index("days_day_at_idx", "days", ["day_at"], unique=False)


def downgrade() -> None:
    op.drop_table("days")
