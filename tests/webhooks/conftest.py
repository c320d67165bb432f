"""How long a webhook may take to be stored is no question to most tests."""

import pytest

from upbridge.webhooks.inbox import DEADLINE


@pytest.fixture
def webhook_seconds(request: pytest.FixtureRequest) -> float:
    """A minute, for a busy machine: only tests marked `deadline` refuse what is late."""
    return 60.0 if request.node.get_closest_marker("deadline") is None else DEADLINE
