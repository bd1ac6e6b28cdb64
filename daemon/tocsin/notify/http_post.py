"""An HTTP POST, and the delivery result that its response means."""

from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING

import httpx

from tocsin.delivery import DeliveryResult, DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

_GONE = 410  # Standard Webhooks: the receiver wants no more requests
_SHOWN_CHARACTERS = 200


async def post(
    client: httpx.AsyncClient, url: str, content: bytes, headers: Mapping[str, str], now: int
) -> DeliveryResult:
    """Send a request. No response and no network error makes it raise.

    Args:
        client: With its timeouts.
        url: The receiver.
        content: The body.
        headers: The request's.
        now: Nanoseconds since 1970, to read a date in `Retry-After` by.
    """
    try:
        # Read no more than a line of the response: a receiver could send without end.
        async with client.stream("POST", url, content=content, headers=dict(headers)) as response:
            if response.is_success:
                return DeliveryResult(DeliveryStatus.DELIVERED)
            line = await _first_line(response)
    except httpx.HTTPError as error:
        return DeliveryResult(DeliveryStatus.RETRY, f"{type(error).__name__}: {error}".rstrip(": "))
    reason = f"HTTP {response.status_code}" + (f": {line}" if line else "")
    status = DeliveryStatus.REJECTED if response.status_code == _GONE else DeliveryStatus.RETRY
    return DeliveryResult(status, reason, _retry_after_s(response.headers.get("retry-after"), now))


async def _first_line(response: httpx.Response) -> str:
    async for chunk in response.aiter_bytes(_SHOWN_CHARACTERS):
        line = chunk[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip().partition("\n")[0]
        return "".join(character if character.isprintable() else " " for character in line)
    return ""


def _retry_after_s(header: str | None, now: int) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds, or a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now / 1_000_000_000)
    except (ValueError, OverflowError):
        return None
