"""Control of what is common to all: clock, key, faults, locks, violations, calls."""

from datetime import timedelta
from typing import Any

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import Calls, Controls, body_of, found


class SimulationControls(Controls):
    """What is common to all systems."""

    def operations(self) -> Calls:
        """Method, path and handler of each."""
        return (
            ("GET", "/state", self.picture),
            ("GET", "/addresses", self.addresses),
            ("POST", "/addon", self.set_addon),
            ("POST", "/clock", self.clock),
            ("POST", "/key", self.key),
            ("GET", "/violations", self.violations),
            ("DELETE", "/violations", self.forget),
            ("GET", "/calls", self.calls),
            ("GET", "/calls/log", self.call_log),
            ("GET", "/faults", self.faults),
            ("PUT", "/faults/{system}", self.set_faults),
            ("DELETE", "/faults", self.clear_faults),
            ("POST", "/lock", self.lock),
            ("DELETE", "/lock", self.unlock),
        )

    async def picture(self, _call: Call) -> Any:
        """A small picture of everything."""
        return self.state.as_json()

    async def addresses(self, _call: Call) -> Any:
        """Where the systems listen."""
        return self.state.addresses.as_json() if self.state.addresses else {}

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

    async def violations(self, _call: Call) -> Any:
        """Every request that a published rule forbids."""
        return {"violations": [item.as_json() for item in self.state.ledger.violations]}

    async def forget(self, _call: Call) -> Any:
        """Forget violations and calls."""
        self.state.ledger.clear()
        return {}

    async def calls(self, _call: Call) -> Any:
        """Calls per system, operation and status."""
        return self.state.ledger.totals()

    async def call_log(self, call: Call) -> Any:
        """Every call with its time; `?system=` narrows."""
        system = call.last("system")
        return {"calls": [item.as_json() for item in self.state.ledger.calls if system in (None, item.system)]}

    async def faults(self, _call: Call) -> Any:
        """The switches of every system."""
        return {name: faults.as_json() for name, faults in self.state.faults.items()}

    async def set_faults(self, call: Call) -> Any:
        """Change the switches of upgates, upp, uphance or key."""
        system = call.path_params["system"]
        faults = found(self.state.faults.get(system), system)
        faults.set(body_of(call))
        return faults.as_json()

    async def clear_faults(self, _call: Call) -> Any:
        """Everything works again."""
        self.state.clear_faults()
        return {}

    async def lock(self, call: Call) -> Any:
        """Lock an address as five wrong logins do: `{"ip"}`."""
        self.state.wrong_logins[body_of(call).get("ip", "127.0.0.1")] = [self.state.now()] * 5
        return {}

    async def unlock(self, _call: Call) -> Any:
        """Forget wrong logins."""
        self.state.wrong_logins.clear()
        return {}
