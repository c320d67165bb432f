"""The oldest version of the schema whose code may run on this one

Revision ID: 0019
Revises: 0018

A later migration that code of an older version cannot live with sets `oldest` to its own revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    compatibility = op.create_table("compatibility", sa.Column("oldest", sa.Text(), primary_key=True))
    op.bulk_insert(compatibility, [{"oldest": revision}])


def downgrade() -> None:
    op.drop_table("compatibility")
