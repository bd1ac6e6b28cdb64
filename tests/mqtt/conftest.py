"""Broker with scripted answers."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
async def scripted_broker():
    """Start a broker that answers what it is sent with these bytes, one after the other, whatever it was sent."""
    servers, writers = [], []

    async def start(*answers):
        accepted = []

        async def converse(reader, writer):
            writers.append(writer)
            accepted.append(True)
            for answer in answers:
                await reader.read(1000)
                writer.write(answer)

        servers.append(await asyncio.start_server(converse, "127.0.0.1", 0))
        return servers[-1].sockets[0].getsockname()[1], accepted

    yield start
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()
