"""When a change was announced

Revision ID: 0035
Revises: 0034

Whether an answer is older than what was announced last could not be told of what had been heard of before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("told_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("changes", "told_at")
