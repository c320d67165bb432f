"""Columns for what was decided by a link's note, and a table for cursors

Revision ID: 0013
Revises: 0012

Not for a running version: 0.1.0 was never released, so the columns are replaced in one step. From the first
release on a column changes in three steps: add, copy, remove.

The rows that were no links become cursors: the account that a shop has left (kind `account`), and how far pick
tickets were read (kind `pick_ticket`, key `newest`). The moment, the mark and the trace of an attempt whose end is
unknown get columns (`doubt` and `doubt_at` were older names of the same). The highest id that was known where
nothing was created yet becomes a cursor. What nothing is decided by stays as `metadata`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOVE = (
    """
    INSERT INTO cursors (shop_id, system, name, value)
    SELECT shop_id, target, 'account', remote_id FROM links WHERE kind = 'account' AND remote_id IS NOT NULL
    """,
    """
    INSERT INTO cursors (shop_id, system, name, value)
    SELECT shop_id, target, 'account_prefix', COALESCE(note ->> 'prefix', '') FROM links
    WHERE kind = 'account' AND remote_id IS NOT NULL
    """,
    """
    INSERT INTO cursors (shop_id, system, name, value)
    SELECT shop_id, target, 'newest_pick_ticket', high_water FROM links
    WHERE kind = 'pick_ticket' AND key = 'newest' AND high_water IS NOT NULL
    """,
    """
    INSERT INTO cursors (shop_id, system, name, value)
    SELECT shop_id, target, 'highest_' || kind || '_id', max(high_water) FROM links
    WHERE kind <> 'pick_ticket' AND state = 'unsent' AND high_water IS NOT NULL GROUP BY shop_id, target, kind
    """,
    "DELETE FROM links WHERE kind = 'account' OR (kind = 'pick_ticket' AND key = 'newest')",
    # An attempt that is under way, or whose answer was lost.
    """
    UPDATE links SET
      attempted_at = CAST(COALESCE(note ->> 'at', note ->> 'doubt_at') AS timestamptz),
      attempt_newer_than = high_water,
      attempt_mark = COALESCE(note ->> 'mark', ''),
      attempt_trace = COALESCE(
        note -> 'trace',
        CASE WHEN note ? 'doubt' THEN jsonb_build_object('tickets', note -> 'doubt') END,
        '{}')
    WHERE state = 'sending' AND COALESCE(note ->> 'at', note ->> 'doubt_at') IS NOT NULL
    """,
    # Shipments: what was written into the shop's order, and the parcels that are in its history.
    """
    UPDATE links SET
      created_keys = COALESCE(note -> 'tickets', '[]'),
      sent = convert_to(CAST(COALESCE((
        SELECT jsonb_object_agg(one.name, one.value) FROM jsonb_each(note) AS one (name, value)
        WHERE one.name IN ('status', 'tracking', 'external')), '{}') AS text), 'UTF8')
    WHERE target = 'upgates' AND kind = 'shipment'
    """,
    # Products of Uphance: the variants that were created.
    "UPDATE links SET created_keys = note -> 'made' WHERE kind = 'product' AND note ? 'made'",
    # Orders and pick tickets of Uphance: what was seen of them last.
    """
    UPDATE links SET
      remote_status = note ->> 'status',
      remote_updated_at = CAST(note ->> 'updated_at' AS timestamptz),
      closed = note ? 'closed'
    WHERE target = 'uphance' AND kind IN ('order', 'pick_ticket') AND state <> 'sending'
    """,
    # Customers of Uphance: the addresses that they were created with.
    """
    UPDATE links SET hash = decode(note ->> 'mark', 'hex')
    WHERE target = 'uphance' AND kind = 'customer' AND state = 'delivered' AND note ->> 'mark' ~ '^([0-9a-f]{2})+$'
    """,
    """
    UPDATE links SET metadata = note - ARRAY[
      'mark', 'trace', 'doubt', 'doubt_at', 'made', 'tickets', 'status', 'tracking', 'external', 'updated_at',
      'closed', 'confirmed', 'prefix']
    WHERE state <> 'sending' AND note <> '{}'
    """,
)


def upgrade() -> None:
    op.create_table(
        "cursors",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("cursors_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "system", "name", name=op.f("cursors_pkey")),
    )
    json = postgresql.JSONB(astext_type=sa.Text())
    for column in (
        sa.Column("created_keys", json, nullable=False, server_default=sa.text("'[]'::jsonb")),
        sa.Column("remote_status", sa.Text(), nullable=True),
        sa.Column("remote_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt_newer_than", sa.BigInteger(), nullable=True),
        sa.Column("attempt_mark", sa.Text(), nullable=True),
        sa.Column("attempt_trace", json, nullable=True),
        sa.Column("metadata", json, nullable=False, server_default=sa.text("'{}'::jsonb")),
    ):
        op.add_column("links", column)
    for statement in _MOVE:
        op.execute(statement)
    op.drop_column("links", "note")
    op.drop_column("links", "high_water")


_MOVE_BACK = (
    """
    UPDATE links SET high_water = attempt_newer_than, note = metadata || jsonb_strip_nulls(jsonb_build_object(
      'at', attempted_at, 'mark', attempt_mark, 'trace', attempt_trace))
    """,
    """
    UPDATE links SET note = note || jsonb_build_object('tickets', created_keys)
      || COALESCE(CAST(convert_from(sent, 'UTF8') AS jsonb), '{}'), sent = NULL
    WHERE target = 'upgates' AND kind = 'shipment'
    """,
    "UPDATE links SET note = note || jsonb_build_object('made', created_keys) WHERE kind = 'product'",
    """
    UPDATE links SET note = note || jsonb_build_object('status', remote_status, 'updated_at', remote_updated_at)
      || CASE WHEN closed THEN jsonb_build_object('closed', true) ELSE '{}' END
    WHERE target = 'uphance' AND kind IN ('order', 'pick_ticket')
    """,
    """
    UPDATE links SET note = note || jsonb_build_object('mark', encode(hash, 'hex')), hash = NULL
    WHERE target = 'uphance' AND kind = 'customer' AND hash IS NOT NULL
    """,
    """
    INSERT INTO links (shop_id, target, kind, key, remote_id, note)
    SELECT a.shop_id, a.system, 'account', a.system, a.value, jsonb_build_object('prefix', p.value)
    FROM cursors a JOIN cursors p ON p.shop_id = a.shop_id AND p.system = a.system AND p.name = 'account_prefix'
    WHERE a.name = 'account'
    """,
    """
    INSERT INTO links (shop_id, target, kind, key, high_water)
    SELECT shop_id, system, 'pick_ticket', 'newest', CAST(value AS bigint) FROM cursors
    WHERE name = 'newest_pick_ticket'
    """,
)


def downgrade() -> None:
    json = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("links", sa.Column("high_water", sa.BigInteger(), nullable=True))
    op.add_column("links", sa.Column("note", json, nullable=False, server_default=sa.text("'{}'::jsonb")))
    for statement in _MOVE_BACK:
        op.execute(statement)
    for name in (
        "metadata",
        "attempt_trace",
        "attempt_mark",
        "attempt_newer_than",
        "attempted_at",
        "closed",
        "remote_updated_at",
        "remote_status",
        "created_keys",
    ):
        op.drop_column("links", name)
    op.drop_table("cursors")
