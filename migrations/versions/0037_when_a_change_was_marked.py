"""When a change was marked

Revision ID: 0037
Revises: 0036

The column had a word of our own for what everything else calls "mark as changed". Code from before looks for the
old name, so it may not run on this schema. It is renamed in one step because 0.1.0, the first release, comes after
this: it is the last moment at which that can be done.
"""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("changes", "hinted_at", new_column_name="marked_at")
    op.execute("UPDATE compatibility SET oldest = '0037'")


def downgrade() -> None:
    op.execute("UPDATE compatibility SET oldest = '0024'")
    op.alter_column("changes", "marked_at", new_column_name="hinted_at")
