"""How a request over HTTP fails: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

CONTENT_TYPE = "application/problem+json"


class Problem(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What went wrong.

    Attributes:
        title: HTTP's own words for the status.
        status: HTTP's status.
        detail: What is wrong, and what is legal: for a person.
        code: The same for a program, such as `illegal` or `unknown-alarm`.
        transaction: Of the request; None if it gave none.
    """

    title: str
    status: int
    detail: str
    code: str
    transaction: str | None = None


def problem(status: int, code: str, detail: str, transaction: str | None = None) -> Response:
    """Make the answer."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, transaction=transaction)
    headers = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return Response(msgspec.json.encode(body), status_code=status, headers=headers, media_type=CONTENT_TYPE)
