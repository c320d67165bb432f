"""Connecting a shop as a person does, with what each system asks for."""

from upbridge.domain.shop import Shop
from upbridge.engine.context import Service
from upbridge.operations.connections import connect
from upbridge.store.connections import ConnectionRow


async def connect_upp(service: Service, shop: Shop, *, client_id: str, client_secret: str) -> ConnectionRow:
    """Connect Upp.ai."""
    return await connect(service, shop, "upp", {"client_id": client_id, "client_secret": client_secret})


async def connect_uphance(
    service: Service, shop: Shop, *, email: str, password: str, organisation: int | None
) -> ConnectionRow:
    """Connect Uphance."""
    typed = {"email": email, "password": password, "organisation": str(organisation or "")}
    return await connect(service, shop, "uphance", typed)
