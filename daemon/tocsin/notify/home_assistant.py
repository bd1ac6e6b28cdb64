"""Home Assistant's discovery over MQTT: every stream is a device with its alarms, its score and a button.

One retained message a device (`homeassistant/device/<id>/config`) names everything; the states are those that the
daemon publishes anyway. An empty message takes a device away again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_encode = msgspec.json.Encoder().encode

ACTOR = "home-assistant"


def birth_topic(prefix: str) -> str:
    """Where Home Assistant says `online` when it has started: devices are announced again then."""
    return f"{prefix}/status"


@dataclass(frozen=True, slots=True)
class StreamDevice:
    """One stream, as Home Assistant is told of it.

    Attributes:
        stream: Its name.
        alarms: Their names, of all watches that watch it.
        model: What watches it, `name/version`; several by commas.
    """

    stream: str
    alarms: tuple[str, ...]
    model: str


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """Where Home Assistant listens, and where the daemon speaks.

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
        """Where a stream's device is announced."""
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

    def announcement(self, watched: StreamDevice) -> bytes:
        """The device's configuration, in Home Assistant's abbreviations where it has them."""
        device = self.identity(watched.stream)
        parts = {alarm: self._alarm(device, watched.stream, alarm) for alarm in watched.alarms}
        if self.scores:
            parts["score"] = self._score(device, watched.stream)
        parts["acknowledge"] = self._acknowledge(device, watched.stream)
        return _encode(
            {
                "dev": {"ids": [device], "name": watched.stream, "mf": "Tocsin", "mdl": watched.model},
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
    """Which devices have been announced, and how."""

    def __init__(self, house: DiscoverySettings) -> None:
        """Begin with none: whatever is there is announced once."""
        self._house = house
        self._announced: dict[str, StreamDevice] = {}

    def changes(self, now_watched: Collection[StreamDevice]) -> list[tuple[str, bytes]]:
        """What to publish, retained, so that Home Assistant knows these streams and no others of ours."""
        told = []
        wanted = {watched.stream: watched for watched in now_watched}
        told += [(self._house.topic(stream), b"") for stream in self._announced if stream not in wanted]
        told += [
            (self._house.topic(stream), self._house.announcement(watched))
            for stream, watched in wanted.items()
            if self._announced.get(stream) != watched
        ]
        self._announced = wanted
        return told

    def everything(self) -> list[tuple[str, bytes]]:
        """All of it again: Home Assistant has just been born."""
        return [(self._house.topic(w.stream), self._house.announcement(w)) for w in self._announced.values()]
