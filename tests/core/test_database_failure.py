"""Why the database cannot be used: in the driver's words, with what helps, and whether it passes by itself."""

import psycopg
import pytest

from tests.support.silent_servers import refusing_postgres, silent_server
from upbridge.core.database_failure import database_failure, reason_of

WRONG = ("28P01", 'password authentication failed for user "upbridge"')
NOT_THERE = ("3D000", 'database "upbridge" does not exist')
POOLER = ("08P01", "unsupported startup parameter: options")


async def refused(address: str, seconds: int = 5) -> psycopg.OperationalError:
    """What the driver says of a connection to *address*."""
    with pytest.raises(psycopg.OperationalError) as caught:
        await psycopg.AsyncConnection.connect(address, connect_timeout=seconds)
    return caught.value


@pytest.mark.parametrize(
    ("code", "message", "helps", "passes"),
    [
        (*WRONG, "password", False),
        ("28000", 'role "upbridge" does not exist', "user", False),
        ("28000", 'no pg_hba.conf entry for host "10.0.0.1", user "upbridge"', "pg_hba.conf", False),
        (*NOT_THERE, "create it", False),
        (*POOLER, "by session", False),
        ("53300", "sorry, too many clients already", "max_connections", True),
        ("53300", 'too many connections for role "upbridge"', "max_connections", True),
        ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute", "free", True),
        ("57P03", "the database system is starting up", "by itself", True),
    ],
)
async def test_a_refusal_is_logged_in_the_servers_words(
    code: str, message: str, helps: str, *, passes: bool
) -> None:
    async with refusing_postgres(code, message) as address:
        failure = database_failure(await refused(address))

    assert failure is not None
    assert message in failure.reason
    assert helps in failure.what_to_do
    assert failure.passes is passes
    assert ("by itself" in failure.what_to_do) is passes


async def test_nothing_is_claimed_of_what_never_passes_by_itself() -> None:
    async with refusing_postgres(*WRONG) as address:
        failure = database_failure(await refused(address))

    assert failure is not None
    assert "goes on by itself" not in failure.what_to_do
    assert "hush" not in f"{failure}"


async def test_a_host_that_is_unknown_or_silent_or_refuses() -> None:
    unknown = database_failure(await refused("postgresql://u@no.host.invalid/x"))
    closed = database_failure(await refused("postgresql://u@127.0.0.1:1/x"))
    with silent_server() as port:
        silent = database_failure(await refused(f"postgresql://u@127.0.0.1:{port}/x", seconds=2))

    assert unknown is not None
    assert (unknown.passes, "no.host.invalid" in unknown.reason) == (False, True)
    assert closed is not None
    assert (closed.passes, "Connection refused" in closed.reason) == (True, True)
    assert silent is not None
    assert (silent.passes, "timeout" in silent.reason) == (True, True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.errors.DiskFull('could not extend file "base/5/1": No space left on device'), "No space left"),
        (psycopg.errors.UndefinedTable('relation "shops" does not exist'), "upbridge migrate"),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"), "read-only"),
    ],
)
def test_what_a_statement_failed_with_is_named_where_it_is_known(error: Exception, reason: str) -> None:
    assert reason in reason_of(error)


def test_a_deadline_is_named_in_words() -> None:
    assert reason_of(TimeoutError()) == "no answer in time"


def test_words_that_may_hold_data_are_not_repeated() -> None:
    error = psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "Jana Nova"')

    assert reason_of(error) == "InvalidTextRepresentation"


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.InvalidSqlStatementName('prepared statement "_pg3_0" does not exist'),
        psycopg.errors.ProtocolViolation('bind message supplies 2 …, but prepared statement "_pg3_0" requires 3'),
        psycopg.errors.DuplicatePreparedStatement('prepared statement "_pg3_1" already exists'),
    ],
)
def test_a_pooler_that_mixes_sessions_is_named(error: Exception) -> None:
    failure = database_failure(error)

    assert failure is not None
    assert "by session" in failure.what_to_do
    assert not failure.passes


def test_an_echo_of_another_failure_is_none() -> None:
    """The driver says so of each statement after the one that failed."""
    assert database_failure(psycopg.errors.PipelineAborted("pipeline aborted")) is None
