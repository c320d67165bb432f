"""What the demo does: activate, connect, change and ship, by the program's commands and the control API."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from upbridge_sandbox.demo import writeback_checks
from upbridge_sandbox.demo.compare import Problems
from upbridge_sandbox.demo.processes import Failed, Processes
from upbridge_sandbox.demo.sandbox_client import SHOP, SandboxClient
from upbridge_sandbox.demo.upp_rules import Json

CHANGES = 500
BURST = 20
FOREIGN_IDS = 900_000
"""Ids of another shop's products are moved up by this, out of the way of the simulated shop's own."""
FAULTS: Json = {"lose_share": 0.05, "double_share": 0.1, "late_share": 0.1, "late_seconds": 2.0, "reorder": True}
MOVES = 3
"""So often a list moves while the safety net reads it."""
NO_FAULTS: Json = {"lose_share": 0.0, "double_share": 0.0, "late_share": 0.0, "reorder": False}


@dataclass(slots=True)
class Driver:
    """One shop and the program that serves it."""

    processes: Processes
    sandbox: SandboxClient
    token: str = ""
    key: str = ""
    uphance_webhook: str = ""
    organisation: int = 0
    activated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def take_captured(self, folder: Path) -> int:
        """Put what real shops once answered into the shop; returns how much.

        PHP's dates, lower-case countries and nulls have to pass too.
        """
        taken = 0
        for file in sorted(folder.glob("*.json")):
            answer = json.loads(file.read_text())
            for kind in ("products", "orders"):
                for entity in answer.get(kind, ()):
                    for thing in entity["products"] if kind == "orders" else [entity]:
                        thing["product_id"] = FOREIGN_IDS + (thing.get("product_id") or 0)
                    self.sandbox.call("POST", f"/shops/{SHOP}/{kind}", {"as_is": entity})
                    taken += 1
        return taken

    def activate(self) -> None:
        """Upgates activates the add-on. Raises `Failed`."""
        self.activated_at = datetime.now(UTC)
        shop = self.sandbox.shop()
        self.token, self.organisation = shop["token"], shop["credentials"]["uphance"]["organisation"]
        answer = self.sandbox.call("POST", f"/shops/{SHOP}/activate")
        if not answer["activated"]:
            raise Failed(f"the activation failed: {answer}")

    def connect(self) -> None:
        """Both targets at once, Uphance with a setting before it, so that old orders go too."""
        credentials = self.sandbox.shop()["credentials"]
        upp, uphance = credentials["upp"], credentials["uphance"]
        early = (self.activated_at - timedelta(days=60)).isoformat(timespec="seconds")

        def connect_uphance() -> None:
            self.processes.run("shops", "settings", self.token, f"uphance.orders_from={early}")
            self.processes.run(
                *("shops", "connect", self.token, "uphance", "--email", uphance["email"]),
                *("--organisation", str(uphance["organisation"])),
                stdin=uphance["password"],
            )

        with ThreadPoolExecutor(2) as pool:
            second = pool.submit(connect_uphance)
            self.processes.run(
                "shops", "connect", self.token, "upp", "--client-id", upp["client_id"], stdin=upp["secret"]
            )
            second.result()

    def change(self) -> dict[str, int]:
        """A day's changes in bursts, while announcements are lost, doubled, late and out of order.

        Returns how many there were of each kind. The program must say meanwhile that the first import has ended.
        """
        self.sandbox.call("PUT", f"/shops/{SHOP}/webhooks", FAULTS)
        done: dict[str, int] = {}
        with ThreadPoolExecutor(1) as pool:
            shown = pool.submit(self.processes.run, "shops", "show", self.token, "--json")
            for start in range(0, CHANGES, BURST):
                body = {"changes": min(BURST, CHANGES - start), "seed": 100 + start}
                for name, count in self.sandbox.call("POST", f"/shops/{SHOP}/mutate", body)["done"].items():
                    done[name] = done.get(name, 0) + count
                self.processes.check()
                time.sleep(0.1)
            self._remember(shown.result())
        return done

    def look_after_everything(self) -> int:
        """The safety net reads lists that move meanwhile; returns how often they did."""
        self.sandbox.call("PUT", f"/shops/{SHOP}/faults", {"move_next": MOVES})
        self.processes.run("shops", "reconcile", self.token, "--wait")
        left: int = self.sandbox.call("PUT", f"/shops/{SHOP}/faults", {})["move_next"]
        self.sandbox.call("PUT", f"/shops/{SHOP}/faults", {"move_next": 0})
        return MOVES - left

    def _remember(self, shown: Json) -> None:
        """What `shops show` knows of the shop. Raises `Failed` where the first import has not ended."""
        self.key, self.uphance_webhook = shown["key"], shown["uphance_webhook_url"]
        imports = shown.get("imports", {})
        if not imports or any(row["state"] != "done" for row in imports.values()):
            raise Failed(f"the first import has not ended: {imports}")

    def work_in_uphance(self) -> writeback_checks.StaffWork:
        """Staff pack, ship and count in Uphance; the shop lets its stock be written."""
        self.sandbox.call("POST", f"/uphance/{self.organisation}/webhook", {"url": self.uphance_webhook})
        with ThreadPoolExecutor(1) as pool:
            switched = pool.submit(self.processes.run, "shops", "settings", self.token, "stock.write=true")
            origin = self.sandbox.origin()
            done = writeback_checks.staff_at_work(self.sandbox, self.organisation, origin, self.key)
            switched.result()
        return done

    def problems(self) -> Problems:
        """What the program lists for a person."""
        rows = self.processes.run("problems", "list", "--json")
        return Problems(rows if isinstance(rows, list) else [])
