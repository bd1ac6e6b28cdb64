"""Requests and their answers over MQTT: `<base>/request/<verb>` and `<base>/response/<verb>`. Pure.

MQTT 5 names another topic for the answer, and a mark that it shall carry (`response topic`, `correlation data`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.mqtt.outbox import Outgoing

if TYPE_CHECKING:
    from tocsin.ingest.message import Message

_LONGEST_VERB = 64  # whoever may publish can write one: it comes back in a topic


@dataclass(frozen=True, slots=True)
class Topics:
    """Where requests come and answers go.

    Attributes:
        base: Prefix of every topic.
    """

    base: str

    @property
    def filter(self) -> str:
        """What to subscribe to."""
        return f"{self.base}/request/+"

    @property
    def prefix(self) -> str:
        """What every request's topic begins with."""
        return f"{self.base}/request/"

    def verb(self, message: Message) -> str:
        """What a request asks."""
        return message.topic.removeprefix(self.prefix)

    def response(self, message: Message, body: bytes) -> Outgoing:
        """Make the answer, for where its asker waits."""
        return Outgoing(self._place(message), body, qos=1, retain=False, correlation=message.correlation)

    def _place(self, message: Message) -> str:
        wanted = message.response_topic
        if wanted and self._may_answer_on(wanted):
            return wanted
        verb = self.verb(message)
        known = len(verb) <= _LONGEST_VERB and verb.isprintable() and verb != ""
        return f"{self.base}/response/{verb if known else 'unknown'}"

    def _may_answer_on(self, topic: str) -> bool:
        """Whether an answer may go there: not among what others take for the daemon's own word, nor the broker's."""
        if any(c in topic for c in "+#\x00") or topic.startswith("$"):
            return False
        return topic.startswith(f"{self.base}/response/") or not topic.startswith(f"{self.base}/")
