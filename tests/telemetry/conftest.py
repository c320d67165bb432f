"""The web application over a shared database."""

from tests.foundation.emptied import database_url, shared_url
from tests.inbox.conftest import door, make_client

__all__ = ["database_url", "door", "make_client", "shared_url"]
