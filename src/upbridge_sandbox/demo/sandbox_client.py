"""The simulated systems as the demo sees them: through their control API, nothing else."""

from dataclasses import dataclass
from typing import Any

import httpx

from upbridge_sandbox.demo.compare import Origin
from upbridge_sandbox.demo.legacy import modern_order, modern_product
from upbridge_sandbox.demo.processes import Failed
from upbridge_sandbox.demo.upp_rules import Json

SHOP = "demo"


@dataclass(frozen=True, slots=True)
class SandboxClient:
    """The control API of a running sandbox."""

    client: httpx.Client
    base: str

    def call(self, method: str, path: str, body: Json | None = None) -> Any:
        """One call; anything but success is Failed."""
        response = self.client.request(method, f"{self.base}/control{path}", json=body or {})
        if response.is_error:
            raise Failed(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json()

    def shop(self) -> Json:
        """The demo's shop, with how to connect its counterparts."""
        found: Json = self.call("GET", f"/shops/{SHOP}")
        return found

    def origin(self) -> Origin:
        """What the shop holds, held and deleted."""
        products, orders = (self.call("GET", f"/shops/{SHOP}/{kind}") for kind in ("products", "orders"))
        versions = self.call("GET", f"/shops/{SHOP}/versions")["versions"]
        return Origin(
            [modern_product(product) for product in products["items"]],
            [modern_product(product) for product in products["deleted"]],
            {order["order_number"]: modern_order(order) for order in orders["items"]},
            {number: [modern_order(order) for order in kept] for number, kept in versions.items()},
        )

    def upp(self, kind: str) -> dict[str, Json]:
        """What Upp.ai holds by id."""
        found: dict[str, Json] = self.call("GET", f"/upp/upp-{SHOP}/{kind}")["items"]
        return found

    def uphance(self, organisation: int, kind: str) -> list[Json]:
        """What an Uphance organisation holds."""
        found: list[Json] = self.call("GET", f"/uphance/{organisation}/{kind}")["items"]
        return found

    def arrived(self, organisation: int) -> dict[str, int]:
        """How much has arrived so far; cheap."""
        state = self.call("GET", "/state")
        tenant = next(item for item in state["tenants"] if item["client_id"] == f"upp-{SHOP}")
        company = next(item for item in state["uphance"]["organisations"] if item["id"] == organisation)
        return {
            "products → Upp.ai": tenant["products"],
            "orders → Upp.ai": tenant["orders"],
            "orders → Uphance": company["orders"],
            "customers → Uphance": company["customers"],
        }

    def written_back(self) -> dict[str, int]:
        """How many calls have written stock and shipments into the shop so far; cheap."""
        operations = self.call("GET", "/calls").get("upgates", {"operations": {}})["operations"]
        return {
            "stock → Upgates": sum(operations.get("PUT /api/v2/products", {}).values()),
            "shipments → Upgates": sum(operations.get("PUT /api/v2/orders", {}).values()),
        }

    def count_calls(self) -> int:
        """How many calls of Upgates were made so far."""
        operations = self.call("GET", "/calls").get("upgates", {"operations": {}})["operations"]
        return sum(sum(statuses.values()) for statuses in operations.values())

    def writes(self) -> int:
        """How many successful writes Upp.ai and Uphance have seen."""
        calls = self.call("GET", "/calls")
        return sum(
            count
            for system in ("upp", "uphance")
            for operation, statuses in calls.get(system, {"operations": {}})["operations"].items()
            for count in statuses.values()
            if operation.startswith("P")
        )
