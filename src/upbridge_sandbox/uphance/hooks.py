"""Uphance's webhooks: a URL that a person pasted; anything but 2xx is tried again for 48 hours."""

import asyncio

from upbridge_sandbox.background import BackgroundCalls
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.organisations import Organisation

TIME_OUT = 5.0
RETRY_AFTER = 60.0
GIVE_UP_AFTER = 48 * 3600.0


class UphanceHooks(BackgroundCalls):
    """Delivers what happens in the organisations."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def send(self, organisation: Organisation, event: str, key: str, item: Json) -> None:
        """Tell the URL of *organisation*, if there is one. A draft pick ticket fires nothing."""
        if organisation.webhook_url is None:
            return
        body = {"event": event, key: item}
        self.start(self._deliver(organisation, organisation.webhook_url, event, body))

    async def _deliver(self, organisation: Organisation, url: str, event: str, body: Json) -> None:
        waited, pause = 0.0, RETRY_AFTER
        while waited < GIVE_UP_AFTER:
            answered = await self.post(url, within=TIME_OUT, json=body)
            organisation.webhook_log.append(
                {
                    "at": self.state.now().isoformat(),
                    "event": event,
                    "status": answered.status,
                    "seconds": answered.seconds,
                }
            )
            if answered.response is not None and answered.response.is_success:
                return
            await asyncio.sleep(self.state.wait(pause))
            waited, pause = waited + pause, min(pause * 2, 3600.0)
