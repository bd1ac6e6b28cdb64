"""How a request is answered."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Reply(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The answer to a request, the same through every door.

    Attributes:
        status: Whether it was carried out.
        error: Why it wasn't: the thing, its state, and what is legal.
        code: The same for a program, such as `illegal` or `unknown-alarm`.
        transaction: The request's own.
        data: What was asked for, or what came of it.
    """

    status: Literal["ok", "error"]
    error: str | None = None
    code: str | None = None
    transaction: str | None = None
    data: Any = None


def error_reply(code: str, error: str, transaction: str | None = None) -> Reply:
    """Say why something wasn't carried out."""
    return Reply(status="error", error=error, code=code, transaction=transaction)
