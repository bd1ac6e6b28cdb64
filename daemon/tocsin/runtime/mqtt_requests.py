"""Requests over MQTT: answered in the pipeline's step, or soon after it where a request takes a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tocsin.api import VERBS, ApiRequest, Reply, RequestError, error_reply, read, transaction_of
from tocsin.api.views import encode
from tocsin.ingest.reject import printable
from tocsin.mqtt.request_topics import RequestTopics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.ingest.message import Message
    from tocsin.mqtt.connection import Connection
    from tocsin.runtime.request_handler import RequestHandler

_MAX_WAITING = 32  # requests that take a thread; more are refused
_MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
_SHOWN_CHARACTERS = 200


class MqttRequests:
    """Takes requests out of the received messages, and answers them. A `MessageHandler` of the pipeline."""

    def __init__(self, base: str, connection: Connection, handler: RequestHandler) -> None:
        """Wire the parts.

        Args:
            base: Prefix of every topic.
            connection: Connection to the broker.
            handler: Answers requests.
        """
        self._topics = RequestTopics(base)
        self._connection = connection
        self._handler = handler
        self._slow: asyncio.Queue[tuple[Message, ApiRequest]] = asyncio.Queue(_MAX_WAITING)

    def take(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Answer the requests among messages, before the readings that came with them; returns the other messages.

        An acknowledgement concerns what its actor has seen: nothing that arrives with it.
        """
        prefix = self._topics.prefix
        # By distinct topics: a batch has thousands of messages, and some hundred topics.
        if not any(topic.startswith(prefix) for topic in {message.topic for message in messages}):
            return messages
        others = []
        for message in messages:
            if message.topic.startswith(prefix):
                try:
                    reply = self._reply(message)
                    body = None if reply is None else encode(reply)
                except Exception:  # noqa: BLE001  (any error of a request)
                    body = self._failed(message)
                if body is not None:
                    self._answer(message, body)
            else:
                others.append(message)
        return others

    async def run(self) -> None:
        """Answer requests that take a thread, one after the other, until cancelled."""
        while True:
            message, request = await self._slow.get()
            try:
                body = encode(await self._handler.answer(request))
            except Exception:  # noqa: BLE001  (any error of a request)
                body = self._failed(message)
            self._answer(message, body)

    def _reply(self, message: Message) -> Reply | None:
        """The reply to a request; None where it takes a thread."""
        name = self._topics.verb(message)
        verb = VERBS.get(name)
        if verb is None:
            shown = printable(name, _SHOWN_CHARACTERS)
            return error_reply("unknown-verb", f"no verb {shown!r} (legal: {', '.join(VERBS)})")
        if len(message.payload) > _MAX_PAYLOAD_BYTES:
            return error_reply("too-large", f"{name}: a request has at most {_MAX_PAYLOAD_BYTES} bytes")
        try:
            request = read(verb, message.payload)
        except RequestError as error:
            return error_reply(error.code, str(error), error.transaction)
        if message.retain and verb.changes:
            text = f"{name}: a retained request is an old one (publish it without retain)"
            return error_reply("retained", text, request.transaction)
        if self._handler.answers_at_once(request):
            return self._handler.answer_at_once(request)
        try:
            self._slow.put_nowait((message, request))
        except asyncio.QueueFull:
            text = f"{name}: {_MAX_WAITING} questions wait already (ask again later)"
            return error_reply("busy", text, request.transaction)
        return None

    def _failed(self, message: Message) -> bytes:
        """The reply after an internal error. It must not end the daemon: the broker would redeliver the request."""
        return encode(self._handler.failed(self._topics.verb(message), transaction_of(message.payload)))

    def _answer(self, message: Message, body: bytes) -> None:
        out = self._topics.response(message, body)
        self._connection.publish(out.topic, out.payload, qos=out.qos, retain=out.retain, correlation=out.correlation)
