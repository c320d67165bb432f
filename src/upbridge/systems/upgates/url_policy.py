"""Where a shop's API may live: the check of every `apiUrl`, from an install and from a 301 alike. Pure.

Our server sends credentials to this address, so only known hosts of Upgates pass (`UPBRIDGE_UPGATES_HOSTS`).
Names are checked, not the IP addresses behind them: Upgates controls every name below upgates.com.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from upbridge.core.errors import BadRequest

API_PATH = "/api/v2"

#: The label of hosts that are a shop's admin: `shop.admin.server.upgates.com`.
_ADMIN = "admin"

_HTTPS_PORT = 443
_LONGEST = 300
_ALLOWED = re.compile(r"[A-Za-z0-9:/.\[\]_-]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """Which addresses are Upgates': the settings `UPGATES_HOSTS` and `ALLOW_INSECURE`."""

    hosts: tuple[str, ...] = ("*.upgates.com",)
    allow_insecure: bool = False

    def check(self, url: str) -> str:
        """`check_api_url` under this policy."""
        return check_api_url(url, hosts=self.hosts, allow_insecure=self.allow_insecure)


def check_api_url(url: str, *, hosts: Sequence[str], allow_insecure: bool) -> str:
    """The address of a shop's API, normalised: lower-case host, no default port, no slash at the end.

    Passes: https, path `/api/v2`, port 443, a host that one of *hosts* names (`*.` stands for one or more
    labels), never an IP address or a name of this machine, no credentials, query or fragment.
    *allow_insecure*, for sandbox and tests: http, any port, and this machine's own addresses pass too. Raises
    `BadRequest` with the rule that is broken; the address itself is not repeated.
    """
    if len(url) > _LONGEST or not _ALLOWED.fullmatch(url):
        # before any parsing: parsers disagree about blanks, backslashes, @, ?, # and non-ASCII letters
        raise BadRequest("the API address holds characters that no API address has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadRequest("the API address is not an address") from None
    _check_scheme_and_port(parts, port, allow_insecure=allow_insecure)
    if parts.path.removesuffix("/") != API_PATH:
        raise BadRequest(f"the path of the API address is not {API_PATH}")
    host = parts.hostname or ""
    literal = _address(host)
    own = literal.is_loopback if literal else host == "localhost" or host.endswith(".localhost")
    if own and not allow_insecure:
        raise BadRequest("the API address is this machine's own")
    if literal and not own:
        raise BadRequest("the API address is an IP address")
    if not literal and not _is_name(host):
        raise BadRequest("the host of the API address is not a host name")
    if not own and not any(_matches(host, pattern.lower()) for pattern in hosts):
        raise BadRequest("the API address is not at Upgates")
    shown = f"[{host}]" if literal and literal.version == 6 else host  # noqa: PLR2004 - IPv6
    default = {"https": _HTTPS_PORT, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{shown}{'' if port in (None, default) else f':{port}'}{API_PATH}"


def _check_scheme_and_port(parts: SplitResult, port: int | None, *, allow_insecure: bool) -> None:
    if parts.scheme not in ({"https", "http"} if allow_insecure else {"https"}):
        raise BadRequest("the API address is not https")
    if port == 0 or (port not in (None, _HTTPS_PORT) and not allow_insecure):
        raise BadRequest("the API address has a port of its own")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """Whether *host* is a name of labels whose last one cannot be read as a number (`127.1`, `0x7f000001`)."""
    labels = host.split(".")
    return all(_LABEL.fullmatch(label) for label in labels) and not _NUMBER.fullmatch(labels[-1])


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def admin_url(api_url: str) -> str | None:
    """Where the shop's admin is. Assumption: at the host of its API, where that is named as admins are; None
    elsewhere."""
    host = urlsplit(api_url).hostname or ""
    return f"https://{host}/" if _ADMIN in host.split(".")[1:] else None


def product_url(api_url: str, product_id: int) -> str | None:
    """Where the shop's admin shows a product. Assumption: as the addresses that the API gives of products
    (`admin_url`) are built; None where the admin is not known."""
    admin = admin_url(api_url)
    return None if admin is None else f"{admin}manager/products/main/default/{product_id}"
