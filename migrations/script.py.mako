"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}

Runs while the previous version of the service still works: add, then backfill, then enforce. A step that waits
for a lock is given up soon and begins again (env.py, store/migrate.py): few tables each, and no step that cannot be
repeated.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
