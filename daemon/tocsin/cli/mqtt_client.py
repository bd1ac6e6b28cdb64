"""The MQTT connection of a command: it is up within seconds, or the command fails with the reason."""

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
    """Connect to a broker for the duration of the block; flush what was published at its end.

    Args:
        broker: URL.
        version: MQTT version, `5` or `3.1.1`.
        name: Prefix of the client id.
        subscriptions: Topics to receive.

    Raises:
        Failure: The URL or the version is invalid, or the broker did not answer in time.
    """
    if version not in _VERSIONS:
        raise Failure(f"MQTT version {version!r} is not known", f"legal: {', '.join(_VERSIONS)}")
    async with connected_by(_settings(parse(broker), _VERSIONS[version], name, tuple(subscriptions))) as connection:
        yield connection


@asynccontextmanager
async def connected_by(settings: ConnectionSettings) -> AsyncIterator[Connection]:
    """Connect with these settings for the duration of the block; flush what was published at its end.

    Raises:
        Failure: The broker did not answer in time.
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
                problem.removesuffix("; trying again"), "check that the broker is running and that --broker is right"
            ) from None
        yield connection
        await connection.stop(_FLUSH_WITHIN_S)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def client_id(name: str) -> str:
    """A unique client id."""
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
