"""The job library's own tables, from its own schema file.

Revision ID: 0001
Revises:

`pyproject.toml` pins the library's minor version, so that this creates the same tables everywhere. A later minor
version comes with a revision of its own that runs the library's migration files (`procrastinate/sql/migrations`).
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The cursor of the driver, because the file holds many statements and `:` that are no parameters.
    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs CASCADE")
    op.execute("DROP TABLE procrastinate_workers CASCADE")
    op.execute("DROP TYPE procrastinate_job_status, procrastinate_job_event_type CASCADE")
    op.execute(
        """
        DO $$ DECLARE name text; BEGIN
          FOR name IN SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'procrastinate_%' LOOP
            EXECUTE 'DROP FUNCTION ' || name || ' CASCADE';
          END LOOP;
          FOR name IN SELECT typname FROM pg_type WHERE typname LIKE 'procrastinate_%' AND typtype = 'c' LOOP
            EXECUTE 'DROP TYPE IF EXISTS ' || name || ' CASCADE';
          END LOOP;
        END $$
        """
    )
