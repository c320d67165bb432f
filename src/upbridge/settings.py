"""The service's settings: read once at start from `UPBRIDGE_*` and `.env`, checked, then passed in.

A wrong or missing value ends the start with one line per variable (`BadSettings`), never with a traceback.
`docs/settings.md` has a line for each field; a test compares the two.
"""

import contextlib
import logging
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from upbridge.core.errors import BadSettings
from upbridge.domain.mail import MailServer, NoAddress, email_address, mail_server, sender

PREFIX = "UPBRIDGE_"
DEFAULT_PORT = 8000
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}

#: A hundred years: an operator may say "never" with it, and a date can still be computed.
_LONGEST_HOURS = 876_600
_LONGEST_SECONDS = _LONGEST_HOURS * 3600
#: Signatures are remembered for three days, and a `time` may lie one ahead: an older one could be used again.
_LONGEST_AGE = 2 * 24 * 3600
_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.IGNORECASE)
_FRAME_SOURCE = re.compile(
    rf"'self'|(?:(?P<scheme>https?)://)?(?:{_HOST.pattern})(?::(?:\d{{1,5}}|\*))?/?", re.IGNORECASE
)

#: An example for each variable that has a shape to get wrong; shown beside the complaint.
EXAMPLES: Mapping[str, str] = {
    "database_url": "postgresql://upbridge:secret@localhost:5432/upbridge",
    "public_url": "https://upbridge.example.com",
    "encryption_keys": "the output of: openssl rand -base64 32 | tr '+/' '-_'",
    "signature_token": "the Signature Token from Marketplace / Add-on development",
    "signature_key_url": "https://files.upgates.com/addons/signature/api.signature.pub.key",
    "signature_max_age": "900",
    "upgates_hosts": "*.upgates.com",
    "upp_url": "https://svc.upp.ai",
    "uphance_url": "https://api.uphance.com",
    "uphance_order_url": "https://app.uphance.com",
    "frame_ancestors": "https://*.upgates.com",
    "allow_insecure": "0",
    "coalesce_seconds": "10",
    "second_look_seconds": "120",
    "stock_poll_seconds": "900",
    "reconcile_hours": "24",
    "log_format": "json",
    "log_level": "info",
    "revision": "the commit that was built",
    "data_dir": "./var",
    "metrics_token": "a long random string",
    "support_email": "support@example.com",
    "support_phone": "+420 123 456 789",
    "smtp_url": "smtp+starttls://user:password@mail.example.com:587",
    "mail_from": "Upbridge <upbridge@example.com>",
    "operator_email": "operator@example.com",
}


