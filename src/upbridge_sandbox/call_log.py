"""What the sandbox noticed: every call, and every call that a published rule forbids.

A violation names the rule and where it is written, the system and the request line. It never holds a
secret: request lines lose their query values, bodies are not kept.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

#: rule -> what it says and where that is written. A rule that is not listed here cannot be recorded.
RULES: dict[str, str] = {
    "missing-auth": "every call carries HTTP Basic credentials (API Blueprint, Autentizace)",
    "wrong-login": "wrong credentials: five in an hour lock the IP address (R56)",
    "call-while-locked": "the IP address is locked after five wrong logins (R56)",
    "call-after-deactivation": "no call is made for a deactivated shop but one GET /status (R29)",
    "old-credentials": "the newest signed credentials win (R14)",
    "old-address": "a moved shop answers 301 and its new address is stored (R55)",
    "no-right": "the API user has no right to this service (GET /status says so)",
    "too-parallel": "at most three calls in flight per shop (R49)",
    "call-while-closed": "after 429 the next call waits for Retry-After (R49)",
    "over-limit": "the hour and the day are used up; the headers said so (Rate Limiting)",
    "unknown-endpoint": "the published API has no such path, or the add-on no business there",
    "wrong-method": "the published API has no such method there",
    "unknown-parameter": "the published API has no such query parameter, or it is not simulated",
    "bad-parameter": "the value of a query parameter is not what the published API takes",
    "unknown-field": "the published API has no such field in the body, or it is not simulated",
    "bad-body": "the body is not what the published API takes",
    "bad-content-type": "a JSON body says Content-Type: application/json",
    "too-many-items": "at most 100 items in a PUT; above that nothing is done (R53)",
    "too-many-ids": "more ids in a filter than a page holds",
    "too-large": "more items in a batch than the vendor takes",
    "late-webhook-answer": "webhooks are answered within one second (R36)",
    "late-install-answer": "an activation is answered within five seconds (R11)",
    "bad-install-answer": "an activation is answered 200 with error and message (R12)",
    "bad-open-answer": "an opening is answered 200 with an https url and a type (R17, R18)",
    "missing-header": "Content-Type, Accept, Authorization and Api-Version: 1 are required (Upp.ai)",
    "doubled-in-batch": "one batch names the same id twice",
    "not-a-number": "numbers are JSON numbers",
    "personal-data": "Upp.ai gets no personal data",
    "no-organisation": "set_current_org comes before anything else (Uphance)",
    "parallel-uphance": "one request at a time per token is advised (Uphance)",
    "revoke-all": "revoke_all would log out the merchant's other integrations (Uphance)",
    "doubled-order": "one Upgates order became two Uphance orders",
    "doubled-product": "one product became two Uphance products",
    "dead-token": "a call with a token that was revoked or replaced",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One request that a published rule forbids."""

    at: datetime
    system: str
    rule: str
    request: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        """The violation with what its rule says."""
        return {**asdict(self), "at": self.at.isoformat(), "says": RULES[self.rule]}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a simulated system answered (or cut)."""

    at: datetime
    system: str
    operation: str
    status: int
    seconds: float
    shop: str
    items: int

    def as_json(self) -> dict[str, Any]:
        """The call as the control API lists it."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(slots=True)
class CallLog:
    """The calls and violations of one sandbox."""

    clock: Callable[[], datetime]
    violations: list[Violation] = field(default_factory=list)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=100_000))
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def violation(self, system: str, rule: str, request: str, detail: str = "") -> None:
        """Remember that *rule* was broken."""
        if rule not in RULES:
            raise KeyError(rule)
        self.violations.append(Violation(self.clock(), system, rule, request, detail[:200]))

    def call(
        self,
        system: str,
        operation: str,
        status: int,
        *,
        seconds: float,
        shop: str = "",
        items: int = 0,
    ) -> None:
        """Count one answered call."""
        self.counts[(system, operation, status)] += 1
        entry = Call(self.clock(), system, operation, status, round(seconds, 4), shop, items)
        self.calls.append(entry)

    def totals(self) -> dict[str, Any]:
        """Calls per system, operation and status."""
        out: dict[str, Any] = {}
        for (system, operation, status), count in sorted(self.counts.items()):
            per_system = out.setdefault(system, {"total": 0, "operations": {}})
            per_system["total"] += count
            per_operation = per_system["operations"].setdefault(operation, {})
            per_operation[str(status)] = count
        return out

    def clear(self) -> None:
        """Forget what was noticed so far."""
        self.violations.clear()
        self.calls.clear()
        self.counts.clear()
