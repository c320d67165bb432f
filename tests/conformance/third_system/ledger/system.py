"""Ledger, as the rest of the house sees it."""

from pathlib import Path

from tests.conformance.third_system.ledger.connect import LedgerConnect
from tests.conformance.third_system.ledger.settings import SETTINGS
from tests.conformance.third_system.ledger.target import LedgerTarget
from upbridge.systems.base import Flow, System

_URL = "http://ledger.test"

LEDGER = System(
    name="ledger",
    title="Ledger",
    url=lambda _: _URL,
    settings=SETTINGS,
    flows=(Flow(kind="product", setting="ledger.send"), Flow(kind="order", setting="ledger.send")),
    connect=LedgerConnect(_URL),
    target=lambda tools: LedgerTarget(tools, _URL),
    texts=Path(__file__).parent / "texts",
)
