"""Webhooks go to the public internet only, however an internal address is written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.webhook_target import TargetRefusedError, check_address, parse_target

INTERNAL = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "0.0.0.0/8",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "198.18.0.0/15",
]
internal_ipv4 = st.sampled_from(INTERNAL).flatmap(
    lambda network: st.ip_addresses(v=4, network=IPv4Network(network))
)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://hooks.example.com/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://127.0.0.1",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://127.0.0.1./",
        "https://10.0.0.5/",
        "https://1.1.1/",
        "https://1.1.1.1.1/",
        "https://example.0x7f/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:10.0.0.5]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[::7f00:1]/",
        "https://[64:ff9b::a00:5]/",
        "https://[64:ff9b:1::1]/",
        "https://[2002:a00:5::1]/",
        "https://[2001:0:1::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
        "https://[fd12::1]/",
        "https://[ff02::1]/",
        "https://[2001:db8::1]/",
        "https://localhost/",
        "https://localhost./",
        "https://LOCALHOST/",
        "https://a.localhost/",
        "https://printer.local/",
        "https://ip-10-0-0-5.eu-central-1.compute.internal/",
        "https://intranet/",
        "https://router.home.arpa/",
        "https://user@hooks.example.com/",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/a\\b",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        "https://hooks example.com/",
        "https://hooks.example.com/\r\nX: y",
        "https://höks.example.com/",
        "https://①②⑦.0.0.1/",
        "https:///path",
        "https://[::1",
        "https://..example.com/",
        "https://-.example.com/",
        "//hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "ftp://hooks.example.com/",
        "",
        "https://" + "a" * 64 + ".example.com/",
        "https://hooks.example.com/" + "x" * 2048,
    ],
)
def test_x3_a_url_that_leads_inside_or_could_be_read_twice_is_refused(url: str) -> None:
    with pytest.raises(TargetRefusedError):
        parse_target(url, local=False)


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://Hooks.Example.com./a?b=c", "hooks.example.com", 443, "/a?b=c", None),
        (
            "https://hooks.example.com:8443/a",
            "hooks.example.com",
            8443,
            "/a",
            "hooks.example.com:8443",
        ),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443, "/", "[2606:4700::1111]"),
        ("https://xn--hks-sna.example/", "xn--hks-sna.example", 443, "/", None),
    ],
)
def test_a_public_url_is_taken_apart(
    url: str, host: str, port: int, path: str, authority: str | None
) -> None:
    target = parse_target(url, local=False)
    assert (target.host, target.port, target.path) == (host, port, path)
    if authority is not None:
        assert target.authority == authority


@given(internal_ipv4)
def test_no_internal_ipv4_address_passes_in_any_notation(address: IPv4Address) -> None:
    number, octets = int(address), address.packed
    written = [
        str(address),
        f"{address}.",
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(hex(o) for o in octets),
        ".".join(f"0{o:o}" for o in octets),
        f"{octets[0]}.{number & 0xFFFFFF}",
        f"[::ffff:{address}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[{IPv6Address((0x2002 << 112) | (number << 80) | 1)}]",
    ]
    for host in written:
        with pytest.raises(TargetRefusedError):
            parse_target(f"https://{host}/", local=False)


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_global_unicast_passes(address: IPv6Address) -> None:
    try:
        check_address(str(address), local=False)
    except TargetRefusedError:
        return
    assert address in IPv6Network("2000::/3")
    assert address.is_global
    assert address.sixtofour is None
    assert address.teredo is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_passes_only_if_it_is_a_public_host(address: IPv4Address) -> None:
    try:
        check_address(str(address), local=False)
    except TargetRefusedError:
        return
    assert address.is_global
    assert not address.is_multicast


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/", "http://localhost:9000/", "https://[::1]:9000/"]
)
def test_the_local_stack_may_call_this_machine(url: str) -> None:
    target = parse_target(url, local=True)
    assert (target.port, target.authority) == (9000, url.split("/")[2])


def test_a_host_is_named_without_the_port_that_goes_without_saying() -> None:
    for url, authority in (
        ("http://localhost:80/", "localhost"),
        ("http://localhost:443/", "localhost:443"),
        ("https://localhost:80/", "localhost:80"),
        ("https://localhost:443/", "localhost"),
    ):
        assert parse_target(url, local=True).authority == authority


@pytest.mark.parametrize(
    "url", ["http://10.0.0.5/", "http://169.254.169.254/", "http://nas.local/"]
)
def test_but_nothing_else_inside(url: str) -> None:
    with pytest.raises(TargetRefusedError):
        parse_target(url, local=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "It must be an absolute https URL of visible ASCII characters."),
        ("https://a.example/ b", "It must be an absolute https URL of visible ASCII characters."),
        ("x", "It must be an absolute https URL."),
        ("https://[::1/", "It must be an absolute https URL."),
        ("http://hooks.example.com/", "It must be an absolute https URL."),
        ("https://a:b@hooks.example.com/", "It must not have a user name or password."),
        ("https://hooks.example.com/#x", "It must not have a fragment."),
        ("https://hooks.example.com:80/", "Its port must be 443, or 1024 or above."),
        ("https://hooks.example.com:1023/", "Its port must be 443, or 1024 or above."),
        ("https://127.1/", "An address must be written as four decimal numbers."),
        ("https://hooks/", "Its host must be a full name, such as hooks.example.com."),
        ("https://10.0.0.5/", "Its host is not on the public internet."),
        ("https://a.internal/", "Its host is not on the public internet."),
    ],
)
def test_its_owner_is_told_what_is_wrong_with_it(url: str, message: str) -> None:
    with pytest.raises(TargetRefusedError) as refused:
        parse_target(url, local=False)
    assert str(refused.value) == message


def test_what_is_no_address_says_so() -> None:
    with pytest.raises(TargetRefusedError) as refused:
        check_address("hooks.example.com", local=False)
    assert str(refused.value) == "Its host has no valid address."


def test_the_limits_themselves_are_allowed() -> None:
    for port in (1024, 65535):
        assert parse_target(f"https://hooks.example.com:{port}/", local=False).port == port
    longest = "https://hooks.example.com/" + "x" * (2048 - 26)
    assert parse_target(longest, local=False).path == "/" + "x" * (2048 - 26)
    with pytest.raises(TargetRefusedError):
        parse_target(f"{longest}x", local=False)
    name = ".".join(["a" * 62] * 4)[:249] + ".com"
    assert len(name) == 253
    assert parse_target(f"https://{name}/", local=False).host == name
    with pytest.raises(TargetRefusedError):
        parse_target(f"https://a{name}/", local=False)
    assert parse_target("http://localhost/", local=True).port == 80
