"""Control of the mail server: what was sent, and its faults."""

from typing import Any

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import Calls, Controls, body_of
from upbridge_sandbox.mail_box import MailFault


class MailControls(Controls):
    """The mail box."""

    def operations(self) -> Calls:
        """Method, path and handler of each."""
        return (
            ("GET", "/mail", self.mails),
            ("DELETE", "/mail", self.empty),
            ("PUT", "/mail/fault", self.set_fault),
        )

    async def mails(self, _call: Call) -> Any:
        """Every mail that was sent, oldest first."""
        return {"mails": [one.as_json() for one in self.state.mail_box.received]}

    async def empty(self, _call: Call) -> Any:
        """Throw the mails away."""
        self.state.mail_box.received.clear()
        return {}

    async def set_fault(self, call: Call) -> Any:
        """What the server does instead of taking a mail: `{"fault": "silent"}`; `none` ends it."""
        self.state.mail_box.fault = MailFault(body_of(call)["fault"])
        return {"fault": self.state.mail_box.fault}
