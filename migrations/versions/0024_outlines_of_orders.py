"""What a page shows of an order, and why no system is sent it

Revision ID: 0024
Revises: 0023

Both come with the next reading of an order; until then it has neither. A number that Uphance gave an order finds it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("outline", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column(
        "orders",
        sa.Column("kept_back", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
    )


def downgrade() -> None:
    op.drop_column("orders", "kept_back")
    op.drop_column("orders", "outline")
