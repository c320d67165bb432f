"""The signed calls of the simulated marketplace, verified as Upgates' documentation says to."""

import base64
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.sandbox.addon import Addon, Caller
from upbridge_sandbox import Sandbox

INSTALL = ("token", "apiUser", "apiKey", "apiUrl", "time")
SHORT = ("token", "time")


async def _verify(box: Sandbox, body: dict[str, Any], names: tuple[str, ...]) -> None:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        pem = (await client.get(box.addresses.key)).content
    key = serialization.load_pem_public_key(pem)
    data = ";".join([*(body[name] for name in names), "sig"]).encode()
    signature = base64.b64decode(body["signature_v2"], validate=True)
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_every_call_is_signed_over_its_documented_values(box: Sandbox, addon: Addon, kind: str) -> None:
    await box.control("POST", "/key", {"kind": kind})
    await box.control("POST", "/shops/demo/activate")
    await box.control("POST", "/shops/demo/open")
    await box.control("POST", "/shops/demo/version", {"version": 2})
    await box.control("POST", "/shops/demo/deactivate")

    await _verify(box, addon.received("/addon/install")[0], INSTALL)
    for endpoint in ("open", "version", "uninstall"):
        await _verify(box, addon.received(f"/addon/{endpoint}")[0], SHORT)


async def test_a_rotated_key_makes_old_signatures_worthless(box: Sandbox, addon: Addon) -> None:
    await box.control("POST", "/shops/demo/activate")
    await box.control("POST", "/key", {"kind": "rsa"})

    with pytest.raises(InvalidSignature):
        await _verify(box, addon.received("/addon/install")[0], INSTALL)


async def test_the_bodies_have_exactly_the_documented_fields(box: Sandbox, addon: Addon) -> None:
    for call in ("activate", "open", "deactivate"):
        await box.control("POST", f"/shops/demo/{call}")

    fields = {path: set(body) for path, body in addon.calls}
    common = {"token", "version", "time", "signature_v2"}
    assert fields["/addon/install"] == common | {"apiUser", "apiKey", "apiUrl", "current_admin_language"}
    assert fields["/addon/open"] == common | {"current_admin_language"}
    assert fields["/addon/uninstall"] == common


@pytest.mark.parametrize(
    ("answer", "rules"),
    [
        pytest.param((500, {"error": False, "message": ""}), [], id="not 200"),
        pytest.param((200, "fine"), ["bad-install-answer"], id="no object"),
        pytest.param((200, {"error": True}), ["bad-install-answer"], id="an error without a message"),
        pytest.param((200, {"error": True, "message": "no"}), [], id="a refusal"),
    ],
)
async def test_an_activation_fails_and_its_credentials_die(
    box: Sandbox, addon: Addon, answer: tuple[int, Any], rules: list[str]
) -> None:
    addon.answers["/addon/install"] = answer

    result = await box.control("POST", "/shops/demo/activate")

    body = addon.received("/addon/install")[0]
    async with httpx.AsyncClient(verify=False, trust_env=False, auth=(body["apiUser"], body["apiKey"])) as client:
        status = (await client.get(f"{body['apiUrl']}/status")).status_code
    assert result["activated"] is False
    assert status == 401
    assert [item["rule"] for item in await box.violations()] == [*rules, "wrong-login"]


async def test_an_activation_that_takes_longer_than_five_seconds_fails(box: Sandbox, addon: Addon) -> None:
    addon.delays["/addon/install"] = 5.3

    result = await box.control("POST", "/shops/demo/activate")

    assert (result["activated"], result["timed_out"]) == (False, True)
    assert [item["rule"] for item in await box.violations()] == ["late-install-answer"]


async def test_a_second_activation_brings_new_credentials_and_the_old_ones_end(api: Caller, addon: Addon) -> None:
    await api.box.control("POST", "/shops/demo/activate")
    await api.box.control("POST", "/clock", {"advance_seconds": 10})
    new = addon.received("/addon/install")[-1]

    old_status = (await api("GET", "/status")).status_code
    api.user, api.key = new["apiUser"], new["apiKey"]

    assert old_status == 401
    assert (await api("GET", "/status")).status_code == 200
    assert await api.rules() == ["old-credentials"]


async def test_an_opening_that_answers_no_url_is_a_violation(api: Caller, addon: Addon) -> None:
    addon.answers["/addon/open"] = (200, {"url": "ftp://x", "type": "iframe"})

    result = await api.box.control("POST", "/shops/demo/open")

    assert result["opened"] is False
    assert await api.rules() == ["bad-open-answer"]


async def test_the_key_can_hang_or_fail_on_demand(box: Sandbox) -> None:
    await box.control("PUT", "/faults/key", {"hang_next": 1, "error_next": 1, "error_status": 503})
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=0.5) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(box.addresses.key)
        assert (await client.get(box.addresses.key)).status_code == 503
        assert (await client.get(box.addresses.key)).content.startswith(b"-----BEGIN PUBLIC KEY-----")
