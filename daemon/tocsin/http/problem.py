"""Errors over HTTP: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

CONTENT_TYPE = "application/problem+json"


class Problem(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An error.

    Attributes:
        title: The phrase of the HTTP status.
        status: The HTTP status.
        detail: The reason for a person, and what is legal.
        code: The reason for a program, such as `illegal` or `unknown-alarm`.
        transaction: The request's transaction; None if it has none.
    """

    title: str
    status: int
    detail: str
    code: str
    transaction: str | None = None


def problem(status: int, code: str, detail: str, transaction: str | None = None) -> Response:
    """The response of an error."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, transaction=transaction)
    headers = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return Response(msgspec.json.encode(body), status_code=status, headers=headers, media_type=CONTENT_TYPE)
