"""Searches by index

Revision ID: 0031
Revises: 0030

A search looked through the titles, and for what a system calls an order through the links, of all shops.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_MATCH = ["shop_id", "match", "title_sorted", "code", "key"]
_OF_ORDERS = sa.text("kind = 'order'")


def upgrade() -> None:
    op.drop_index("variants_match_idx", "variants")
    op.create_index("variants_match_idx", "variants", _MATCH, postgresql_include=["title_folded"])
    op.create_index("links_remote_id_idx", "links", ["shop_id", "remote_id"], postgresql_where=_OF_ORDERS)
    number = sa.text("(metadata ->> 'order_number')")
    op.create_index("links_order_number_idx", "links", ["shop_id", number], postgresql_where=_OF_ORDERS)


def downgrade() -> None:
    op.drop_index("links_order_number_idx", "links")
    op.drop_index("links_remote_id_idx", "links")
    op.drop_index("variants_match_idx", "variants")
    op.create_index("variants_match_idx", "variants", _MATCH)
