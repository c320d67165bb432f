"""Variants by their EAN.

Revision ID: 0006
Revises: 0005

The worker looks up the variants with an EAN for each batch of products, if Upp.ai knows goods by EAN. While the
index is built (about a second for 100,000 variants) workers wait to write; readers do not wait.
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
