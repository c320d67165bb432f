"""Variants that a person has paired with a SKU

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pairings",
        sa.Column("shop_id", sa.Uuid, sa.ForeignKey("shops.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("sku_id", sa.BigInteger, nullable=False),
        sa.Column("paired_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("shop_id", "sku_id", name="pairings_shop_id_sku_id_key"),
    )


def downgrade() -> None:
    op.drop_table("pairings")
