"""Why a login is not tried

Revision ID: 0038
Revises: 0037

A call's login may fail after a new installation that it did not know of, or beside another call: the breaker has
to know when the call began. A lane that waits for the breaker does not wait because no calls are left.
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("failed_logins", sa.Column("begun_at", sa.DateTime(timezone=True)))
    op.add_column("lanes", sa.Column("logins", sa.Boolean(), nullable=False, server_default=sa.text("false")))


def downgrade() -> None:
    op.drop_column("lanes", "logins")
    op.drop_column("failed_logins", "begun_at")
