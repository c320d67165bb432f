"""What goods were called that have left the shop, and who is who among orders

Revision ID: 0022
Revises: 0021

Two tables that are empty at first: they are filled as goods leave, and as orders are read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_variants",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("ean", sa.Text(), nullable=True),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("former_variants_shop_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", "key", name=op.f("former_variants_pkey")),
    )
    op.create_table(
        "order_identities",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("bearer", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("order_identities_shop_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", "number", name=op.f("order_identities_pkey")),
    )
    op.create_index("order_identities_uuid_idx", "order_identities", ["shop_id", "uuid"])
    op.create_index("order_identities_bearer_idx", "order_identities", ["shop_id", "bearer"])


def downgrade() -> None:
    op.drop_table("order_identities")
    op.drop_table("former_variants")
