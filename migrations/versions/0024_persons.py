"""Of whom nothing is stored any more, and no address of a person in a key

Revision ID: 0024
Revises: 0023

A column more, which the version before needs not. The keys of links to customers that had an e-mail address in
them are fingerprints from now on: the version before, put back, does not recognise these customers.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_ADDRESSED = sa.text(
    "SELECT shop_id, target, key FROM links"
    " WHERE kind = 'customer' AND key !~ '^UPG-[a-z0-9-]+-[0-9]+$' AND key !~ '^person-[0-9a-f]{32}$'"
)
_RENAME = sa.text(
    "UPDATE links SET key = :new WHERE shop_id = :shop AND target = :target AND kind = 'customer' AND key = :old"
)


def upgrade() -> None:
    op.add_column("links", sa.Column("erased_at", sa.DateTime(timezone=True)))
    tx = op.get_bind()
    for row in tx.execute(_ADDRESSED).all():
        key = "person-" + hashlib.blake2b(row.key.encode(), digest_size=16).hexdigest()
        tx.execute(_RENAME, {"new": key, "shop": row.shop_id, "target": row.target, "old": row.key})


def downgrade() -> None:
    op.drop_column("links", "erased_at")
