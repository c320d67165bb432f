"""After a rotation the old key can be thrown away: nothing sealed is forgotten."""

from cryptography.fernet import Fernet
from sqlalchemy import LargeBinary, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import document_row, fill, full_row, insert_rows
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.maintenance.key_rotation import ENCRYPTED, rotate_all
from upbridge.store.schema import metadata, secrets

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))

#: Bytes that are no secret.
OPEN = {
    "notices.reader",
    "sessions.digest",
    "signatures.digest",
    "documents.hash",
    "links.hash",
    "links.sent",
    "order_events.body",
}


def test_every_column_of_bytes_is_encrypted_or_known_to_be_open() -> None:
    found = {
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }

    assert found - OPEN == {str(column) for column in ENCRYPTED}


#: More rows than one transaction encrypts again.
SEVERAL_SLICES = 501


async def sealed_values(engine: AsyncEngine) -> dict[str, list[bytes]]:
    async with engine.connect() as tx:
        return {
            str(column): [
                bytes(value) for value in (await tx.scalars(select(column).where(column.is_not(None)))).all()
            ]
            for column in ENCRYPTED
        }


async def fill_sealed(engine: AsyncEngine, make_shop: MakeShop, key: str) -> None:
    """A row with a sealed value in every sealed column."""
    cipher = Cipher([key])
    values = {column.name: cipher.encrypt(f"the {column}") for column in ENCRYPTED}
    shop_id = await make_shop(api_key=values["api_key"])
    await fill(engine, shop_id, now=NOON, **values)
    await insert_rows(engine, full_row(secrets, NOON, value=values["value"]))


async def test_afterwards_the_old_key_is_not_needed(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await fill_sealed(engine, make_shop, OLD)

    counts = await rotate_all(engine, Cipher([NEW, OLD]))

    assert counts == {str(column): (1, 0) for column in ENCRYPTED}
    only_new = Cipher([NEW])
    opened = {
        name: [only_new.decrypt_text(value) for value in values]
        for name, values in (await sealed_values(engine)).items()
    }
    assert opened == {str(column): [f"the {column}"] for column in ENCRYPTED}


async def test_a_value_that_no_key_opens_is_counted_and_keeps_none_of_the_others(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    await fill_sealed(engine, make_shop, FOREIGN)
    await make_shop(api_key=Cipher([OLD]).encrypt("the other"))

    counts = await rotate_all(engine, Cipher([NEW, OLD]))

    assert counts["shops.api_key"] == (1, 1)
    assert counts["connections.tokens"] == (0, 1)


async def test_what_is_not_set_stays_unset(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await make_shop(api_key=None)

    assert set((await rotate_all(engine, Cipher([NEW]))).values()) == {(0, 0)}


async def test_more_rows_than_one_transaction_takes_are_rotated_to_the_last(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id, old = await make_shop(api_key=None), Cipher([OLD])
    bodies = {str(number): old.encrypt(str(number)) for number in range(SEVERAL_SLICES)}
    await insert_rows(engine, *(document_row(shop_id, "upp", key, body=body) for key, body in bodies.items()))

    counts = await rotate_all(engine, Cipher([NEW, OLD]))

    assert counts["documents.body"] == (SEVERAL_SLICES, 0)
    only_new = Cipher([NEW])
    assert {only_new.decrypt_text(value) for value in (await sealed_values(engine))["documents.body"]} == set(
        bodies
    )


async def test_rotating_twice_is_harmless(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await fill_sealed(engine, make_shop, OLD)
    await rotate_all(engine, Cipher([NEW, OLD]))

    assert set((await rotate_all(engine, Cipher([NEW]))).values()) == {(1, 0)}
