"""The web application over a shared database."""

from tests.store.emptied import database_url, shared_url
from tests.webhooks.conftest import door, make_client

__all__ = ["database_url", "door", "make_client", "shared_url"]
