"""Variants by their EAN.

Revision ID: 0006
Revises: 0005

Who bears an EAN is asked for each batch of products that is read, where Upp.ai knows goods by it. While the index
is built (about a second for 100,000 variants) workers wait to write; nobody else does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "items_shop_id_ean_idx", "items", ["shop_id", sa.literal_column("lower(btrim(ean))")], unique=False
    )


def downgrade() -> None:
    op.drop_index("items_shop_id_ean_idx", table_name="items")
