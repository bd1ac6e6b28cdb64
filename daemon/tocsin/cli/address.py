"""Broker URLs on the command line: `mqtt://user@host:port`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from tocsin.cli.errors import Failure

_PORT_OF = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Address:
    """Address and credentials of a broker."""

    host: str
    port: int
    encrypted: bool
    username: str | None
    password: str | None


BrokerOption = Annotated[
    str,
    typer.Option(
        "--broker",
        metavar="URL",
        help="mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS. The password comes from TOCSIN_BROKER__PASSWORD.",
    ),
]
VersionOption = Annotated[str, typer.Option("--mqtt", metavar="VERSION", help="5 or 3.1.1")]


def parse(url: str) -> Address:
    """Parse the URL of a broker.

    >>> parse("mqtt://localhost").port
    1883
    >>> parse("mqtts://nurse@broker.example:8884").username
    'nurse'

    Raises:
        Failure: The URL is invalid, or contains a password.
    """
    before, at, host = url.rpartition("@")
    if at and ":" in before.partition("://")[2]:
        user = before.partition("://")[2].partition(":")[0]
        raise Failure(
            f"broker 'mqtt://{user}:…@{host}' contains a password, which every user of this machine can read",
            "leave it out of the URL and set TOCSIN_BROKER__PASSWORD",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # the port, or the brackets of an IPv6 address
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORT_OF or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise Failure(f"broker {url!r} is no valid URL", "write mqtt://HOST:PORT, such as mqtt://localhost:1883")
    return Address(
        host=parts.hostname,
        port=port or _PORT_OF[parts.scheme],
        encrypted=parts.scheme == "mqtts",
        username=unquote(parts.username) if parts.username else None,
        password=os.environ.get("TOCSIN_BROKER__PASSWORD"),
    )
