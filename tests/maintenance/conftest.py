"""The house over a shared database."""

from tests.store.emptied import database_url, shared_url

__all__ = ["database_url", "shared_url"]
