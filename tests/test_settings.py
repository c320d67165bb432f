"""Settings: a line for each wrong one, with its name, what is wrong and an example. Never a traceback."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shops import KEY
from upbridge.core.errors import BadSettings
from upbridge.domain.mail import MailServer, Security
from upbridge.settings import EXAMPLES, Settings, load_settings, log_format

GIVEN = {
    "DATABASE_URL": "postgresql://upbridge:hush@db/upbridge",
    "ENCRYPTION_KEYS": KEY,
    "PUBLIC_URL": "https://upbridge.example",
}

WRONG = {
    "DATABASE_URL": [
        "mysql://db/x",
        "upbridge",
        "postgresql+psycopg://db/x",
        "postgresql://[::1/x",
        "postgresql://db:port/x",
    ],
    "ENCRYPTION_KEYS": ["short", f"{KEY},short", "ž" * 44],
    "PUBLIC_URL": [
        "upbridge.example",
        "ftp://upbridge.example",
        "http://upbridge.example",
        "https://",
        "https://me:hush@upbridge.example",
        "https://[upbridge.example",
        "https://upbridge.example:port",
        "https://upbridge.example:99999",
        "https://upbridge.example/addon",
        "https://upbridge.example?shop=1",
    ],
    "SIGNATURE_KEY_URL": ["http://files.upgates.com/key", "key.pem"],
    "SIGNATURE_MAX_AGE": ["0", "-1", "soon", "1.5", "9" * 20, "172801"],
    "UPGATES_HOSTS": [",", "*", "https://*.upgates.com", "shop.upgates.com:443", "a b", "shop.*.com"],
    "UPP_URL": ["svc.upp.ai", "http://svc.upp.ai"],
    "UPHANCE_URL": ["//api.uphance.com"],
    "UPHANCE_ORDER_URL": ["app.uphance.com", "http://app.uphance.com", "javascript:alert(1)"],
    "FRAME_ANCESTORS": [
        "https://*.upgates.com; script-src *",
        "a b",
        ",",
        "*",
        "https:",
        "https://*",
        "javascript:",
        "data:",
        "'none'",
        "https://*.upgátes.com",
        "https://*.upgates.com/path",
        "http://admin.example.com",
    ],
    "ALLOW_INSECURE": ["perhaps"],
    "COALESCE_SECONDS": ["-1", "soon", "inf", "nan"],
    "SECOND_LOOK_SECONDS": ["-1", "inf"],
    "STOCK_POLL_SECONDS": ["0", "1e300"],
    "RECONCILE_HOURS": ["0", "daily", "inf"],
    "LOG_FORMAT": ["xml", "JSON "],
    "LOG_LEVEL": ["loud", "20"],
    "SMTP_URL": [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://:hush@mail.example.com:port",
        "smtp://me@mail.example.com",
        "smtps://me:hush@mail.example.com/inbox",
        "smtps://me:hush@mail.example.com:0",
        "smtp+starttls://me:hush@[::1",
    ],
    "SUPPORT_EMAIL": ["support", "Support <support@example.com>", "mailto:support@example.com?subject=x"],
    "MAIL_FROM": ["Upbridge", "Upbridge <upbridge>x", "upbridge@", "a@example.com, b@example.com"],
    "OPERATOR_EMAIL": ["operator", "Operator <operator@example.com>", "me@exa mple.com", "ž@example.com"],
}

#: What has to be set beside a variable for it to mean anything.
BESIDE = {
    "SMTP_URL": {"MAIL_FROM": "upbridge@example.com"},
    "OPERATOR_EMAIL": {"SMTP_URL": "smtp://localhost", "MAIL_FROM": "upbridge@example.com"},
}


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from the machine that runs the tests."""
    for name in [name for name in os.environ if name.startswith("UPBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def set_(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"UPBRIDGE_{name}", value)


def complaints() -> dict[str, str]:
    """What is complained about, by name."""
    with pytest.raises(BadSettings) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    found = dict(line.removeprefix("UPBRIDGE_").split(": ", 1) for line in lines)
    assert len(found) == len(lines)
    return found


# --- good ---------------------------------------------------------------------------------------------------


def test_nothing_has_to_be_set_to_begin() -> None:
    settings = load_settings()

    assert settings.embedded
    assert settings.public_origin() == "http://localhost:8000"
    assert settings.signature_token is None
    assert settings.data_dir == Path("var")


@pytest.mark.parametrize(
    ("typed", "origin"),
    [
        ("https://Upbridge.Example.com/", "https://upbridge.example.com"),
        ("HTTPS://upbridge.example.com:443", "https://upbridge.example.com"),
        ("https://upbridge.example.com:8443", "https://upbridge.example.com:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_the_origin_is_the_one_that_browsers_name(typed: str, origin: str) -> None:
    assert Settings(_env_file=None, public_url=typed, allow_insecure=True).public_origin() == origin


def test_the_defaults_are_those_that_are_promised() -> None:
    settings = load_settings()

    assert settings.model_dump(exclude={"database_url", "data_dir", "public_url"}) == {
        "encryption_keys": (),
        "signature_token": None,
        "signature_key_url": "https://files.upgates.com/addons/signature/api.signature.pub.key",
        "signature_max_age": 900,
        "upgates_hosts": ("*.upgates.com",),
        "upp_url": "https://svc.upp.ai",
        "uphance_url": "https://api.uphance.com",
        "uphance_order_url": "https://app.uphance.com",
        "frame_ancestors": ("https://*.upgates.com",),
        "allow_insecure": False,
        "coalesce_seconds": 10,
        "second_look_seconds": None,
        "stock_poll_seconds": 900,
        "reconcile_hours": 24,
        "metrics_token": None,
        "support_email": None,
        "support_phone": None,
        "log_format": None,
        "log_level": "info",
        "revision": "unknown",
        "smtp_url": None,
        "mail_from": None,
        "operator_email": None,
    }


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Fernet.generate_key().decode()
    set_(monkeypatch, ENCRYPTION_KEYS=f" {KEY}, {other},", UPGATES_HOSTS="*.upgates.com,shop.example")

    settings = load_settings()

    assert settings.keys() == (KEY, other)
    assert settings.upgates_hosts == ("*.upgates.com", "shop.example")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_(monkeypatch, DATABASE_URL="", PUBLIC_URL="", SIGNATURE_TOKEN="", COALESCE_SECONDS="")

    settings = load_settings()

    assert settings.embedded
    assert settings.signature_token is None
    assert settings.coalesce_seconds == 10


def test_a_secret_is_read_without_the_blanks_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    set_(monkeypatch, **GIVEN, SIGNATURE_TOKEN=" hush-token\n", METRICS_TOKEN="  ")

    settings = load_settings()

    assert settings.signature_token is not None
    assert settings.signature_token.get_secret_value() == "hush-token"
    assert settings.metrics_token is None


def test_a_file_is_read_too_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("UPBRIDGE_COALESCE_SECONDS=3\nUPBRIDGE_RECONCILE_HOURS=5\nOTHER=1\n")
    set_(monkeypatch, COALESCE_SECONDS="4")

    settings = load_settings()

    assert (settings.coalesce_seconds, settings.reconcile_hours) == (4, 5)


def test_insecure_addresses_pass_where_they_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    set_(monkeypatch, ALLOW_INSECURE="1", UPP_URL="http://127.0.0.1:9", PUBLIC_URL="http://localhost:8000/")

    assert load_settings().public_origin() == "http://localhost:8000"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", MailServer(Security.NONE, "localhost", 25)),
        (
            "smtp://me:a%40b@mail.example.com:2525",
            MailServer(Security.NONE, "mail.example.com", 2525, "me", "a@b"),
        ),
        ("smtp+starttls://me:pw@[::1]/", MailServer(Security.STARTTLS, "::1", 587, "me", "pw")),
        ("smtps://me%40example.com:pw@mail", MailServer(Security.TLS, "mail", 465, "me@example.com", "pw")),
    ],
)
def test_the_mail_server_is_read_from_one_address(
    monkeypatch: pytest.MonkeyPatch, url: str, server: MailServer
) -> None:
    set_(monkeypatch, SMTP_URL=url, MAIL_FROM="Upbridge <upbridge@example.com>")

    settings = load_settings()

    assert settings.mail == server
    assert "pw" not in repr(settings)
    assert "pw" not in repr(settings.mail)


@pytest.mark.parametrize(
    ("given", "missing"), [({"SMTP_URL": "smtp://mail"}, "MAIL_FROM"), ({"OPERATOR_EMAIL": "a@b.cz"}, "SMTP_URL")]
)
def test_what_mail_needs_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    set_(monkeypatch, **given)

    assert "required with" in complaints()[missing]


def test_logs_are_for_machines_where_there_is_no_terminal() -> None:
    assert log_format(load_settings()) == ("console" if sys.stderr.isatty() else "json")
    assert log_format(Settings(_env_file=None, log_format="console")) == "console"


# --- wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    set_(monkeypatch, **{**GIVEN, **BESIDE.get(name, {}), name: value})

    found = complaints()

    assert list(found) == [name]
    message, _, example = found[name].partition(" (example: ")
    assert message
    assert example == f"{EXAMPLES[name.lower()]})"
    assert "hush" not in found[name]
    assert KEY not in found[name]


def test_every_setting_has_an_example() -> None:
    assert EXAMPLES.keys() == Settings.model_fields.keys()


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"encryption_keys"}))
def test_every_example_is_a_right_value(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_(monkeypatch, **{**GIVEN, **BESIDE.get(name.upper(), {}), name.upper(): EXAMPLES[name]})

    load_settings()


def test_every_wrong_value_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    set_(monkeypatch, **{name: values[0] for name, values in WRONG.items()})

    assert complaints().keys() == WRONG.keys()


def test_what_is_wrong_alone_and_what_is_missing_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    set_(monkeypatch, DATABASE_URL=GIVEN["DATABASE_URL"], LOG_FORMAT="xml", UPP_URL="svc.upp.ai")

    found = complaints()

    assert found.keys() == {"ENCRYPTION_KEYS", "PUBLIC_URL", "LOG_FORMAT", "UPP_URL"}
    assert found["PUBLIC_URL"].startswith("required with UPBRIDGE_DATABASE_URL")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None], ids=["not text", "a folder"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / ".env"
    path.mkdir() if content is None else path.write_bytes(content)

    try:
        load_settings()
    except BadSettings as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - a folder may be passed over as well


@given(
    name=st.sampled_from(sorted(EXAMPLES)), value=st.text(st.characters(codec="utf-8", exclude_characters="\0"))
)
def test_any_value_is_taken_or_complained_about(name: str, value: str) -> None:
    environment = {f"UPBRIDGE_{key}": item for key, item in {**GIVEN, name.upper(): value}.items()}
    with pytest.MonkeyPatch.context() as patch:
        for key, item in environment.items():
            patch.setenv(key, item)
        try:
            load_settings()
        except BadSettings as error:
            lines = str(error).splitlines()
            assert all(line.startswith("UPBRIDGE_") for line in lines)


# --- secrets ------------------------------------------------------------------------------------------------


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_(monkeypatch, **GIVEN, SIGNATURE_TOKEN="hush-token", METRICS_TOKEN="hush-metrics")
    settings = load_settings()

    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hush" not in shown
        assert KEY not in shown


# --- the key of an embedded database ------------------------------------------------------------------------


def test_a_key_is_made_once_and_kept_to_ourselves(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path / "var")

    first = settings.keys()

    assert settings.keys() == first
    path = tmp_path / "var" / "encryption.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["encryption.key"]
    Fernet(first[0])


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from upbridge.settings import _development_key as make\n"
        "sys.stdin.readline(); print(make(Path(sys.argv[1])))"
    )
    path = tmp_path / "var" / "encryption.key"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in started:  # all of them are waiting at the same line
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    keys = {process.communicate(timeout=30)[0].strip() for process in started}

    assert keys == {path.read_text().strip()}
