"""Topics of requests and responses over MQTT: `<base>/request/<verb>` and `<base>/response/<verb>`.

With MQTT 5 a request may name another topic for its response, and correlation data that the response carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.mqtt.outbox import Outgoing

if TYPE_CHECKING:
    from tocsin.ingest.message import Message

_LONGEST_VERB = 64  # it is untrusted, and becomes part of a topic


@dataclass(frozen=True, slots=True)
class RequestTopics:
    """Topics of requests and responses.

    Attributes:
        base: Prefix of every topic.
    """

    base: str

    @property
    def filter(self) -> str:
        """Topic filter of all requests."""
        return f"{self.base}/request/+"

    @property
    def prefix(self) -> str:
        """Prefix of the topics of requests."""
        return f"{self.base}/request/"

    def verb(self, message: Message) -> str:
        """Verb of a request."""
        return message.topic.removeprefix(self.prefix)

    def response(self, message: Message, body: bytes) -> Outgoing:
        """Build the response to a request."""
        return Outgoing(self._topic(message), body, qos=1, retain=False, correlation=message.correlation)

    def _topic(self, message: Message) -> str:
        wanted = message.response_topic
        if wanted and self._may_answer_on(wanted):
            return wanted
        verb = self.verb(message)
        is_legal = len(verb) <= _LONGEST_VERB and verb.isprintable() and verb != ""
        return f"{self.base}/response/{verb if is_legal else 'unknown'}"

    def _may_answer_on(self, topic: str) -> bool:
        """Whether a response may be published there: not on other topics of the daemon, nor of the broker."""
        if any(c in topic for c in "+#\x00") or topic.startswith("$"):
            return False
        return topic.startswith(f"{self.base}/response/") or not topic.startswith(f"{self.base}/")
