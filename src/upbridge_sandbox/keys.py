"""The address that serves Upgates' public signature key (`api.signature.pub.key`)."""

from starlette.responses import Response

from upbridge_sandbox.door import Call, Door, answer
from upbridge_sandbox.state import State

PATH = "/addons/signature/api.signature.pub.key"


def key_server(state: State) -> Door:
    """The ASGI application; its faults are those of the system `key`."""

    async def handle(call: Call) -> Response:
        call.operation = f"GET {PATH}"
        if call.method != "GET" or call.path != PATH:
            return answer({"error": "not found"}, 404)
        return Response(state.signer.public_pem, media_type="application/octet-stream")

    return Door(
        "key",
        handle,
        ledger=state.ledger,
        faults=state.faults["key"],
        rng=state.rng,
        caller=lambda call: call.client,
        sleep=state.sleep,
    )
