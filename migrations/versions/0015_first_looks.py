"""What one look took away, until a second one agrees

Revision ID: 0015
Revises: 0014

A table that is empty at first, and whether a variant has a price: unknown until its product is read again, and an
unknown price cannot be lost.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "first_looks",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("first_looks_shop_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", "key", "kind", name=op.f("first_looks_pkey")),
    )
    op.add_column("variants", sa.Column("priced", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("variants", "priced")
    op.drop_table("first_looks")
