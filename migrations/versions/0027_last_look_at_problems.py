"""When a problem was found last, beside since when it lasts

Revision ID: 0027
Revises: 0026

Rows from before have no such moment until what they are about is tried again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("problems", sa.Column("found_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("problems", "found_at")
