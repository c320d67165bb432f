"""Beginnings of waiting orders

Revision ID: 0034
Revises: 0033

A search by the beginning of an order number read all that waits to be sent, of products too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "documents_begin_idx",
        "documents",
        ["shop_id", "target", "parent"],
        postgresql_ops={"parent": "text_pattern_ops"},
        postgresql_where=sa.text("kind = 'order'"),
    )


def downgrade() -> None:
    op.drop_index("documents_begin_idx", "documents")
