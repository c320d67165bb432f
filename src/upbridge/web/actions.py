"""What the forms of the pages call, and what opens what is sealed: each handler takes the one that it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from upbridge.domain.lane import Wake
from upbridge.insights.order_lookup import OrderLookups
from upbridge.mail.stopping import StopAddresses
from upbridge.operations.change_settings import SettingsEditor
from upbridge.operations.connections import ConnectionEditor
from upbridge.operations.dry_run import Rehearsals
from upbridge.operations.held_changes import HeldChanges
from upbridge.operations.pairing import Pairing
from upbridge.operations.pause import PauseSwitch
from upbridge.operations.resolve_problem import ProblemActions
from upbridge.operations.send_again import SendAgain
from upbridge.operations.send_costs import CostSender
from upbridge.operations.settings_preview import SettingsPreviewer
from upbridge.operations.undo_run import RunUndo


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What a user can do on the pages, by what it is done to."""

    connections: ConnectionEditor
    settings: SettingsEditor
    previews: SettingsPreviewer
    problems: ProblemActions
    held: HeldChanges
    rehearsals: Rehearsals
    pause: PauseSwitch
    undo: RunUndo
    again: SendAgain
    pairing: Pairing
    costs: CostSender
    orders: OrderLookups
    wake: Wake
    stop_addresses: Callable[[], Awaitable[StopAddresses]]
    """Loads the tokens that end mails."""
    open_body: Callable[[bytes], bytes]
    """Opens a sealed body."""
