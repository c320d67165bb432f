"""How far the walk of a run is, and whether it left nothing out

Revision ID: 0017
Revises: 0016

Not for a running version: 0.1.0 was never released. A run that is under way begins its walk anew: its pages are
read again, and nothing is sent twice for it. What was read before counts as complete.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("walk", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("runs", sa.Column("complete", sa.Boolean(), nullable=False, server_default=sa.text("true")))
    # What a list leaves out is a problem of the list now, not of its page.
    op.execute("DELETE FROM problems WHERE kind IN ('orders.page', 'products.page')")
    op.drop_column("runs", "rounds")
    op.drop_column("runs", "shrunk")


def downgrade() -> None:
    op.add_column("runs", sa.Column("shrunk", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("runs", sa.Column("rounds", sa.SmallInteger(), nullable=False, server_default=sa.text("1")))
    op.drop_column("runs", "complete")
    op.drop_column("runs", "walk")
