"""Orders and their steps

Revision ID: 0003
Revises: 0002

Runs while the previous version of the service still works: add, then backfill, then enforce. The lock time-out
is set in env.py; raise it only with a reason written here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("orders_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "number", name=op.f("orders_pkey")),
    )
    op.create_index("orders_shop_id_made_at_idx", "orders", ["shop_id", "made_at"], unique=False)
    op.create_table(
        "steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("steps_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("steps_pkey")),
    )
    op.create_index("steps_at_idx", "steps", ["at"], unique=False)
    op.create_index("steps_shop_id_at_idx", "steps", ["shop_id", "at"], unique=False)
    op.create_index("steps_shop_id_number_idx", "steps", ["shop_id", "number"], unique=False)
    # What is known of orders that were read before: when they were made is only known of those with pieces, of the
    # others the day of their last delivery stands in until they are read again.
    op.execute(
        """
        INSERT INTO orders (shop_id, number, made_at, read_at)
        SELECT shop_id, number, min(made_at), max(read_at) FROM (
          SELECT shop_id, order_number AS number, ordered_at AS made_at, ordered_at AS read_at FROM pieces
          UNION ALL
          SELECT shop_id, parent, updated_at, updated_at FROM links
          WHERE kind = 'order' AND parent IS NOT NULL AND updated_at > now() - interval '90 days'
        ) known GROUP BY shop_id, number
        """
    )


def downgrade() -> None:
    op.drop_table("steps")
    op.drop_table("orders")
