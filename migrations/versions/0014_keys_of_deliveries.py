"""The keys that a delivery named, in the place of its body

Revision ID: 0014
Revises: 0013

Not for a running version: 0.1.0 was never released, so the column is replaced in one step. What was kept of older
deliveries for diagnosis goes; what they announced was marked when they came.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("deliveries", "body")
    op.add_column("deliveries", sa.Column("keys", ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.alter_column("deliveries", "keys", server_default=None)


def downgrade() -> None:
    op.drop_column("deliveries", "keys")
    op.add_column("deliveries", sa.Column("body", sa.LargeBinary(), server_default="", nullable=False))
    op.alter_column("deliveries", "body", server_default=None)
