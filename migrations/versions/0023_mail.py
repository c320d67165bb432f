"""Mail: the causes that mails report, and the mails that wait for the server

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("shop_id", sa.Uuid(), sa.ForeignKey("shops.id", ondelete="CASCADE")),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("reader", sa.LargeBinary(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.Column("gone_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "notices_once_idx", "notices", ["shop_id", "cause"], unique=True, postgresql_nulls_not_distinct=True
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("shop_id", sa.Uuid(), sa.ForeignKey("shops.id", ondelete="CASCADE")),
        sa.Column("once", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text()),
    )
    op.create_index("letters_once_idx", "letters", ["once"], unique=True)
    op.create_index("letters_made_at_idx", "letters", ["made_at"])
    op.create_index("letters_due_at_idx", "letters", ["due_at"], postgresql_where=sa.text("sealed IS NOT NULL"))


def downgrade() -> None:
    op.drop_table("letters")
    op.drop_table("notices")
