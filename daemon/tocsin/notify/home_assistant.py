"""Home Assistant's discovery over MQTT: every stream is a device with its alarms, its score and a button.

One retained message a device (`homeassistant/device/<id>/config`) describes it; its states are those that the daemon
publishes anyway. An empty message removes a device.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tocsin.ingest.message import Message

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_encode = msgspec.json.Encoder().encode

_POLL_S = 5.0  # how soon a new stream is a device
_ONLINE = b"online"
_BURST = 200  # messages, before other tasks run

ACTOR = "home-assistant"


def birth_topic(prefix: str) -> str:
    """The topic on which Home Assistant publishes `online` when it has started."""
    return f"{prefix}/status"


@dataclass(frozen=True, slots=True)
class StreamDevice:
    """A stream as a device of Home Assistant.

    Attributes:
        stream: Its name.
        alarms: The names of its alarms, of all its watches.
        model: `name/version`, separated by commas if it has several watches.
    """

    stream: str
    alarms: tuple[str, ...]
    model: str


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """The topics of Home Assistant and of the daemon.

    Attributes:
        prefix: Of discovery topics.
        base: Of the daemon's topics.
        version: The daemon's.
        scores: Whether scores are published.
    """

    prefix: str
    base: str
    version: str
    scores: bool

    def topic(self, stream: str) -> str:
        """The discovery topic of a stream's device."""
        return f"{self.prefix}/device/{self.identity(stream)}/config"

    def identity(self, stream: str) -> str:
        """A device's id, of the characters that discovery allows; no two streams share one.

        >>> DiscoverySettings("homeassistant", "tocsin", "1", False).identity("bed_3")
        'tocsin_bed_3'
        >>> DiscoverySettings("homeassistant", "tocsin", "1", False).identity("icu/3")
        'tocsin_icu_3_e0bc08ca'
        """
        plain = f"{self.base}_{stream}"
        allowed = _NOT_IN_AN_ID.sub("_", plain)
        return allowed if allowed == plain else f"{allowed}_{hashlib.sha256(plain.encode()).hexdigest()[:8]}"

    def config(self, described: StreamDevice) -> bytes:
        """A device's configuration, in Home Assistant's abbreviations where it has them."""
        device = self.identity(described.stream)
        parts = {alarm: self._alarm(device, described.stream, alarm) for alarm in described.alarms}
        if self.scores:
            parts["score"] = self._score(device, described.stream)
        parts["acknowledge"] = self._acknowledge(device, described.stream)
        return _encode(
            {
                "dev": {"ids": [device], "name": described.stream, "mf": "Tocsin", "mdl": described.model},
                "o": {"name": "Tocsin", "sw": self.version},
                "avty": [{"t": f"{self.base}/status", "val_tpl": "{{ value_json.state }}"}],
                "cmps": {f"{device}_{name}": part for name, part in parts.items()},
                "qos": 1,
            }
        )

    def _alarm(self, device: str, stream: str, alarm: str) -> dict[str, Any]:
        topic = f"{self.base}/alarm/{stream}/{alarm}"
        return {
            "p": "binary_sensor",
            "name": alarm,
            "uniq_id": f"{device}_alarm_{alarm}",
            "dev_cla": "problem",
            "stat_t": topic,
            "val_tpl": "{{ 'OFF' if value_json.state == 'normal' else 'ON' }}",
            "json_attr_t": topic,
        }

    def _score(self, device: str, stream: str) -> dict[str, Any]:
        return {
            "p": "sensor",
            "name": "score",
            "uniq_id": f"{device}_score",
            "stat_t": f"{self.base}/score/{stream}",
            "val_tpl": "{{ value_json.score }}",
            "stat_cla": "measurement",
            "qos": 0,
        }

    def _acknowledge(self, device: str, stream: str) -> dict[str, Any]:
        # No transaction: every press is another one.
        pressed = {"labels": {"stream": stream}, "actor": ACTOR}
        return {
            "p": "button",
            "name": "acknowledge",
            "uniq_id": f"{device}_acknowledge",
            "cmd_t": f"{self.base}/request/acknowledge-group",
            "pl_prs": _encode(pressed).decode(),
        }


class DeviceMessages:
    """Discovery messages for devices that are new, changed or gone."""

    def __init__(self, settings: DiscoverySettings) -> None:
        """Begin with no announced device."""
        self._settings = settings
        self._announced: dict[str, StreamDevice] = {}

    def changes(self, devices: Collection[StreamDevice]) -> list[tuple[str, bytes]]:
        """The retained messages, topic and payload, that make Home Assistant's devices these and no others."""
        wanted = {device.stream: device for device in devices}
        messages = [(self._settings.topic(stream), b"") for stream in self._announced if stream not in wanted]
        messages += [
            (self._settings.topic(stream), self._settings.config(device))
            for stream, device in wanted.items()
            if self._announced.get(stream) != device
        ]
        self._announced = wanted
        return messages

    def everything(self) -> list[tuple[str, bytes]]:
        """The messages of all announced devices, for a Home Assistant that has just started."""
        return [(self._settings.topic(d.stream), self._settings.config(d)) for d in self._announced.values()]


class HomeAssistantDiscovery:
    """Keeps Home Assistant's devices the same as the daemon's streams."""

    def __init__(self, settings: DiscoverySettings, publish: Callable[[str, bytes], None]) -> None:
        """Publish nothing yet; `run` does.

        Args:
            settings: The topics.
            publish: Publishes a retained message.
        """
        self._birth_topic = birth_topic(settings.prefix)
        self._messages = DeviceMessages(settings)
        self._publish = publish
        self._born = asyncio.Event()

    def take(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Take Home Assistant's birth messages out of a batch: it has started, and devices are announced again."""
        if self._birth_topic not in {message.topic for message in messages}:
            return messages
        births = [message for message in messages if message.topic == self._birth_topic]
        if any(message.payload == _ONLINE and not message.retain for message in births):
            self._born.set()
        return [message for message in messages if message.topic != self._birth_topic]

    async def run(self, devices: Callable[[], Collection[StreamDevice]]) -> None:
        """Announce devices until cancelled.

        Args:
            devices: Returns the devices of all streams at the moment.
        """
        while True:
            await self._send(self._messages.changes(devices()))
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._born.wait()
            except TimeoutError:
                continue
            self._born.clear()
            await self._send(self._messages.everything())

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for number, (topic, payload) in enumerate(messages, 1):
            self._publish(topic, payload)
            if number % _BURST == 0:
                await asyncio.sleep(0)
