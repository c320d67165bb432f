"""How long a webhook may take to be stored is no question to most tests."""

import pytest


@pytest.fixture(autouse=True)
def unhurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is no question of how busy a machine is: only tests marked `deadline` refuse what is late."""
    if request.node.get_closest_marker("deadline") is None:
        monkeypatch.setattr("upbridge.webhooks.inbox.DEADLINE", 60.0)
