"""Who may do what over HTTP. Pure, but for the request's headers that it is shown.

A token, where one is set, opens everything below `/api`. Without one, commands are taken only by a daemon that
listens on this machine alone; there a web page that somebody has open must not become a door: a request that another
site's page makes says so (`Origin`), or comes under that site's name (`Host`, DNS rebinding).
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
    """Why a request goes no further.

    Attributes:
        status: HTTP's.
        code: For programs.
        detail: For a person: what is wrong and what helps.
    """

    status: int
    code: str
    detail: str


class Authorizer:
    """Decides by a request's headers."""

    def __init__(self, host: str, token: str | None) -> None:
        """Know the rules.

        Args:
            host: Where the daemon listens.
            token: Whoever has it may command; None if there is none.
        """
        self._listens_here_alone = is_loopback(host)
        self._host = host
        self._token = token

    def check_read(self, headers: Mapping[str, str]) -> AccessDenied | None:
        """Say why a request may not read what is below `/api`; None if it may.

        Args:
            headers: The request's, by names in lower case.
        """
        if self._token is not None:
            return self._check_token(headers.get("authorization", ""), self._token)
        if self._listens_here_alone and not is_loopback(_name_of(headers.get("host", ""))):
            return AccessDenied(
                403,
                "forbidden",
                f"host {headers.get('host', '')!r} is not this machine's own name (legal without a token: localhost, "
                "127.0.0.1, [::1])",
            )
        return None

    def check_command(self, headers: Mapping[str, str]) -> AccessDenied | None:
        """Say why a request may not change anything; None if it may."""
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            return AccessDenied(403, "forbidden", f"a page of {origin} may not command this daemon")
        if self._token is None and not self._listens_here_alone:
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
    """Whether a name or address means this machine, seen from this machine.

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
    """A `Host` header without its port."""
    return urlsplit(f"//{host}").hostname or ""
