"""What the four calls of Upgates do to a shop. Each verifies, stores, and leaves the rest to the worker.

Nothing here calls a shop's API: an installation is answered within five seconds even if everything around hangs
(R11), at most 1.5 s for the key and 2.5 s for the database.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.deadline import with_deadline
from upbridge.core.errors import BadRequest, BadSignature, NotFound, NotReady
from upbridge.core.i18n import Texts
from upbridge.core.telemetry.seldom import Seldom
from upbridge.domain.lane import Lane, Wake, leave_to_sweep
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import LISTENING, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.installation.keys import LookWithheld, SignatureKeys
from upbridge.installation.signature import Endpoint, SignedCall, claim
from upbridge.settings import Settings
from upbridge.store import signatures
from upbridge.store.changes import Kind, Origin, forget, mark_changed
from upbridge.store.shops import Arrival, Installation, Shops
from upbridge.systems.platform import AddressPolicy
from upbridge.systems.registry import SYSTEMS

log = structlog.get_logger(__name__)

T = TypeVar("T")

STORE_SECONDS = 2.5

#: Makes the address that the admin will frame: for this shop, in this language, once, within a minute.
TicketAddress: TypeAlias = Callable[[ShopId, str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class InstallationAnswer:
    """The body that Upgates expects of three of the four calls (R12)."""

    error: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationService:
    """Install, open, uninstall, version.

    Each method takes the decoded JSON body and raises `BadSignature` if Upgates did not sign it for us now, and
    `NotReady` if there is no signature token. `open` raises `LookWithheld` where that cannot be said yet.
    *ticket_address* makes the address of the pages for one opening.
    """

    engine: AsyncEngine
    shops: Shops
    keys: SignatureKeys
    ticket_address: TicketAddress
    clock: Clock
    signature_token: str = field(repr=False)
    max_age: int
    policy: AddressPolicy
    wake: Wake = leave_to_sweep
    seldom: Seldom = field(default_factory=Seldom)

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        engine: AsyncEngine,
        shops: Shops,
        keys: SignatureKeys,
        ticket_address: TicketAddress,
        clock: Clock,
        wake: Wake = leave_to_sweep,
    ) -> "InstallationService":
        """The service as the settings want it."""
        token, policy = settings.signature_token, SYSTEMS.platform.address_policy
        assert policy is not None, "it is the platform"
        return cls(
            engine=engine,
            shops=shops,
            keys=keys,
            ticket_address=ticket_address,
            clock=clock,
            signature_token=token.get_secret_value() if token else "",
            max_age=settings.signature_max_age,
            policy=policy(settings),
            wake=wake,
        )

    # --- the four calls -------------------------------------------------------------------------------------

    async def install(self, body: Mapping[str, Any]) -> InstallationAnswer:
        """Take the shop in, or its new credentials (R11-R15); one transaction, then the worker reads the rest."""
        self._need_token()
        texts = Texts(_language(body))
        with self._logged(Endpoint.INSTALL):
            try:
                call = await self._authentic(Endpoint.INSTALL, body)
                return await _in_time(self._install(call, texts))
            except (NotReady, LookWithheld) as error:
                log.warning("install_not_possible_now", reason=str(error))
                return InstallationAnswer(error=True, message=texts.get("error.try_again"))

    async def open(self, body: Mapping[str, Any]) -> str:
        """The address to frame (R17, R27).

        Raises `NotFound` for an unknown shop, and `NotReady` if key or database cannot be had.
        """
        self._need_token()
        with self._logged(Endpoint.OPEN):
            return await _in_time(self._open(await self._authentic(Endpoint.OPEN, body)))

    async def uninstall(self, body: Mapping[str, Any]) -> InstallationAnswer:
        """Stop the shop at once and have one question asked that confirms it (R28-R30).

        Opening and uninstallation sign the same string. A signature that was seen before, or that is older than
        the last installation, may be a replay: it stops nothing, the question alone decides.
        """
        self._need_token()
        texts = Texts(_language(body))
        with self._logged(Endpoint.UNINSTALL):
            try:
                await _in_time(self._uninstall(await self._authentic(Endpoint.UNINSTALL, body)))
            except NotFound:
                log.info("uninstall_of_unknown_shop")
            except (NotReady, LookWithheld) as error:
                log.warning("uninstall_not_possible_now", reason=str(error))
                return InstallationAnswer(error=True, message=texts.get("error.try_again"))
        return InstallationAnswer()

    async def version(self, body: Mapping[str, Any]) -> InstallationAnswer:
        """Note the version, take new credentials if they were signed, read rights and webhooks again (R31, R32).

        The page that describes this call is not public: what the body holds besides the token and the time is
        optional, and the names of its fields are logged.
        """
        self._need_token()
        texts = Texts(_language(body))
        with self._logged(Endpoint.VERSION):
            try:
                call = await self._authentic(Endpoint.VERSION, body)
                log.info("version_call", signed_access=call.access is not None, fields=field_names(body))
                return await _in_time(self._version(call, texts))
            except NotFound:
                log.info("version_of_unknown_shop")
            except (NotReady, LookWithheld) as error:
                log.warning("version_not_possible_now", reason=str(error))
                return InstallationAnswer(error=True, message=texts.get("error.try_again"))
        return InstallationAnswer()

    # --- the parts, in the order they act -------------------------------------------------------------------

    @contextmanager
    def _logged(self, endpoint: Endpoint) -> Iterator[None]:
        """Log why calls were refused: a line a minute, as any caller can make them, and nothing that they sent."""
        try:
            yield
        except BadSignature as error:
            if times := self.seldom.times(endpoint, str(error)):
                log.warning("signed_call_refused", endpoint=endpoint, reason=str(error), times=times)
            raise

    def _need_token(self) -> None:
        if not self.signature_token:
            raise NotReady("UPBRIDGE_SIGNATURE_TOKEN is not set: signed calls cannot be verified")

    async def _authentic(self, endpoint: Endpoint, body: Mapping[str, Any]) -> SignedCall:
        """The signed call; looks at the key's address again before it says no."""
        claimed = claim(
            body,
            endpoint=endpoint,
            signature_token=self.signature_token,
            now=self.clock(),
            max_age=self.max_age,
        )
        keys = await self.keys.current()
        try:
            call = claimed.prove(keys)
        except BadSignature:
            unseen = await self.keys.unseen(keys, claimed.signature)
            if not unseen:
                raise
            call = claimed.prove(unseen)
        self.keys.judged(claimed.signature)
        return call

    async def _known(self, call: SignedCall) -> Shop:
        """The shop of *call*; raises `NotFound` in words that do not repeat its token."""
        try:
            return await self.shops.by_token(call.token)
        except NotFound:
            raise NotFound("this shop has not activated the add-on") from None

    async def _install(self, call: SignedCall, texts: Texts) -> InstallationAnswer:
        try:
            async with self.engine.begin() as tx:
                shop, arrival = await self._admit(tx, call, version=call.version, language=texts.language)
                await self._read_again(tx, shop)
        except BadRequest as error:
            return _foreign(call, error, texts)
        await self.wake(Lane.pull(shop.id, PLATFORM))
        log.info("shop_installed", shop_id=str(shop.id), arrival=arrival)
        return InstallationAnswer()

    async def _admit(
        self, tx: AsyncConnection, call: SignedCall, *, version: int | None, language: str
    ) -> tuple[Shop, Arrival]:
        """Store the call's credentials. Raises `BadRequest` for an API address that is not at Upgates, and
        `BadSignature` if a newer call was accepted before, or if this very call was and the shop has been stopped
        since: then it would bring back what has ended (R8)."""
        access = call.access
        assert access is not None, "the caller saw to it"
        api_url = self.policy.check(access.api_url)
        now = self.clock()
        seen = await signatures.remember(tx, call.digest, call.endpoint, now=now)
        shop, arrival = await self.shops.install(
            tx,
            Installation(
                token=call.token,
                api_url=api_url,
                api_user=access.api_user,
                api_key=access.api_key,
                version=version,
                language=language,
                signed_at=call.time,
            ),
            now=now,
        )
        if seen is not None and arrival is not Arrival.RENEWED:
            raise BadSignature("this call was accepted before, and the shop was stopped since")
        # A question about the old credentials, answered with the new ones, could end what has just begun.
        await forget(tx, shop.id, PLATFORM, Kind.PROBE)
        return shop, arrival

    async def _open(self, call: SignedCall) -> str:
        shop = await self._known(call)
        language = Texts(call.language).language if call.language else shop.language
        if language != shop.language:
            await self.shops.set_language(shop.id, language)
        async with self.engine.begin() as tx:
            seen = await signatures.remember(tx, call.digest, call.endpoint, now=self.clock())
        if seen is not None:  # a copy from a log would open the pages again and again
            raise BadSignature(f"this call was accepted before, by {seen}")
        return await self.ticket_address(shop.id, language)

    async def _uninstall(self, call: SignedCall) -> None:
        shop = await self._known(call)
        older = shop.signed_at is not None and call.time < shop.signed_at
        now = self.clock()
        async with self.engine.begin() as tx:
            seen = await signatures.remember(tx, call.digest, call.endpoint, now=now)
            if shop.state is not ShopState.UNINSTALLED:
                await mark_changed(
                    tx,
                    shop.id,
                    PLATFORM,
                    Kind.PROBE,
                    ["probe"],
                    origin=Origin.LIFECYCLE,
                    now=now,
                )
        if seen is not None or older:
            log.warning("uninstall_may_be_a_replay", shop_id=str(shop.id), seen_on=seen, older=older)
        else:
            # an operator's suspension outlives a deactivation that turns out to be a replay
            reason = shop.reason if shop.state is ShopState.SUSPENDED else None
            if await self.shops.move(shop.id, to=ShopState.UNINSTALLING, among=LISTENING, now=now, reason=reason):
                log.info("shop_uninstalling", shop_id=str(shop.id))
        await self.wake(Lane.pull(shop.id, PLATFORM))

    async def _version(self, call: SignedCall, texts: Texts) -> InstallationAnswer:
        shop = await self._known(call)
        if shop.state not in LISTENING:
            log.info("version_of_stopped_shop", shop_id=str(shop.id))
            return InstallationAnswer()
        version = shop.version if call.version is None else call.version
        try:
            async with self.engine.begin() as tx:
                if call.access:
                    await self._admit(tx, call, version=version, language=shop.language)
                else:
                    await signatures.remember(tx, call.digest, call.endpoint, now=self.clock())
                await self._read_again(tx, shop)
        except BadRequest as error:
            return _foreign(call, error, texts)
        if version != shop.version:
            await self.shops.set_version(shop.id, version)
        await self.wake(Lane.pull(shop.id, PLATFORM))
        log.info("version_changed", shop_id=str(shop.id), version=version)
        return InstallationAnswer()

    async def _read_again(self, tx: AsyncConnection, shop: Shop) -> None:
        """Have the worker read what rarely changes, and compare the webhooks (R32)."""
        for kind in (Kind.FACTS, Kind.WEBHOOKS):
            await mark_changed(
                tx,
                shop.id,
                PLATFORM,
                kind,
                [str(kind)],
                origin=Origin.LIFECYCLE,
                now=self.clock(),
            )


def field_names(body: Mapping[str, Any]) -> list[str]:
    """The names of the fields of *body*, for the log: never a value, and no more than a log line bears."""
    return sorted(str(name)[:40].encode("ascii", "backslashreplace").decode() for name in body)[:30]


def _foreign(call: SignedCall, error: BadRequest, texts: Texts) -> InstallationAnswer:
    log.warning("api_address_refused", endpoint=call.endpoint, reason=str(error))
    return InstallationAnswer(error=True, message=texts.get("install.foreign_address"))


def _language(body: Mapping[str, Any]) -> str | None:
    value = body.get("current_admin_language")
    return value if isinstance(value, str) else None


async def _in_time(work: Coroutine[Any, Any, T]) -> T:
    """A database that is away or stuck is `NotReady`, soon enough for an answer within five seconds."""
    try:
        return await with_deadline(STORE_SECONDS, work)
    except (TimeoutError, PoolTimeout, OperationalError, InterfaceError) as error:
        raise NotReady(f"the database does not answer: {type(error).__name__}") from error
