"""Addresses of databases, taken apart so that no message shows a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from unmask.errors import UsageError

_USER = re.compile(r"(?:[^\s@/?#\[\]%]|%[0-9A-Fa-f]{2})*")
"""A user with a password as addresses have them: nothing that ends this part."""
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\],]*)(?::\d*)?"
_HOSTS = re.compile(f"{_HOST}(?:,{_HOST})*")
_MOST_PORT = 65_535
_HIDDEN = "***"


@dataclass(frozen=True)
class Address:
    """A place of a database."""

    scheme: str
    user: str
    """Empty where none is named."""
    host: str
    """With the port, as it is written."""
    path: str
    fragment: str
    """What stands behind #."""
    uri: str
    """All but that."""
    secrets: tuple[str, ...]
    """As they may turn up in what a driver says."""

    @property
    def shown(self) -> str:
        """How messages call it."""
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.host}{self.path}"

    def hide(self, text: str) -> str:
        """A text without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return text


def read_address(place: str, expected: str) -> Address:
    """The parts of `SCHEME://USER:PASSWORD@HOST:PORT/PATH?...#FRAGMENT`.

    Raises:
        UsageError: It is none, told by what was `expected` and without what may be a password.
    """
    scheme, _, rest = place.partition("://")
    before, at, _ = rest.rpartition("@")
    if at and _USER.fullmatch(before) is None:
        # A # or a / in a password would part the address in its middle, and show the rest of it.
        raise UsageError(
            f"{scheme}://...: what stands before the last @ holds a sign that has to be written "
            "otherwise there (@ as %40, / as %2F, ? as %3F, # as %23, % as %25). Leave the "
            f"password out; expected {expected}."
        )
    hosts = re.split("[/?#]", rest[len(before) + len(at) :], maxsplit=1)[0]
    ports = [int(port) for port in re.findall(r":(\d+)(?:,|$)", hosts)]
    if _HOSTS.fullmatch(hosts) is None or max(ports, default=0) > _MOST_PORT:
        # What stands behind a : may be a password whose host was forgotten.
        raise UsageError(
            f"{scheme}://...: HOST:PORT is none, or the port is not a number up to {_MOST_PORT}; "
            f"expected {expected}."
        )
    parts = urlsplit(place)
    user, _, password = before.partition(":")
    named = [value for name, value in parse_qsl(parts.query) if "password" in name.lower()]
    raw = re.findall(r"password=([^&]*)", parts.query, re.IGNORECASE)
    secrets = {password, unquote(password), *named, *raw} - {""}
    return Address(
        parts.scheme,
        user,
        hosts,
        parts.path,
        parts.fragment,
        place.removesuffix(f"#{parts.fragment}"),
        tuple(sorted(secrets, key=len, reverse=True)),
    )
