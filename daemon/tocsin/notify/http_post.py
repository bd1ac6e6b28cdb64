"""One HTTP request out, and what its answer means for what is owed."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_GONE = 410  # the Standard Webhooks specification: nobody wants it any more
_SHOWN_CHARACTERS = 200


class DeliveryStatus(StrEnum):
    """What became of a delivery."""

    DELIVERED = "delivered"
    LATER = "later"
    REFUSED = "refused"  # for good


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request went.

    Attributes:
        fate: What it means.
        why: One line for a person; empty if it was delivered.
        wait_s: How long the receiver asks to wait; None if it doesn't say.
    """

    fate: DeliveryStatus
    why: str = ""
    wait_s: float | None = None


async def post(client: httpx.AsyncClient, url: str, content: bytes, headers: Mapping[str, str], now: int) -> Answer:
    """Send a request. Nothing that the receiver does makes it raise.

    Args:
        client: With its timeouts.
        url: Where.
        content: The body.
        headers: Of the request.
        now: Nanoseconds since 1970, to read a date in `Retry-After` by.
    """
    try:
        # Read no more than a line of what is answered: a receiver could send without end.
        async with client.stream("POST", url, content=content, headers=dict(headers)) as response:
            if response.is_success:
                return Answer(DeliveryStatus.DELIVERED)
            said = await _first_line(response)
    except httpx.HTTPError as error:
        return Answer(DeliveryStatus.LATER, f"{type(error).__name__}: {error}".rstrip(": "))
    why = f"HTTP {response.status_code}" + (f": {said}" if said else "")
    fate = DeliveryStatus.REFUSED if response.status_code == _GONE else DeliveryStatus.LATER
    return Answer(fate, why, _retry_after_s(response.headers.get("retry-after"), now))


async def _first_line(response: httpx.Response) -> str:
    async for chunk in response.aiter_bytes(_SHOWN_CHARACTERS):
        line = chunk[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip().partition("\n")[0]
        return "".join(character if character.isprintable() else " " for character in line)
    return ""


def _retry_after_s(said: str | None, now: int) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds, or a date."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - now / 1_000_000_000)
    except (ValueError, OverflowError):
        return None
