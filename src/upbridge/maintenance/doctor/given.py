"""The doctor's look at the settings: complete, spelled right, and no placeholder of the example among them."""

import shutil
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from upbridge.maintenance.doctor.finding import Finding
from upbridge.settings import EXAMPLES, PREFIX, Settings

#: Names that no machine has, kept for documents (RFC 2606).
_NOWHERE = ("example.com", "example.org", "example.net")
#: Settings whose example is a sentence or a password that others know.
_SECRET = ("encryption_keys", "signature_token", "metrics_token", "database_url")
_GIGABYTE = 1e9
_LEAST, _LITTLE = 0.1 * _GIGABYTE, _GIGABYTE
_NAMES = [name.upper() for name in Settings.model_fields]
_KNOWN = {PREFIX + name for name in _NAMES}


def look_at_settings(settings: Settings, given: Mapping[str, str]) -> list[Finding]:
    """What is right and wrong with the settings; *given* are the variables as they stand in the environment."""
    complaints = [*_unknown(given), *_placeholders(given)]
    findings = complaints or [Finding("settings", "ok", "complete")]
    if settings.signature_token is None:
        findings.append(
            Finding("signature token", "bad", "set UPBRIDGE_SIGNATURE_TOKEN: signed calls are answered 503")
        )
    else:
        findings.append(Finding("signature token", "ok", "set"))
    origin = settings.public_origin()
    if settings.public_url is None:
        findings.append(
            Finding("public url", "warn", f"{origin} is for this machine only; set UPBRIDGE_PUBLIC_URL")
        )
    elif origin.startswith("http://"):
        findings.append(Finding("public url", "warn", f"{origin} is not https: for sandbox and tests only"))
    else:
        findings.append(Finding("public url", "ok", origin))
    if settings.support_email is None and settings.support_phone is None:
        told = "set UPBRIDGE_SUPPORT_EMAIL or UPBRIDGE_SUPPORT_PHONE: pages and mails lead merchants to support"
        findings.append(Finding("support", "warn", told))
    if settings.allow_insecure:
        findings.append(Finding("insecure", "warn", "UPBRIDGE_ALLOW_INSECURE=1: for sandbox and tests only"))
    if settings.embedded:
        findings.append(_own_disk(settings.data_dir))
    return findings


def _unknown(given: Mapping[str, str]) -> Iterable[Finding]:
    """A variable that no setting reads: a slip of the pen changes nothing, and says nothing."""
    for name in sorted(given):
        if name.upper() not in _KNOWN:
            near = get_close_matches(name.upper().removeprefix(PREFIX), _NAMES, n=1)
            meant = f"; {PREFIX}{near[0]} is meant?" if near else ": take it out"
            yield Finding("settings", "bad", f"{name} is no setting and is not read{meant}")


def _placeholders(given: Mapping[str, str]) -> Iterable[Finding]:
    """A value that was copied from an example and not filled in."""
    for name, value in sorted(given.items()):
        setting = name.upper().removeprefix(PREFIX).lower()
        if value and (_names_nowhere(value) or (setting in _SECRET and value == EXAMPLES[setting])):
            yield Finding("settings", "bad", f"{name} is the placeholder of an example: fill in your own")


def _names_nowhere(value: str) -> bool:
    host = urlsplit(value).hostname if "://" in value else value.rpartition("@")[2]
    return any(host == one or (host or "").endswith(f".{one}") for one in _NOWHERE)


def _own_disk(folder: Path) -> Finding:
    """The disk of the embedded database, which is this machine's."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    usage = shutil.disk_usage(there)
    free = f"{usage.free / _GIGABYTE:.1f} of {usage.total / _GIGABYTE:.0f} GB are free under {folder}"
    if usage.free < _LEAST:
        return Finding("space", "bad", f"{free}: free some, or no webhook can be stored")
    return Finding("space", "warn" if usage.free < _LITTLE else "ok", free)
