"""Routes of `/api/v1`: queries and commands by the verbs of the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from tocsin.api import VERBS, RequestError, read, read_text
from tocsin.api.views import encode
from tocsin.http import openapi
from tocsin.http.openapi import PREFIX
from tocsin.http.problem import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from tocsin.api import ApiRequest, Reply, Verb
    from tocsin.http.authorization import AccessDenied, Authorizer

_JSON = "application/json"
_MAX_BODY_BYTES = 4 * 1024 * 1024  # a stream's exported state has some hundred thousand at most

_STATUS_OF = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "unknown-alarm": HTTPStatus.NOT_FOUND,
    "unknown-stream": HTTPStatus.NOT_FOUND,
    "unknown-verb": HTTPStatus.NOT_FOUND,
    "unknown-watch": HTTPStatus.NOT_FOUND,
    "illegal": HTTPStatus.CONFLICT,
    "too-many-streams": HTTPStatus.CONFLICT,
    "another-model": HTTPStatus.CONFLICT,
    "other-occurrence": HTTPStatus.CONFLICT,
    "other-command": HTTPStatus.CONFLICT,
    "no-store": HTTPStatus.NOT_IMPLEMENTED,
}
"""HTTP statuses by error code; any other code is 422."""


class ApiRoutes:
    """The routes below `/api/v1`."""

    def __init__(self, answer: Callable[[ApiRequest], Awaitable[Reply]], authorizer: Authorizer, version: str) -> None:
        """Build the OpenAPI document.

        Args:
            answer: Answers a request.
            authorizer: Authorizes requests.
            version: The daemon's version.
        """
        self._answer = answer
        self._authorizer = authorizer
        self._openapi = encode(openapi.document(version))

    def routes(self) -> list[Route]:
        """All routes."""
        return [
            Route(f"{PREFIX}/openapi.json", self._describe),
            *(Route(path, self._query(VERBS[verb])) for verb, path in openapi.QUERIES.items()),
            Route(f"{PREFIX}/commands/{{verb}}", self._command, methods=["POST"]),
        ]

    async def _describe(self, _request: Request) -> Response:
        return Response(self._openapi, media_type=_JSON)

    def _query(self, verb: Verb) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            refused = self._authorizer.check_read(request.headers)
            if refused is not None:
                return _denied(refused)
            try:
                api_request = read_text(verb, _values(request))
            except RequestError as error:
                return _problem(error.code, str(error), error.transaction)
            reply = await self._answer(api_request)
            if reply.status == "error":
                return _problem(reply.code or "", reply.error or "", reply.transaction)
            return Response(encode(reply.data), media_type=_JSON)

        return respond

    async def _command(self, request: Request) -> Response:
        refused = self._authorizer.check_command(request.headers)
        if refused is not None:
            return _denied(refused)
        name = request.path_params["verb"]
        verb = VERBS.get(name)
        if verb is None or not verb.changes:
            legal = ", ".join(verb.name for verb in VERBS.values() if verb.changes)
            return _problem("unknown-verb", f"no command {name!r:.100} (legal: {legal})")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            # A form of another site cannot have this type without a preflight request of the browser.
            return problem(415, "content-type", f"send JSON with `Content-Type: {_JSON}`")
        body = await _body(request)
        if body is None:
            return problem(413, "too-large", f"a request has at most {_MAX_BODY_BYTES} bytes")
        try:
            api_request = read(verb, body)
        except RequestError as error:
            return _problem(error.code, str(error), error.transaction)
        reply = await self._answer(api_request)
        if reply.status == "error":
            return _problem(reply.code or "", reply.error or "", reply.transaction)
        return Response(encode(reply), media_type=_JSON)


async def _body(request: Request) -> bytes | None:
    """The body; None if it is too long."""
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > _MAX_BODY_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _values(request: Request) -> dict[str, Any]:
    """The values of query string and path, by the names of a request's body."""
    values: dict[str, Any] = {name: value for name, value in request.query_params.items() if name != "label"}
    labels = request.query_params.getlist("label")
    if labels:
        values["labels"] = dict(label.partition("=")[::2] for label in labels)
    if "id" in request.path_params:
        values["stream"], _, values["alarm"] = request.path_params["id"].rpartition("/")
    values.update({name: value for name, value in request.path_params.items() if name != "id"})
    return values


def _problem(code: str, detail: str, transaction: str | None = None) -> Response:
    return problem(_STATUS_OF.get(code, HTTPStatus.UNPROCESSABLE_ENTITY), code, detail, transaction)


def _denied(refused: AccessDenied) -> Response:
    return problem(refused.status, refused.code, refused.detail)
