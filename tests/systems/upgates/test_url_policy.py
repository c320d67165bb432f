import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.core.errors import BadRequest
from upbridge.systems.upgates.url_policy import HostPolicy, check_api_url

HOSTS = ("*.upgates.com",)
GOOD = "https://shop.admin.s24.upgates.com/api/v2"


def passes(url: str, *, hosts: tuple[str, ...] = HOSTS, allow_insecure: bool = False) -> bool:
    try:
        check_api_url(url, hosts=hosts, allow_insecure=allow_insecure)
    except BadRequest:
        return False
    return True


@pytest.mark.parametrize(
    "written",
    [
        GOOD,
        f"{GOOD}/",
        "https://shop.admin.s24.upgates.com:443/api/v2",
        "HTTPS://Shop.Admin.S24.Upgates.Com/api/v2",
    ],
)
def test_an_address_at_upgates_passes_and_is_normalised(written: str) -> None:
    assert check_api_url(written, hosts=HOSTS, allow_insecure=False) == GOOD


@pytest.mark.rule("R55")
@pytest.mark.parametrize("insecure", [False, True])
@pytest.mark.parametrize(
    "written",
    [
        pytest.param("", id="nothing"),
        pytest.param("shop.upgates.com/api/v2", id="no scheme"),
        pytest.param("ftp://shop.upgates.com/api/v2", id="another scheme"),
        pytest.param("https:shop.upgates.com/api/v2", id="no slashes"),
        pytest.param("https:///api/v2", id="no host"),
        pytest.param("https://upgates.com/api/v2", id="the domain itself"),
        pytest.param("https://shop.upgates.com.evil.cz/api/v2", id="another domain behind"),
        pytest.param("https://evilupgates.com/api/v2", id="another domain that ends alike"),
        pytest.param("https://.upgates.com/api/v2", id="an empty label"),
        pytest.param("https://shop..upgates.com/api/v2", id="an empty label within"),
        pytest.param("https://shop.upgates.com./api/v2", id="a dot at the end"),
        pytest.param("https://user:pass@shop.upgates.com/api/v2", id="credentials"),
        pytest.param("https://@shop.upgates.com/api/v2", id="empty credentials"),
        pytest.param("https://evil.cz#@shop.upgates.com/api/v2", id="a fragment as host"),
        pytest.param("https://evil.cz\\@shop.upgates.com/api/v2", id="a backslash"),
        pytest.param("https://evil.cz?.upgates.com/api/v2", id="a query as host"),
        pytest.param("https://shop.upgates.com/api/v2?x=1", id="a query"),
        pytest.param("https://shop.upgates.com/api/v2?", id="an empty query"),
        pytest.param("https://shop.upgates.com/api/v2#", id="an empty fragment"),
        pytest.param("https://shop.upgates.com/api/v1", id="another path"),
        pytest.param("https://shop.upgates.com/x/api/v2", id="a longer path"),
        pytest.param("https://shop.upgates.com/api/v2/orders", id="a deeper path"),
        pytest.param("https://shop.upgates.com/api/../api/v2", id="a detour"),
        pytest.param("https://shop.upgates.com/%61pi/v2", id="an encoded path"),
        pytest.param("https://shop.upgates.com//api/v2", id="two slashes"),
        pytest.param("https://shop.upgates.com/api/v2//", id="two slashes at the end"),
        pytest.param("https://shop.upgates.com:0/api/v2", id="port 0"),
        pytest.param("https://shop.upgates.com:99999/api/v2", id="no port"),
        pytest.param("https://shop.upgates.com:port/api/v2", id="letters for a port"),
        pytest.param("https://10.0.0.1/api/v2", id="a private address"),
        pytest.param("https://8.8.8.8/api/v2", id="a public address"),
        pytest.param("https://169.254.169.254/api/v2", id="the cloud's own"),
        pytest.param("https://[fe80::1]/api/v2", id="link-local IPv6"),
        pytest.param("https://[::ffff:10.0.0.1]/api/v2", id="mapped IPv4"),
        pytest.param("https://2130706433/api/v2", id="an address as one number"),
        pytest.param("https://0x7f.1/api/v2", id="an address in hex"),
        pytest.param("https://10.1/api/v2", id="a short address"),
        pytest.param("https://shop.upgates.com\n.evil.cz/api/v2", id="a line break"),
        pytest.param(" https://shop.upgates.com/api/v2", id="a blank before"),
        pytest.param("https://shop.upgates.com/api/v2\n", id="a line break behind"),
        pytest.param("https://sh\u00f6p.upgates.com/api/v2", id="a letter that is not ASCII"),
        pytest.param("https://shop\u3002upgates.com/api/v2", id="a full stop that is none"),
        pytest.param("https://shop_1.upgates.com/api/v2", id="an underscore"),
        pytest.param(f"https://{'a' * 64}.upgates.com/api/v2", id="a label too long"),
        pytest.param(f"https://{'a.' * 200}upgates.com/api/v2", id="an address too long"),
    ],
)
def test_anything_else_is_refused(written: str, insecure: bool) -> None:
    assert not passes(written, allow_insecure=insecure)


