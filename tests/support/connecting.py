"""Connecting a shop as a person does, with what each system asks for."""

from upbridge.domain.shop import Shop
from upbridge.store.connections import ConnectionRow
from upbridge.worker_container import WorkerContainer


async def connect_upp(
    service: WorkerContainer, shop: Shop, *, client_id: str, client_secret: str
) -> ConnectionRow:
    """Connect Upp.ai."""
    typed = {"client_id": client_id, "client_secret": client_secret}
    return (await service.connection_editor.connect(shop, "upp", typed)).row


async def connect_uphance(
    service: WorkerContainer, shop: Shop, *, email: str, password: str, organisation: int | None
) -> ConnectionRow:
    """Connect Uphance."""
    typed = {"email": email, "password": password, "organisation": str(organisation or "")}
    return (await service.connection_editor.connect(shop, "uphance", typed)).row
