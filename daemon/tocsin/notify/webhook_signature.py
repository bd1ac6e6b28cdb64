"""Webhooks: one request an event, signed as the Standard Webhooks specification has it (version 1.0.0).

The receiver can check with a library of that specification that a request is ours and was not sent again by somebody
else. `webhook-id` is the event's: whoever has seen it drops the double.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from tocsin.api.event_json import event_fields, status_fields
from tocsin.ingest.timestamps import iso_8601

if TYPE_CHECKING:
    from tocsin.alarm import Event

_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES = 24  # the specification's bounds
_LONGEST_KEY_BYTES = 64
_encode = msgspec.json.Encoder().encode


def body(event: Event) -> bytes:
    """What a receiver is told: `type`, such as `alarm.raise`, `timestamp`, and the event under `data`."""
    data = {"transition": event.transition, **status_fields(event.status), **event_fields(event)}
    return _encode({"type": f"alarm.{event.transition}", "timestamp": iso_8601(event.raised_at), "data": data})


def key_of(secret: str) -> bytes:
    """Read a signing secret: `whsec_` and Base64, or Base64 alone.

    Raises:
        ValueError: It is no Base64, or of a length that the specification doesn't allow. The secret isn't told.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is no Base64 (make one with: openssl rand -base64 32)") from None
    if not _SHORTEST_KEY_BYTES <= len(key) <= _LONGEST_KEY_BYTES:
        raise ValueError(
            f"the secret has {len(key)} bytes (legal: {_SHORTEST_KEY_BYTES} to {_LONGEST_KEY_BYTES}; "
            "make one with: openssl rand -base64 32)"
        )
    return key


def headers(identity: str, sent_at: int, content: bytes, key: bytes | None) -> dict[str, str]:
    """Make a request's headers.

    Args:
        identity: The same each time this event is sent.
        sent_at: Nanoseconds since 1970.
        content: The body.
        key: To sign with; None leaves the signature out.
    """
    seconds = str(sent_at // 1_000_000_000)
    made = {"content-type": "application/json", "webhook-id": identity, "webhook-timestamp": seconds}
    if key is not None:
        signed = b".".join([identity.encode(), seconds.encode(), content])
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        made["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return made
