"""Which addresses webhooks may be sent to: public ones only, however an internal one is written.

Callers choose these URLs and our function calls them, so a URL is checked when it is registered,
and every address that its name resolves to is checked again when it is called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

LONGEST_URL: Final = 2048

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}", re.ASCII)
_NUMBER: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.ASCII)
"""A last label that browsers and resolvers read as part of an IPv4 address, in any base."""
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_INTERNAL_ZONES: Final = ("localhost", "local", "internal", "intranet", "home.arpa", "lan")

# Where the world's hosts are; all else of IPv6 is local, reserved or a disguise of IPv4.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NOT_PUBLIC: Final = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocols; some clouds' metadata, which older Pythons take for public
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocols, among them Teredo, which embeds IPv4
        "2001:db8::/32",
        "2002::/16",  # 6to4, which embeds IPv4
        "3fff::/20",
    )
)


class TargetRefusedError(Exception):
    """A URL or address that webhooks must not be sent to; the message is fit for its owner."""


@dataclass(frozen=True)
class Target:
    """Where a webhook goes; ``host`` is a name in lower case or an IP address."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return host if usual else f"{host}:{self.port}"


def parse_target(url: str, *, local: bool) -> Target:
    """The parts of a URL that may be called; its name is yet to be resolved.

    ``local`` also lets through http and this machine, for development. Raises TargetRefusedError.
    """
    if len(url) > LONGEST_URL or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise TargetRefusedError("It must be an absolute https URL of visible ASCII characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise TargetRefusedError("It must be an absolute https URL.") from None
    if parts.scheme not in ({"https", "http"} if local else {"https"}) or not parts.hostname:
        raise TargetRefusedError("It must be an absolute https URL.")
    if "@" in parts.netloc:
        raise TargetRefusedError("It must not have a user name or password.")
    if "#" in url:
        raise TargetRefusedError("It must not have a fragment.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if not local and port != 443 and port < 1024:
        raise TargetRefusedError("Its port must be 443, or 1024 or above.")
    host = _host(parts.hostname, local=local)
    path = parts.path or "/"
    return Target(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path)


def check_address(address: str, *, local: bool) -> None:
    """Raises TargetRefusedError for an IP address that isn't a host on the public internet."""
    try:
        found = ip_address(address)
    except ValueError:
        raise TargetRefusedError("Its host has no valid address.") from None
    if local and found.is_loopback:
        return
    if not _public(found):
        raise TargetRefusedError("Its host is not on the public internet.")


def _host(host: str, *, local: bool) -> str:
    if ":" in host or _is_ipv4(host):
        check_address(host, local=local)
        return host
    name = host.removesuffix(".")
    if local and name == "localhost":
        return name
    # What isn't written as an address but would be read as one: 2130706433, 0x7f.1, 127.1.
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise TargetRefusedError("An address must be written as four decimal numbers.")
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise TargetRefusedError("Its host must be a full name, such as hooks.example.com.")
    if any(name == zone or name.endswith(f".{zone}") for zone in _INTERNAL_ZONES):
        raise TargetRefusedError("Its host is not on the public internet.")
    return name


def _is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def _public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        # Embedded IPv4 (mapped, compatible, NAT64) lies outside; a zone names a local interface.
        if address.scope_id is not None or address not in _GLOBAL_UNICAST:
            return False
    elif address.is_multicast or address.is_reserved:
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)
