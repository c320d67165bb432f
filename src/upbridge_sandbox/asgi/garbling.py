"""Answers that a broken server, or a bad one, gives."""

import random

_NUMBERS = (b"1e400", b"1e3000000", b"-1", b"0.1e-400", b"9" * 5_000, b"NaN", b"18446744073709551616")
_OTHERS = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b"<html>Bad Gateway</html>",
    b"\xff\xfe",
    b"\x00",
    b"true",
    b'"text"',
)


def garbled(body: bytes, rng: random.Random) -> bytes:
    """*body*, damaged in one of the ways that are known."""
    return rng.choice(_WAYS)(body, rng)


def _other(_body: bytes, rng: random.Random) -> bytes:
    return rng.choice(_OTHERS)


def _cut(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body) + 1)]


def _nested(_body: bytes, rng: random.Random) -> bytes:
    return rng.choice((b'{"orders":' + b"[" * 200_000, b'{"a":' * 50_000))


def _numbers(body: bytes, rng: random.Random) -> bytes:
    return _replaced(body, rng, b"0123456789", rng.choice(_NUMBERS))


def _types(body: bytes, rng: random.Random) -> bytes:
    return _replaced(body, rng, b'"[]{}', rng.choice((b"null", b"{}", b"[[]]", b"\x00", b"\\ud800")))


def _bytes(body: bytes, rng: random.Random) -> bytes:
    made = bytearray(body)
    for _ in range(min(len(made), 8)):
        made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made)


def _replaced(body: bytes, rng: random.Random, signs: bytes, by: bytes) -> bytes:
    """*body* with some of its *signs* replaced."""
    places = [place for place, sign in enumerate(body) if sign in signs]
    made = body
    for place in sorted(rng.sample(places, min(len(places), 3)), reverse=True):
        made = made[:place] + by + made[place + 1 :]
    return made


_WAYS = (_other, _cut, _nested, _numbers, _types, _bytes)
