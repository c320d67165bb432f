"""What workers and commands work with, put together once: each part gets what it uses, and no part gets all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.domain.history import Way
from upbridge.domain.lane import Wake, leave_to_sweep
from upbridge.engine.access import Logins
from upbridge.engine.after_reading import Planning
from upbridge.engine.catch_up import LastBeat
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.facts import ShopFacts
from upbridge.engine.imports import Imports
from upbridge.engine.list_pages import ListPages
from upbridge.engine.puller import Puller
from upbridge.engine.pusher import Pusher
from upbridge.engine.read_ahead import ReadAhead
from upbridge.engine.readers import EntityReaders, Readers, readers_of_platform
from upbridge.engine.scheduler import Scheduler
from upbridge.engine.second_look import lag_of
from upbridge.engine.shop_apis import ShopApis
from upbridge.engine.shop_maintenance import ShopMaintenance
from upbridge.engine.unknown_names import UnknownNames
from upbridge.insights.order_lookup import OrderLookups
from upbridge.jobs import LaneWorker
from upbridge.mail.rounds import Rounds
from upbridge.mail.stopping import load_stop_addresses
from upbridge.operations.change_settings import SettingsEditor
from upbridge.operations.connections import ConnectionEditor
from upbridge.operations.dry_run import Rehearsals
from upbridge.operations.found_keys import FoundKeys
from upbridge.operations.held_changes import HeldChanges
from upbridge.operations.login_attempts import LoginAttempts
from upbridge.operations.pairing import Pairing
from upbridge.operations.pause import PauseSwitch
from upbridge.operations.person import PersonRecords
from upbridge.operations.renew_secrets import SecretRenewal
from upbridge.operations.resolve_problem import ProblemActions
from upbridge.operations.send_again import SendAgain
from upbridge.operations.send_costs import CostSender
from upbridge.operations.settings_preview import SettingsPreviewer
from upbridge.operations.undo_run import RunUndo
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.connections import Connections
from upbridge.store.problem_queries import Problems
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems, Target
from upbridge.systems.connecting import Tools, WebhookUrl
from upbridge.web.actions import Actions


@dataclass(frozen=True)
class WorkerContainer:
    """The container of workers and commands: made once, by `bootstrap.create_worker_container`."""

    settings: Settings
    systems: Systems
    engine: AsyncEngine
    cipher: Cipher
    clock: Clock
    http: httpx.AsyncClient
    ledger: Ledger
    targets: Mapping[str, Target]
    webhook_url: WebhookUrl
    wake: Wake = leave_to_sweep
    last_beat: LastBeat = field(default_factory=LastBeat)
    way: Way = Way.PROGRAM
    """By which way its changes come: the history says it."""

    # --- what the parts share ---------------------------------------------------------------------------------

    @cached_property
    def shops(self) -> Shops:
        """The shops."""
        return Shops(self.engine, self.cipher, self.systems.settings, way=self.way)

    @cached_property
    def connections(self) -> Connections:
        """The connections of shops to targets."""
        return Connections(self.engine, self.cipher, way=self.way)

    @cached_property
    def problems(self) -> Problems:
        """What people have to cure."""
        return Problems(self.engine)

    @cached_property
    def tools(self) -> Tools:
        """What the systems are given to work with."""
        return Tools(
            http=self.http, settings=self.settings, engine=self.engine, cipher=self.cipher, clock=self.clock
        )

    @cached_property
    def shop_apis(self) -> ShopApis:
        """The APIs of shops."""
        return ShopApis(self.systems.platform, self.shops, self.ledger, self.tools)

    @cached_property
    def connected(self) -> ConnectedSystems:
        """What shops are connected to."""
        return ConnectedSystems(self.systems, self.targets, self.connections, self.shop_apis, self.tools)

    @cached_property
    def logins(self) -> Logins:
        """The logins of shops."""
        return Logins(self.engine, self.clock, self.shops, self.connections, self.connected, self.cipher)

    @cached_property
    def imports(self) -> Imports:
        """The first imports of shops."""
        return Imports(self.connected, self.clock)

    @property
    def _lag(self) -> timedelta:
        """After how long a second look is believed."""
        return lag_of(self.settings.coalesce_seconds, self.settings.second_look_seconds)

    # --- the engine -------------------------------------------------------------------------------------------

    @cached_property
    def facts(self) -> ShopFacts:
        """The facts of shops."""
        return ShopFacts(self.clock, self.shops, self.connected, self.imports, self._lag)

    @cached_property
    def names(self) -> UnknownNames:
        """The names that facts may lack."""
        return UnknownNames(self.engine, self.clock, self.shops, self.shop_apis, self.connected, self.facts)

    @cached_property
    def readers(self) -> Readers:
        """Which kind of change is read by what."""
        together = timedelta(seconds=self.settings.coalesce_seconds)
        planning = Planning(self.cipher, self.connected, self._lag, together)
        reading = (
            *(self.engine, self.clock, self.wake, self.shop_apis, self.connected, self.names, planning),
            self.read_ahead,
        )
        platform = readers_of_platform(EntityReaders(*reading), ListPages(*reading), self.maintenance)
        return Readers(self.connected, self.wake, platform)

    @cached_property
    def maintenance(self) -> ShopMaintenance:
        """What is asked of a shop itself."""
        return ShopMaintenance(
            self.engine,
            self.clock,
            self.shops,
            self.shop_apis,
            self.connected,
            self.facts,
            self.ledger,
            self.webhook_url,
        )

    @cached_property
    def read_ahead(self) -> ReadAhead:
        """The pages that were asked for before their turn."""
        return ReadAhead()

    @cached_property
    def puller(self) -> Puller:
        """The first half of every flow."""
        return Puller(
            self.engine,
            self.clock,
            self.shops,
            self.systems,
            self.ledger,
            self.connected,
            self.readers,
            self.read_ahead,
            self.maintenance,
            self.logins,
            self.settings.coalesce_seconds,
        )

    @cached_property
    def pusher(self) -> Pusher:
        """The second half of every flow."""
        return Pusher(self.engine, self.clock, self.cipher, self.shops, self.systems, self.connected, self.logins)

    @cached_property
    def scheduler(self) -> Scheduler:
        """What the clock asks for."""
        return Scheduler(
            self.engine,
            self.clock,
            self.settings,
            self.shops,
            self.systems,
            self.connections,
            self.logins,
            self.last_beat,
        )

    @cached_property
    def lane_worker(self) -> LaneWorker:
        """Works on lanes."""
        return LaneWorker(self.engine, self.clock, self.systems, self.wake, self.puller, self.pusher)

    @cached_property
    def rounds(self) -> Rounds:
        """The mails."""
        return Rounds.of(
            self.settings,
            engine=self.engine,
            cipher=self.cipher,
            systems=self.systems,
            clock=self.clock,
            origin=self.settings.public_origin(),
        )

    # --- what people do ---------------------------------------------------------------------------------------

    @cached_property
    def connection_editor(self) -> ConnectionEditor:
        """Connect and disconnect."""
        return ConnectionEditor(
            self.engine,
            self.clock,
            self.shops,
            self.connections,
            self.connected,
            self.imports,
            self.logins,
            LoginAttempts(self.engine, self.clock, self.shops, self.way),
        )

    @cached_property
    def settings_editor(self) -> SettingsEditor:
        """Change settings."""
        return SettingsEditor(
            self.engine, self.clock, self.shops, self.connections, self.systems, self.ledger, self.imports
        )

    @cached_property
    def settings_previewer(self) -> SettingsPreviewer:
        """See what a change of settings will do."""
        return SettingsPreviewer(self.engine, self.connections, self.systems, self.imports)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        """See what a change of settings would do at once."""
        return Rehearsals(
            self.engine, self.clock, self.systems, self.targets, self.connected, self.tools, self.settings_editor
        )

    @cached_property
    def found_keys(self) -> FoundKeys:
        """Let go on what rested for want of a key."""
        return FoundKeys(
            engine=self.engine,
            clock=self.clock,
            shops=self.shops,
            shop_apis=self.shop_apis,
            connections=self.connections,
            editor=self.connection_editor,
            wake=self.wake,
        )

    @cached_property
    def pause_switch(self) -> PauseSwitch:
        """Pause everything of a shop."""
        return PauseSwitch(self.clock, self.shops, self.wake)

    @cached_property
    def run_undo(self) -> RunUndo:
        """Take a run of stock back."""
        return RunUndo(self.engine, self.clock, self.way, self.systems, self.tools, self.wake)

    @cached_property
    def send_again(self) -> SendAgain:
        """Compare things with the shop again."""
        return SendAgain(self.engine, self.clock, self.way, self.wake)

    @cached_property
    def pairing(self) -> Pairing:
        """Pair variants with SKUs."""
        return Pairing(self.engine, self.clock, self.way, self.systems, self.wake)

    @cached_property
    def cost_sender(self) -> CostSender:
        """Send costs."""
        return CostSender(self.engine, self.clock, self.way, self.connected)

    @cached_property
    def held_changes(self) -> HeldChanges:
        """Answer a guard."""
        return HeldChanges(self.engine, self.clock, self.way, self.cipher, self.problems, self.systems, self.wake)

    @cached_property
    def problem_actions(self) -> ProblemActions:
        """Try again, or handle by hand."""
        return ProblemActions(
            self.engine,
            self.clock,
            self.way,
            self.shops,
            self.problems,
            self.systems,
            self.wake,
            self.held_changes,
        )

    @cached_property
    def person_records(self) -> PersonRecords:
        """Show and erase what is held about a person."""
        return PersonRecords(self.engine, self.clock, self.way, self.cipher, self.systems, self.connections)

    @cached_property
    def secret_renewal(self) -> SecretRenewal:
        """Make what may have leaked worthless."""
        return SecretRenewal(
            self.engine, self.clock, self.way, self.shops, self.systems, self.webhook_url, self.wake
        )

    @cached_property
    def order_lookups(self) -> OrderLookups:
        """Ask the shop for an order."""
        return OrderLookups(self.engine, self.clock, self.way, self.shop_apis, self.connected, self.logins)

    @cached_property
    def actions(self) -> Actions:
        """What the forms of the pages call."""
        return Actions(
            connections=self.connection_editor,
            settings=self.settings_editor,
            previews=self.settings_previewer,
            problems=self.problem_actions,
            held=self.held_changes,
            rehearsals=self.rehearsals,
            pause=self.pause_switch,
            undo=self.run_undo,
            again=self.send_again,
            pairing=self.pairing,
            costs=self.cost_sender,
            orders=self.order_lookups,
            wake=self.wake,
            stop_addresses=lambda: load_stop_addresses(self.engine, self.cipher),
            open_body=self.cipher.decrypt,
        )
