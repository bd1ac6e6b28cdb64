"""A publisher to a real broker, and an independent subscriber to all messages of Tocsin."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import aiomqtt
from processes import WAIT_S


class Listener:
    """An independent subscriber to all that Tocsin says."""

    def __init__(self, client):
        self._client = client
        self.heard = []

    async def until(self, is_last):
        """Collect messages up to one; all that were heard so far."""
        async with asyncio.timeout(WAIT_S):
            async for message in self._client.messages:
                seen = (str(message.topic), json.loads(message.payload), bool(message.retain))
                self.heard.append(seen)
                if is_last(*seen[:2]):
                    break
        return self.heard

    async def until_status(self, state):
        return await self.until(lambda topic, body: topic == "tocsin/status" and body["state"] == state)


@asynccontextmanager
async def listening(broker):
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("tocsin/#", qos=1)
        yield Listener(client)


async def publish(broker, *messages):
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for topic, payload in messages:
            await client.publish(topic, payload if isinstance(payload, bytes) else json.dumps(payload), qos=1)


def a_while_ago():
    """Milliseconds: a whole second, half a minute ago."""
    return (int(time.time()) - 30) * 1000


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(ms // 1000))
