"""Code from before 0024 may not run on this schema

Revision ID: 0026
Revises: 0025

It looks for customers by addresses that 0024 has taken out of the keys of links, so it would create them again;
and it would send again what was erased of a person.
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE compatibility SET oldest = '0024'")


def downgrade() -> None:
    op.execute("UPDATE compatibility SET oldest = '0019'")