def _split(value: Any) -> Any:
    """Comma separated text becomes a tuple; pydantic says no to anything else."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def is_loopback(host: str | None) -> bool:
    """Whether *host* names this machine itself."""
    return host in {"localhost", "127.0.0.1", "::1"} or bool(host and host.endswith(".localhost"))


class Settings(BaseSettings):
    """Every setting of the service; `docs/settings.md` explains each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_url: SecretStr | None = None
    data_dir: Path = Path("./var")
    public_url: str | None = None
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    signature_token: SecretStr | None = None
    signature_key_url: str = "https://files.upgates.com/addons/signature/api.signature.pub.key"
    signature_max_age: int = Field(default=900, ge=1, le=_LONGEST_AGE)
    upgates_hosts: Annotated[tuple[str, ...], NoDecode] = ("*.upgates.com",)
    upp_url: str = "https://svc.upp.ai"
    uphance_url: str = "https://api.uphance.com"
    uphance_order_url: str = "https://app.uphance.com"
    frame_ancestors: Annotated[tuple[str, ...], NoDecode] = ("https://*.upgates.com",)
    allow_insecure: bool = False
    coalesce_seconds: float = Field(default=10, ge=0, le=_LONGEST_SECONDS)
    second_look_seconds: float | None = Field(default=None, ge=0, le=_LONGEST_SECONDS)
    stock_poll_seconds: float = Field(default=900, gt=0, le=_LONGEST_SECONDS)
    reconcile_hours: float = Field(default=24, gt=0, le=_LONGEST_HOURS)
    metrics_token: SecretStr | None = None
    support_email: str | None = None
    support_phone: str | None = None
    log_format: Literal["console", "json"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    revision: str = "unknown"
    smtp_url: SecretStr | None = None
    mail_from: str | None = None
    operator_email: str | None = None

    @field_validator("encryption_keys", "upgates_hosts", "frame_ancestors", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("signature_token", "metrics_token", mode="before")
    @classmethod
    def _pasted(cls, value: Any) -> Any:
        """Without the blanks that copying brings along: no caller sends them, and they alone are no secret."""
        return value.strip() or None if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("encryption_keys")
    @classmethod
    def _fernet_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for position, key in enumerate(keys, start=1):
            try:
                Fernet(key.get_secret_value())
            except ValueError:
                raise ValueError(f"key {position} is not url-safe base64 of 32 bytes") from None
        return keys

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and urlsplit(url.get_secret_value()).scheme not in {"postgresql", "postgres"}:
            raise ValueError("only postgresql:// is supported")
        try:
            make_url(url.get_secret_value() if url is not None else "postgresql://")
        except (ArgumentError, ValueError):
            raise ValueError("not the address of a database") from None
        return url

    @field_validator("upgates_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not hosts:
            raise ValueError("names no host: no shop could activate the add-on")
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} is neither a host name nor *. and one")
        return hosts

    @field_validator("frame_ancestors")
    @classmethod
    def _frame_sources(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if not sources:
            raise ValueError("names no origin: the admin could not show the pages")
        for source in sources:
            if not _FRAME_SOURCE.fullmatch(source):
                raise ValueError(
                    f"{source!r} is not the origin of an admin: https:// and a host, with *. before it"
                )
        return sources

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            mail_server(url.get_secret_value())
        return url

    @field_validator("mail_from", "operator_email", "support_email")
    @classmethod
    def _address(cls, text: str | None, info: ValidationInfo) -> str | None:
        try:
            if text is not None:
                return str(sender(text)) if info.field_name == "mail_from" else email_address(text)
        except NoAddress as wrong:
            raise ValueError(f"{text!r} is not {wrong}") from None
        return None

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        complaints = [
            f"{name}: {wrong}"
            for name in ("public_url", "signature_key_url", "upp_url", "uphance_url", "uphance_order_url")
            if (wrong := self._wrong_with(getattr(self, name)))
        ]
        if self.public_url is not None and not self._wrong_with(self.public_url):
            parts = urlsplit(self.public_url)
            if parts.path not in {"", "/"} or parts.query or parts.fragment:
                complaints.append("public_url: must end after the host: paths are added to it")
        if not self.allow_insecure and any(one.lower().startswith("http:") for one in self.frame_ancestors):
            complaints.append(
                "frame_ancestors: must be https (UPBRIDGE_ALLOW_INSECURE=1 is for sandbox and tests)"
            )
        if self.database_url is not None and not self.encryption_keys:
            complaints.append("encryption_keys: required with UPBRIDGE_DATABASE_URL")
        if self.database_url is not None and self.public_url is None:
            complaints.append("public_url: required with UPBRIDGE_DATABASE_URL")
        if self.smtp_url is not None and self.mail_from is None:
            complaints.append("mail_from: required with UPBRIDGE_SMTP_URL")
        if self.operator_email is not None and self.smtp_url is None:
            complaints.append("smtp_url: required with UPBRIDGE_OPERATOR_EMAIL")
        if complaints:
            raise ValueError("\n".join(complaints))
        return self

    def _wrong_with(self, url: str | None) -> str | None:
        """What is wrong with the address of a system; None if nothing is."""
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:  # brackets that do not close, a port that is no number
            good = False
        if not good:
            return "not an absolute http(s) address"
        if parts.username or parts.password:
            return "must not hold credentials"
        if parts.scheme == "http" and not self.allow_insecure:
            return "must be https (UPBRIDGE_ALLOW_INSECURE=1 is for sandbox and tests)"
        return None

    @property
    def mail(self) -> MailServer | None:
        """The server that takes mails; None where none are sent."""
        return None if self.smtp_url is None else mail_server(self.smtp_url.get_secret_value())

    @property
    def embedded(self) -> bool:
        """Whether the service brings its own Postgres."""
        return self.database_url is None

    def given_database(self) -> str:
        """The address of the configured database; raises `BadSettings` where there is none."""
        if self.database_url is None:
            raise BadSettings(f"{PREFIX}DATABASE_URL: not set (example: {EXAMPLES['database_url']})")
        return self.database_url.get_secret_value()

    def public_origin(self, port: int | None = None) -> str:
        """The origin that Upgates and browsers reach, as a browser writes it: forms are compared with it.

        Where none is set: this machine at *port*, or at the port where the web side last listened, so that every
        process of a development machine says the same (`remember_port`).
        """
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
            return f"{parts.scheme}://{host}"
        return f"http://localhost:{port or self._remembered_port()}"

    def remember_port(self, port: int) -> None:
        """Tell other processes with this data directory where the web side listens."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "port").write_text(str(port))

    def _remembered_port(self) -> int:
        try:
            return int((self.data_dir / "port").read_text())
        except (FileNotFoundError, ValueError):
            return DEFAULT_PORT

    def keys(self) -> tuple[str, ...]:
        """The encryption keys, newest first; with an embedded database made once under `data_dir`."""
        if self.encryption_keys:
            return tuple(key.get_secret_value() for key in self.encryption_keys)
        return (_development_key(self.data_dir / "encryption.key"),)


def _development_key(path: Path) -> str:
    """Read the key at *path*, or make it; a second process reads what the first one made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fresh.touch(mode=0o600)
    try:
        fresh.write_text(Fernet.generate_key().decode())
        with contextlib.suppress(FileExistsError):  # made by another process, or by an earlier start
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return path.read_text().strip()


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; raises `BadSettings` with one line per wrong variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        complaints = _complaints(error)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f".env: cannot be read ({type(error).__name__})") from None
    if complaints:  # again with defaults for the wrong fields: cross-field errors are reported as well
        try:
            Settings(**{**overrides, **{name: Settings.model_fields[name].default for name, _ in complaints}})
        except ValidationError as error:
            known = {name for name, _ in complaints}
            complaints |= {(name, message) for name, message in _complaints(error) if name not in known}
    raise BadSettings("\n".join(sorted(_line(name, message) for name, message in complaints)))


def _complaints(error: ValidationError) -> set[tuple[str, str]]:
    """Name of the setting, and what is wrong with it."""
    found = set()
    for item in error.errors():
        message = str(item["msg"]).removeprefix("Value error, ")
        if item["loc"]:
            found.add((str(item["loc"][0]).lower().removeprefix(PREFIX.lower()), message))
            continue
        for line in message.splitlines():
            name, _, wrong = line.partition(": ")
            found.add((name, wrong))
    return found


def _line(name: str, message: str) -> str:
    example = EXAMPLES.get(name)
    line = f"{PREFIX}{name.upper()}: {message}"
    return f"{line} (example: {example})" if example else line


def log_format(settings: Settings) -> Literal["console", "json"]:
    """How to write logs: for a person on a terminal, for a machine elsewhere."""
    return settings.log_format or ("console" if sys.stderr.isatty() else "json")


def log_level(settings: Settings, *, least: int = logging.DEBUG) -> int:
    """From which level on to log; a command that says its result itself names the *least* that it logs."""
    return max(least, logging.getLevelNamesMapping()[settings.log_level.upper()])


def given_variables() -> dict[str, str]:
    """The variables with our prefix as they stand in `.env` and in the environment, which wins; known or not."""
    found = {**dotenv_values(".env"), **os.environ}
    return {name: value for name, value in found.items() if name.upper().startswith(PREFIX) and value is not None}
