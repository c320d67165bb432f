"""The shop itself: what rarely changes of it, the webhooks that it calls us by, and whether it works at all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import LoginRefused, LoginUnreadable, RightRefused, Unreachable
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import BY_A_PERSON, PROBE_PAUSE, Shop, ShopState
from upbridge.domain.shop_profile import ShopProfile
from upbridge.engine.access import reason_of
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.facts import ShopFacts
from upbridge.engine.flows import SERVICES
from upbridge.engine.parameters import PARAMETERS, offers_parameters, text_language
from upbridge.engine.shop_apis import ShopApis
from upbridge.rate_limits.ledger import Ledger
from upbridge.store import changes, cursors
from upbridge.store.changes import Change, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.store.problems import NewProblem, Stage, close_resolved, raise_problems
from upbridge.store.shops import Shops
from upbridge.systems.connecting import WebhookUrl
from upbridge.systems.platform import FactsRead

log = structlog.get_logger(__name__)

#: The cursor that holds the kinds of entities of which no webhook tells us, as a JSON list.
INACTIVE_WEBHOOKS = "webhooks_inactive"


@dataclass(frozen=True, slots=True)
class ShopMaintenance:
    """Looks after the facts, the webhooks and the state of shops."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    shop_apis: ShopApis
    connected: ConnectedSystems
    facts: ShopFacts
    ledger: Ledger
    webhook_url: WebhookUrl

    async def read_facts(self, shop: Shop, chunk: list[Change]) -> None:
        """Owner, languages, price lists, statuses, config and rights; what waited for one of them tries again.

        A change may ask for the names of parameters alone, where the rest is known.

        Raises `Unreachable` where some of them could not be read, after the others were kept.
        """
        client = await self.shop_apis.of(shop)
        known = None if shop.facts is None else ShopProfile.model_validate(shop.facts)
        alone = chunk[0].key == PARAMETERS
        if known is not None and alone:
            read = FactsRead(known)
        else:
            # The owner is read when the add-on is installed or gets a new version, and kept.
            read = await client.facts(chunk[0].purpose, known=known, owner=chunk[0].origin is Origin.LIFECYCLE)
        targets = await self.connected.target_connections(shop)
        complete = not read.failures
        if offers_parameters(self.connected.systems, targets):
            language = text_language(self.connected.systems, shop, read.profile)
            names = await client.parameter_names(language=language, purpose=chunk[0].purpose)
            read = replace(read, profile=read.profile.model_copy(update={"parameters": names}))
        async with self.engine.begin() as tx:
            if complete:
                await changes.done(tx, shop.id, PLATFORM, chunk)
                parents = [change.key for change in chunk]
                await close_resolved(tx, shop.id, stages=[Stage.READ], target=PLATFORM, parents=parents)
            renewed = complete and not alone
            await self.facts.renew(tx, shop.id, read.profile, targets, now=self.clock(), complete=renewed)
        if not complete:
            raise Unreachable("; ".join(f"{name}: {said}" for name, said in read.failures.items()))

    async def compare_webhooks(self, shop: Shop, chunk: list[Change]) -> None:
        """Have Upgates call us for all that we want to hear of, and see whose last call failed."""
        client = await self.shop_apis.of(shop)
        now = self.clock()
        compared = await client.subscribe(lambda event: self.webhook_url(shop, PLATFORM, event), now=now)
        log.info(
            "webhooks_compared",
            shop_id=str(shop.id),
            created=compared.created,
            activated=compared.activated,
            deleted=compared.deleted,
        )
        failed = [{"event": one.event, "at": one.at.isoformat(), "status": one.status} for one in compared.failed]
        if failed:
            log.warning("webhook_calls_failed", shop_id=str(shop.id), calls=failed)
        await self.shops.set_subscribed(shop.id, failed, generation=shop.webhook_generation, now=now)
        targets = await self.connected.target_connections(shop)
        async with self.engine.begin() as tx:
            await changes.done(tx, shop.id, PLATFORM, chunk)
            await self._tell_inactive(tx, shop, compared.denied, targets)

    async def _tell_inactive(
        self,
        tx: AsyncConnection,
        shop: Shop,
        denied: Sequence[str],
        targets: Mapping[str, ConnectionRow],
    ) -> None:
        """Webhooks that the shop does not let us have are an alarm from now on, until it does."""
        sections = {event.lower().partition(".")[0] for event in denied}
        silent = sorted(kind for kind, name in SERVICES.items() if name in sections)
        await cursors.put(tx, shop.id, PLATFORM, INACTIVE_WEBHOOKS, json.dumps(silent))
        rights = (shop.facts or {}).get("rights") or {}
        alarms = [
            NewProblem(
                stage=Stage.READ,
                key="shop.webhooks_inactive",
                target=PLATFORM,
                kind="webhooks",
                entity=SERVICES[kind],
                parent="webhooks",
                params={"service": SERVICES[kind]},
            )
            for kind in silent
            if set(self.connected.systems.taking(kind)) & targets.keys() and rights.get(SERVICES[kind]) != "deny"
        ]
        await close_resolved(tx, shop.id, stages=[Stage.READ], target=PLATFORM, parents=["webhooks"], still=alarms)
        await raise_problems(tx, shop.id, alarms, now=self.clock())

    async def ask(self, shop: Shop, purpose: Purpose) -> None:
        """Whether the shop answers at all. Raises what the call raises."""
        client = await self.shop_apis.of(shop)
        await client.status(purpose=purpose)

    async def probe(self, shop: Shop, chunk: list[Change]) -> None:
        """The one call that says what a silent or deactivated shop is: gone (401), suspended, or back (R28, R29).

        A shop that does not work is asked once an hour at most, however many asked for it: the schedule of another
        process may have done so while the last question was under way.
        """
        now = self.clock()
        shop = await self.shops.get(shop.id)
        resting = shop.state is not ShopState.ACTIVE and shop.probed_at and shop.probed_at > now - PROBE_PAUSE
        if not resting:
            await self.shops.mark(shop.id, "probed_at", now=now)
        async with self.engine.begin() as tx:
            await changes.done(tx, shop.id, PLATFORM, chunk)
        if resting:
            return
        try:
            client = await self.shop_apis.of(shop)
            await self.ledger.doubt(shop.id)  # these credentials are probably dead: one call, and in its turn
            await client.status(purpose=chunk[0].purpose)
        except LoginRefused as error:
            alive, reason = False, reason_of(error)
            # These prove nothing: a locked address and a missing right are answered so, too; and an operator may
            # still find the key that opens the login.
            gone = not isinstance(error, RightRefused | LoginUnreadable)
            log.info("probe_refused", shop_id=str(shop.id), state=shop.state, reason=str(error))
        else:
            alive, gone, reason = True, False, ""
            log.info("probe_answered", shop_id=str(shop.id), state=shop.state)
        now_shop = await self.shops.get(shop.id)
        if now_shop.signed_at != shop.signed_at:
            return  # installed again meanwhile: what was asked with the old credentials says nothing (R14)
        if alive:
            await self._is_back(now_shop)
        elif gone and shop.state in (ShopState.UNINSTALLING, ShopState.ACTIVE):
            # Upgates said so, and the API confirms it. An active shop is asked only after such a call, too.
            await self.shops.move(
                shop.id,
                to=ShopState.UNINSTALLED,
                among=[ShopState.UNINSTALLING, ShopState.ACTIVE],
                now=now,
                signed_at=shop.signed_at,
            )
        else:
            await self.shops.move(
                shop.id,
                to=ShopState.SUSPENDED,
                among=[ShopState.ACTIVE],
                now=now,
                reason=reason,
                signed_at=shop.signed_at,
            )

    async def _is_back(self, shop: Shop) -> None:
        if shop.state in (ShopState.UNINSTALLING, ShopState.ACTIVE):
            log.warning("uninstall_was_a_replay", shop_id=str(shop.id))
        # A person's word outlives a replayed call.
        to = ShopState.SUSPENDED if shop.reason in BY_A_PERSON else ShopState.ACTIVE
        await self.shops.move(
            shop.id,
            to=to,
            among=[ShopState.UNINSTALLING, ShopState.SUSPENDED],
            now=self.clock(),
            reason=shop.reason if to is ShopState.SUSPENDED else None,
        )
