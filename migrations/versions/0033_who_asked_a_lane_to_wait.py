"""Who asked a lane to wait

Revision ID: 0033
Revises: 0032

Whether a shop was silent or had no calls left was guessed from what the lane waited with, and guessed wrong.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lanes", sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.text("false")))


def downgrade() -> None:
    op.drop_column("lanes", "asked")
