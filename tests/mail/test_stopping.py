"""A reader ends the mails about a shop by the address in them, and by nothing else."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.mail.stopping import StopAddresses, load_stop_addresses

SHOP = ShopId(UUID(int=7))


def test_a_token_names_its_shop_and_its_reader_and_not_the_address() -> None:
    addresses = StopAddresses(b"k" * 32)
    token = addresses.token(SHOP, "owner@example.com")

    reader = addresses.reader(token)

    assert reader is not None
    assert reader.shop_id == SHOP
    assert reader.is_at("owner@example.com")
    assert not reader.is_at("another@example.com")
    assert not reader.is_at(None)


def test_what_was_never_made_here_is_no_token() -> None:
    token = StopAddresses(b"k" * 32).token(SHOP, "owner@example.com")

    assert StopAddresses(b"x" * 32).reader(token) is None
    for wrong in ("", "a", "é", token[:-4], token + "AAAA", "A" * len(token), token[:-2] + "A="):
        assert StopAddresses(b"k" * 32).reader(wrong) is None


async def test_the_key_is_made_once(engine: AsyncEngine, cipher: Cipher) -> None:
    first, second = [await load_stop_addresses(engine, cipher) for _ in range(2)]

    assert second.reader(first.token(SHOP, "a@example.com")) is not None
