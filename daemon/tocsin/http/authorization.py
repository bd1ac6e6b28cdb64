"""Authorization of HTTP requests by their headers.

Where a token is set, everything below `/api` needs it. Without a token, only a daemon that listens on the loopback
interface accepts commands. A web page of another site must not reach it through a browser: its requests are recognized
by `Origin`, or by the site's name in `Host` (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class AccessDenied:
    """The denial of a request.

    Attributes:
        status: HTTP status.
        code: The reason for programs.
        detail: The reason for a person, and the remedy.
    """

    status: int
    code: str
    detail: str


class Authorizer:
    """Authorizes requests."""

    def __init__(self, host: str, token: str | None) -> None:
        """Set the rules.

        Args:
            host: The address that the daemon listens on.
            token: The token that requests need; None: none.
        """
        self._is_local = is_loopback(host)
        self._host = host
        self._token = token

    def check_read(self, headers: Mapping[str, str]) -> AccessDenied | None:
        """Check a request that reads below `/api`; None if it is authorized.

        Args:
            headers: Headers by names in lower case.
        """
        if self._token is not None:
            return self._check_token(headers.get("authorization", ""), self._token)
        if self._is_local and not is_loopback(_name_of(headers.get("host", ""))):
            return AccessDenied(
                403,
                "forbidden",
                f"host {headers.get('host', '')!r} is not this machine's own name (legal without a token: localhost, "
                "127.0.0.1, [::1])",
            )
        return None

    def check_command(self, headers: Mapping[str, str]) -> AccessDenied | None:
        """Check a command; None if it is authorized."""
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            return AccessDenied(403, "forbidden", f"a page of {origin} may not command this daemon")
        if self._token is None and not self._is_local:
            return AccessDenied(
                403,
                "forbidden",
                f"commands over HTTP need a token, as the daemon listens on {self._host}: set http.token_file "
                "(or http.host: 127.0.0.1)",
            )
        return self.check_read(headers)

    @staticmethod
    def _check_token(given: str, token: str) -> AccessDenied | None:
        if not given:
            return AccessDenied(
                401, "unauthorized", "a token is needed: send `Authorization: Bearer …` (http.token_file)"
            )
        is_bearer = given[: len(_SCHEME)].lower() == _SCHEME
        if not is_bearer or not hmac.compare_digest(given[len(_SCHEME) :].strip().encode(), token.encode()):
            return AccessDenied(401, "unauthorized", "the token is not the one in http.token_file")
        return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is of the loopback interface.

    >>> [is_loopback(h) for h in ("localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0", "::", "example.org", "")]
    [True, True, True, True, False, False, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """The host of a `Host` header, without the port."""
    return urlsplit(f"//{host}").hostname or ""
