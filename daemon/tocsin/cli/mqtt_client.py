"""A connection for a tool: up at once, or a failure that says why not."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tocsin.cli.address import Address, parse
from tocsin.cli.errors import Failure
from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import ConnectionSettings, ProtocolVersion, Subscription, Tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_CONNECT_WITHIN_S = 5.0
_FLUSH_WITHIN_S = 30.0
_VERSIONS = {"5": ProtocolVersion.V5, "3.1.1": ProtocolVersion.V311}


@asynccontextmanager
async def connected(
    broker: str, version: str, name: str, subscriptions: Sequence[Subscription] = ()
) -> AsyncIterator[Connection]:
    """Connect to a broker for as long as the block runs; what was published in it is delivered at its end.

    Args:
        broker: Its URL.
        version: Of MQTT.
        name: Of the tool, as the broker's log will show it.
        subscriptions: What to receive.

    Raises:
        Failure: The URL or the version is wrong, or no connection came up in time.
    """
    if version not in _VERSIONS:
        raise Failure(f"MQTT version {version!r} is not known", f"legal: {', '.join(_VERSIONS)}")
    async with connected_by(_settings(parse(broker), _VERSIONS[version], name, tuple(subscriptions))) as connection:
        yield connection


@asynccontextmanager
async def connected_by(settings: ConnectionSettings) -> AsyncIterator[Connection]:
    """Connect as is said for as long as the block runs; what was published in it is delivered at its end.

    Raises:
        Failure: No connection came up in time.
    """
    connection = Connection(settings)
    running = asyncio.create_task(connection.run(), name="connection")
    try:
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                await connection.wait_connected()
        except TimeoutError:
            problem = connection.problem or f"no connection to {settings.broker}"
            raise Failure(
                problem.removesuffix("; trying again"), "is the broker running, and --broker right?"
            ) from None
        yield connection
        await connection.stop(_FLUSH_WITHIN_S)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def client_id(name: str) -> str:
    """A session's name that no other client has."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


def _settings(
    address: Address, version: ProtocolVersion, name: str, subscriptions: tuple[Subscription, ...]
) -> ConnectionSettings:
    return ConnectionSettings(
        host=address.host,
        port=address.port,
        client_id=client_id(name),
        version=version,
        username=address.username,
        password=address.password,
        tls=Tls() if address.encrypted else None,
        session_expiry_s=0,
        subscriptions=subscriptions,
    )
