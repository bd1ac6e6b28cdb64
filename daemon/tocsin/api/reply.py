"""Replies to requests."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Reply(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The reply to a request, the same over every transport.

    Attributes:
        status: Whether the request succeeded.
        error: The reason why it failed: the thing, its state, and what is legal.
        code: The reason for a program, such as `illegal` or `unknown-alarm`.
        transaction: The request's transaction.
        data: The result.
    """

    status: Literal["ok", "error"]
    error: str | None = None
    code: str | None = None
    transaction: str | None = None
    data: Any = None


def error_reply(code: str, error: str, transaction: str | None = None) -> Reply:
    """The reply to a request that failed."""
    return Reply(status="error", error=error, code=code, transaction=transaction)
