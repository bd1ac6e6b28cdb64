"""A small server beside the daemon's loop: metrics, health, readiness."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tocsin.http.authorization import Authorizer

_BACKLOG = 128
_CONNECTIONS = 100  # a few scrapers, and a person; more is an attack or a mistake
_SHUTDOWN_S = 2


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where to listen.

    Attributes:
        host: An address of this machine.
        port: 0 for any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 9464


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """How a command that came over HTTP went.

    Attributes:
        succeeded: Whether it was carried out.
        text: What to tell whoever asked, lines.
    """

    succeeded: bool
    text: str


@dataclass(frozen=True, slots=True)
class Exposition:
    """Metrics as text.

    Attributes:
        body: The text.
        content_type: Which version of the format it is.
    """

    body: bytes
    content_type: str


class PortTakenError(Exception):
    """The address can't be listened on."""


def application(
    metrics: Callable[[], Exposition],
    not_ready: Callable[[], Sequence[str]],
    reload: Callable[[], Awaitable[ReloadResult]],
    roll_back: Callable[[], Awaitable[ReloadResult]],
    authorizer: Authorizer,
    more: Sequence[Route] = (),
) -> Starlette:
    """The routes.

    Args:
        metrics: Renders the metrics.
        not_ready: Why the daemon isn't ready, one line each; nothing when it is.
        reload: Reads the configuration again.
        roll_back: Goes back to the one before.
        authorizer: Says who may command.
        more: Other routes, which ask the guard themselves.
    """

    async def show_metrics(_request: Request) -> Response:
        exposition = metrics()
        return Response(exposition.body, headers={"content-type": exposition.content_type})

    async def healthy(_request: Request) -> Response:
        # That this line runs is the answer: a loop that hangs doesn't get here.
        return PlainTextResponse("healthy\n")

    async def ready(_request: Request) -> Response:
        reasons = not_ready()
        if reasons:
            return PlainTextResponse("".join(f"{reason}\n" for reason in reasons), status_code=503)
        return PlainTextResponse("ready\n")

    def guarded(execute: Callable[[], Awaitable[ReloadResult]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            refused = authorizer.check_command(request.headers)
            if refused is not None:
                return PlainTextResponse(f"{refused.detail}\n", status_code=refused.status)
            answer = await execute()
            return PlainTextResponse(answer.text, status_code=200 if answer.succeeded else 500)

        return answer

    return Starlette(
        routes=[
            Route("/metrics", show_metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            Route("/-/reload", guarded(reload), methods=["POST"]),
            Route("/-/rollback", guarded(roll_back), methods=["POST"]),
            *more,
        ]
    )


class _Server(uvicorn.Server):
    """A guest in somebody else's process: signals are the daemon's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class HttpServer:
    """Serves an application inside the running loop, without touching the process's signals."""

    def __init__(self, settings: HttpSettings, app: ASGIApp) -> None:
        """Prepare; `run` listens."""
        self._settings = settings
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,  # the daemon's own
            log_level="warning",
            access_log=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_SHUTDOWN_S,
            server_header=False,
        )
        self._server = _Server(config)
        self._socket: socket.socket | None = None

    def bind(self) -> int:
        """Take the port, so that a wrong setting stops the daemon at its start; the port that was bound.

        Raises:
            PortTakenError: If the address can't be listened on; it names the address.
        """
        s = self._settings
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                s.host, s.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, protocol)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
                listener.listen(_BACKLOG)
            except OSError:
                listener.close()
                raise
        except OSError as error:
            raise PortTakenError(
                f"can't listen on {s.host}:{s.port} ({error.strerror}): is another daemon running, or the address "
                "not this machine's?"
            ) from error
        listener.setblocking(False)  # noqa: FBT003  (the socket's own signature)
        self._socket = listener
        return self.port

    @property
    def port(self) -> int:
        """The port that was bound."""
        if self._socket is None:
            raise RuntimeError("bind() comes before port")
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Serve until `stop`, or until cancelled."""
        if self._socket is None:
            self.bind()
        try:
            await self._server.serve(sockets=[self._socket] if self._socket is not None else None)
        finally:  # cancelled, uvicorn leaves the port open
            for server in getattr(self._server, "servers", []):
                server.close()
            if self._socket is not None:
                self._socket.close()

    def stop(self) -> None:
        """Let requests that are being answered end; then `run` returns."""
        self._server.should_exit = True
