"""Abacus, as the rest of the house sees it."""

from pathlib import Path

from tests.conformance.third_system.abacus.connect import AbacusConnect
from tests.conformance.third_system.abacus.settings import SETTINGS
from tests.conformance.third_system.abacus.target import AbacusTarget
from upbridge.systems.base import Flow, System

_URL = "http://abacus.test"

ABACUS = System(
    name="abacus",
    title="Abacus",
    url=lambda _: _URL,
    settings=SETTINGS,
    flows=(Flow(kind="product", setting="abacus.send"), Flow(kind="order", setting="abacus.send")),
    connect=AbacusConnect(_URL),
    target=lambda tools: AbacusTarget(tools, _URL),
    texts=Path(__file__).parent / "texts",
)
