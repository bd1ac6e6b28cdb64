"""Brokers as the tools take them: `mqtt://user@host:port`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from tocsin.cli.failure import Failure

_PORT_OF = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is, and who we are to it."""

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
    """Read a broker's URL.

    >>> parse("mqtt://localhost").port
    1883
    >>> parse("mqtts://nurse@broker.example:8884").username
    'nurse'

    Raises:
        Failure: It is no broker's URL.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _PORT_OF or not parts.hostname or port == -1 or parts.path not in {"", "/"}:
        raise Failure(f"broker {url!r} is no address", "write mqtt://HOST:PORT, such as mqtt://localhost:1883")
    if parts.password is not None:
        raise Failure(
            f"broker 'mqtt://{parts.username}:…@{parts.hostname}' shows its password to everybody on this machine",
            "leave it out of the URL and set TOCSIN_BROKER__PASSWORD",
        )
    return Address(
        host=parts.hostname,
        port=port or _PORT_OF[parts.scheme],
        encrypted=parts.scheme == "mqtts",
        username=unquote(parts.username) if parts.username else None,
        password=os.environ.get("TOCSIN_BROKER__PASSWORD"),
    )
