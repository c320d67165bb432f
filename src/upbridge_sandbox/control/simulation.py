"""Control of what is common to all: clock, key, faults, violations, calls, mails."""

from datetime import timedelta
from typing import Any

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import Calls, Controls, body_of, found
from upbridge_sandbox.mail_box import MailFault


class SimulationControls(Controls):
    """What is common to all systems."""

    def operations(self) -> Calls:
        """Method, path and handler of each."""
        state, call_log = self.state, self.state.call_log
        return (
            ("GET", "/state", lambda _call: state.as_json()),
            ("POST", "/addon", self.set_addon),
            ("POST", "/clock", self.clock),
            ("POST", "/key", self.key),
            ("GET", "/violations", lambda _call: {"violations": [item.as_json() for item in call_log.violations]}),
            ("DELETE", "/violations", lambda _call: call_log.clear()),
            ("GET", "/calls", lambda _call: call_log.totals()),
            ("GET", "/calls/log", self.call_log),
            ("GET", "/faults", lambda _call: {name: faults.as_json() for name, faults in state.faults.items()}),
            ("PUT", "/faults/{system}", self.set_faults),
            ("DELETE", "/faults", lambda _call: state.clear_faults()),
            ("GET", "/mail", lambda _call: {"mails": [one.as_json() for one in state.mail_box.received]}),
            ("DELETE", "/mail", lambda _call: state.mail_box.received.clear()),
            ("PUT", "/mail/fault", self.set_mail_fault),
        )

    async def set_addon(self, call: Call) -> Any:
        """Where the add-on listens: `{"url", "signature_token"?}`."""
        body = body_of(call)
        self.state.addon_url = body["url"]
        self.state.signature_token = body.get("signature_token", self.state.signature_token)
        return {"url": self.state.addon_url}

    async def clock(self, call: Call) -> Any:
        """`{"advance_seconds"}` pushes the sandbox's own clock forward; `{"factor"}` shortens its delays."""
        body = body_of(call)
        self.state.shift += timedelta(seconds=float(body.get("advance_seconds", 0)))
        self.state.clock_factor = float(body.get("factor", self.state.clock_factor))
        return {"time": self.state.now().isoformat(), "factor": self.state.clock_factor}

    async def key(self, call: Call) -> Any:
        """`{"kind": "rsa" | "ec"}`: a new signing key."""
        self.state.signer.rotate(body_of(call).get("kind", "rsa"))
        return {"pem": self.state.signer.public_pem.decode()}

    async def call_log(self, call: Call) -> Any:
        """Every call with its time; `?system=` narrows."""
        system = call.last("system")
        return {"calls": [item.as_json() for item in self.state.call_log.calls if system in (None, item.system)]}

    async def set_faults(self, call: Call) -> Any:
        """Change the switches of upgates, upp, uphance or key."""
        system = call.path_params["system"]
        faults = found(self.state.faults.get(system), system)
        faults.set(body_of(call))
        return faults.as_json()

    async def set_mail_fault(self, call: Call) -> Any:
        """What the mail server does instead of taking a mail: `{"fault": "silent"}`; `none` ends it."""
        self.state.mail_box.fault = MailFault(body_of(call)["fault"])
        return {"fault": self.state.mail_box.fault}
