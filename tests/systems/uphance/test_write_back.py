"""What Uphance's webhooks say, reduced to what has to be read."""

import json

import pytest

from tests.support.deliveries import read_connected
from upbridge.store.changes import Kind
from upbridge.systems.uphance.shipments import POLL
from upbridge.systems.uphance.source import SOURCE as UPHANCE


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            {"event": "pick_ticket_update", "pick_ticket": {"id": 7}}, {Kind.PICK_TICKETS: ["7"]}, id="id"
        ),
        pytest.param(
            {"event": "pick_ticket_delete", "pick_ticket": {"id": "7"}}, {Kind.PICK_TICKETS: ["7"]}, id="text"
        ),
        pytest.param({"event": "pick_ticket_create"}, {Kind.PICK_TICKETS: [POLL]}, id="no ticket"),
        pytest.param(
            {"event": "pick_ticket_create", "pick_ticket": {"id": "x"}}, {Kind.PICK_TICKETS: [POLL]}, id="no id"
        ),
        pytest.param(
            {"event": "pick_ticket_create", "pick_ticket": 7}, {Kind.PICK_TICKETS: [POLL]}, id="no object"
        ),
        pytest.param({"event": "product_update", "product": {}}, {Kind.CATALOGUE: ["catalogue"]}, id="product"),
        pytest.param({"event": "invoice_create", "invoice": {"id": 1}}, {}, id="none of our business"),
    ],
)
def test_a_webhook_of_uphance_says_what_to_read(body: object, said: object) -> None:
    assert read_connected(UPHANCE, json.dumps(body).encode()).keys == said