class TestInsecure:
    @pytest.mark.parametrize(
        "written",
        [
            "http://shop.upgates.com/api/v2",
            "https://shop.upgates.com:8443/api/v2",
            "http://127.0.0.1:9000/api/v2",
            "http://localhost:9000/api/v2",
            "http://shop.localhost:9000/api/v2",
            "http://[::1]:9000/api/v2",
        ],
    )
    def test_http_ports_and_this_machine_pass_for_sandbox_and_tests_only(self, written: str) -> None:
        assert passes(written, allow_insecure=True)
        assert not passes(written)

    def test_the_port_stays(self) -> None:
        assert (
            check_api_url("http://[::1]:9000/api/v2/", hosts=(), allow_insecure=True) == "http://[::1]:9000/api/v2"
        )


class TestPatterns:
    def test_a_host_without_a_star_is_meant_exactly(self) -> None:
        assert passes("https://api.example.cz/api/v2", hosts=("API.example.cz",))
        assert not passes("https://x.api.example.cz/api/v2", hosts=("api.example.cz",))

    def test_a_star_stands_for_one_or_more_labels(self) -> None:
        assert passes("https://a.example.cz/api/v2", hosts=("*.example.cz",))
        assert passes("https://a.b.c.example.cz/api/v2", hosts=("*.example.cz",))

    def test_this_machine_is_refused_even_if_it_is_named(self) -> None:
        assert not passes("https://localhost/api/v2", hosts=("localhost",))


@given(st.text(alphabet=string.printable + "\u2044\u3002\ufe6b", max_size=40), st.text(max_size=10))
def test_every_address_that_passes_is_https_at_upgates_and_nothing_else(host: str, tail: str) -> None:
    for written in (f"https://{host}/api/v2{tail}", f"https://{host}.upgates.com/api/v2{tail}", host):
        try:
            checked = check_api_url(written, hosts=HOSTS, allow_insecure=False)
        except BadRequest:
            continue
        assert checked.startswith("https://")
        assert checked.endswith(".upgates.com/api/v2")
        assert set(checked) <= set(string.ascii_lowercase + string.digits + ":/.-")
        assert check_api_url(checked, hosts=HOSTS, allow_insecure=False) == checked


@given(st.ip_addresses())
def test_no_ip_address_ever_passes(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    shown = f"[{address}]" if address.version == 6 else str(address)

    assert not passes(f"https://{shown}/api/v2", hosts=(str(address), shown, "*"))


def test_a_complaint_does_not_repeat_the_address() -> None:
    with pytest.raises(BadRequest) as complaint:
        HostPolicy().check("https://user:hunter2@shop.upgates.com/api/v2")

    assert "hunter2" not in str(complaint.value)
