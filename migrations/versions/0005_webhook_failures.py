"""Webhooks whose last call failed

Revision ID: 0005
Revises: 0004

Runs while the previous version of the service still works: it neither reads nor writes the new column.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("webhook_failures", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "webhook_failures")
