"""The data model

Revision ID: 0002
Revises: 0001

Runs while the previous version of the service still works: add, then backfill, then enforce. The lock time-out
is set in env.py; raise it only with a reason written here.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("change_seq")))
    op.create_table(
        "samples",
        sa.Column("process", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("process", "name", "labels", name=op.f("samples_pkey")),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("secrets_pkey")),
    )
    op.create_table(
        "shops",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state_since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("api_url", sa.Text(), nullable=False),
        sa.Column("api_user", sa.Text(), nullable=True),
        sa.Column("api_key", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("language", sa.Text(), server_default="cs", nullable=False),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("facts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("installed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("uninstalled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("shops_pkey")),
        sa.UniqueConstraint("key", name=op.f("shops_key_key")),
        sa.UniqueConstraint("token", name=op.f("shops_token_key")),
    )
    op.create_table(
        "signatures",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("signatures_pkey")),
    )
    op.create_index("signatures_seen_at_idx", "signatures", ["seen_at"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("hour_limit", sa.Integer(), nullable=True),
        sa.Column("day_limit", sa.Integer(), nullable=True),
        sa.Column("hour_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hour_used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("day_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day_used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unseen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("calls_today", sa.Integer(), server_default="0", nullable=False),
        sa.Column("made", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_made", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("budgets_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("budgets_pkey")),
    )
    op.create_table(
        "calls",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("calls_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "hour", "access", "purpose", name=op.f("calls_pkey")),
    )
    op.create_table(
        "changes",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("nextval('change_seq')"), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("hinted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("changes_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "source", "kind", "key", name=op.f("changes_pkey")),
    )
    op.create_index("changes_shop_id_source_due_at_idx", "changes", ["shop_id", "source", "due_at"], unique=False)
    op.create_index(
        "changes_shop_id_source_priority_idx", "changes", ["shop_id", "source", "priority", "seq"], unique=False
    )
    op.create_table(
        "connections",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), server_default="", nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("tokens", sa.LargeBinary(), nullable=True),
        sa.Column("tokens_renew_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("connections_shop_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", "system", name=op.f("connections_pkey")),
    )
    op.create_index("connections_system_account_idx", "connections", ["system", "account"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("deliveries_shop_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
    )
    op.create_index("deliveries_received_at_idx", "deliveries", ["received_at"], unique=False)
    op.create_index("deliveries_shop_id_received_at_idx", "deliveries", ["shop_id", "received_at"], unique=False)
    op.create_table(
        "documents",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("nextval('change_seq')"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("documents_shop_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", "target", "kind", "key", name=op.f("documents_pkey")),
    )
    op.create_index("documents_parent_idx", "documents", ["shop_id", "target", "parent"], unique=False)
    op.create_index(
        "documents_shop_id_target_state_due_at_idx",
        "documents",
        ["shop_id", "target", "state", "due_at"],
        unique=False,
    )
    op.create_table(
        "failed_logins",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("failed_logins_shop_id_fkey"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("failed_logins_pkey")),
    )
    op.create_index("failed_logins_at_idx", "failed_logins", ["at"], unique=False)
    op.create_table(
        "items",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("ean", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("stock", sa.Numeric(), nullable=True),
        sa.Column("stock_own", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("items_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "key", name=op.f("items_pkey")),
    )
    op.create_index("items_shop_id_code_idx", "items", ["shop_id", sa.literal_column("lower(code)")], unique=False)
    op.create_index("items_shop_id_product_id_idx", "items", ["shop_id", "product_id"], unique=False)
    op.create_table(
        "lanes",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("lanes_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "lane", name=op.f("lanes_pkey")),
    )
    op.create_table(
        "leases",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("first", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("leases_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "slot", name=op.f("leases_pkey")),
    )
    op.create_table(
        "links",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="delivered", nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.Column("sent", sa.LargeBinary(), nullable=True),
        sa.Column("high_water", sa.BigInteger(), nullable=True),
        sa.Column(
            "note", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("links_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "target", "kind", "key", name=op.f("links_pkey")),
    )
    op.create_index("links_parent_idx", "links", ["shop_id", "target", "kind", "parent"], unique=False)
    op.create_table(
        "pieces",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("item", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("pieces_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "order_number", "place", name=op.f("pieces_pkey")),
    )
    op.create_table(
        "problems",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column(
            "params",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("problems_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("problems_pkey")),
    )
    op.create_index("problems_once_idx", "problems", ["shop_id", "target", "kind", "entity", "key"], unique=True)
    op.create_index("problems_parent_idx", "problems", ["shop_id", "target", "parent"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("found", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rounds", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("shrunk", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("runs_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("runs_pkey")),
    )
    op.create_index("runs_shop_id_kind_purpose_idx", "runs", ["shop_id", "kind", "purpose", "id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("sessions_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("sessions_pkey")),
    )
    op.create_index("sessions_expires_at_idx", "sessions", ["expires_at"], unique=False)
    op.create_table(
        "skus",
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("variation_id", sa.BigInteger(), nullable=True),
        sa.Column("season_id", sa.BigInteger(), nullable=True),
        sa.Column("sku_number", sa.Text(), nullable=True),
        sa.Column("ean", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("in_stock", sa.Integer(), nullable=True),
        sa.Column("available", sa.Integer(), nullable=True),
        sa.Column("available_from_stock", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("skus_shop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "sku_id", name=op.f("skus_pkey")),
    )
    op.create_index("skus_shop_id_ean_idx", "skus", ["shop_id", "ean"], unique=False)
    op.create_index(
        "skus_shop_id_sku_number_idx",
        "skus",
        ["shop_id", sa.literal_column("lower(btrim(sku_number))")],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("skus_shop_id_sku_number_idx", table_name="skus")
    op.drop_index("skus_shop_id_ean_idx", table_name="skus")
    op.drop_table("skus")
    op.drop_index("sessions_expires_at_idx", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("runs_shop_id_kind_purpose_idx", table_name="runs")
    op.drop_table("runs")
    op.drop_index("problems_parent_idx", table_name="problems")
    op.drop_index("problems_once_idx", table_name="problems")
    op.drop_table("problems")
    op.drop_table("pieces")
    op.drop_index("links_parent_idx", table_name="links")
    op.drop_table("links")
    op.drop_table("leases")
    op.drop_table("lanes")
    op.drop_index("items_shop_id_product_id_idx", table_name="items")
    op.drop_index("items_shop_id_code_idx", table_name="items")
    op.drop_table("items")
    op.drop_index("failed_logins_at_idx", table_name="failed_logins")
    op.drop_table("failed_logins")
    op.drop_index("documents_shop_id_target_state_due_at_idx", table_name="documents")
    op.drop_index("documents_parent_idx", table_name="documents")
    op.drop_table("documents")
    op.drop_index("deliveries_shop_id_received_at_idx", table_name="deliveries")
    op.drop_index("deliveries_received_at_idx", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index("connections_system_account_idx", table_name="connections")
    op.drop_table("connections")
    op.drop_index("changes_shop_id_source_priority_idx", table_name="changes")
    op.drop_index("changes_shop_id_source_due_at_idx", table_name="changes")
    op.drop_table("changes")
    op.drop_table("calls")
    op.drop_table("budgets")
    op.drop_index("signatures_seen_at_idx", table_name="signatures")
    op.drop_table("signatures")
    op.drop_table("shops")
    op.drop_table("secrets")
    op.drop_table("samples")
    op.execute(sa.schema.DropSequence(sa.Sequence("change_seq")))
