"""HTTP server within the daemon's event loop: metrics, health, readiness, reload and the API."""

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
_CONNECTIONS = 100  # enough for scrapers and people
_SHUTDOWN_S = 2


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The address to listen on.

    Attributes:
        host: An address of this machine.
        port: 0: any free port.
    """

    host: str = "127.0.0.1"
    port: int = 9464


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """The result of a reload or a rollback.

    Attributes:
        succeeded: Whether the configuration was changed.
        text: Lines for a person.
    """

    succeeded: bool
    text: str


@dataclass(frozen=True, slots=True)
class Exposition:
    """Metrics in a text format.

    Attributes:
        body: The text.
        content_type: The format and its version.
    """

    body: bytes
    content_type: str


class PortTakenError(Exception):
    """The address is in use, or is not this machine's."""


def application(
    metrics: Callable[[], Exposition],
    not_ready: Callable[[], Sequence[str]],
    reload: Callable[[], Awaitable[ReloadResult]],
    roll_back: Callable[[], Awaitable[ReloadResult]],
    authorizer: Authorizer,
    more: Sequence[Route] = (),
) -> Starlette:
    """The application with all routes.

    Args:
        metrics: Renders the metrics.
        not_ready: Gives the reasons why the daemon is not ready; empty when it is.
        reload: Reloads the configuration.
        roll_back: Rolls back to the configuration before.
        authorizer: Authorizes reload and rollback.
        more: Further routes, which authorize their requests themselves.
    """

    async def show_metrics(_request: Request) -> Response:
        exposition = metrics()
        return Response(exposition.body, headers={"content-type": exposition.content_type})

    async def healthy(_request: Request) -> Response:
        # A blocked event loop does not get here.
        return PlainTextResponse("healthy\n")

    async def ready(_request: Request) -> Response:
        reasons = not_ready()
        if reasons:
            return PlainTextResponse("".join(f"{reason}\n" for reason in reasons), status_code=503)
        return PlainTextResponse("ready\n")

    def authorized(execute: Callable[[], Awaitable[ReloadResult]]) -> Callable[[Request], Awaitable[Response]]:
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
            Route("/-/reload", authorized(reload), methods=["POST"]),
            Route("/-/rollback", authorized(roll_back), methods=["POST"]),
            *more,
        ]
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to the daemon."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signal."""
        yield


class HttpServer:
    """Serves an application in the running event loop, and leaves the process's signals alone."""

    def __init__(self, settings: HttpSettings, app: ASGIApp) -> None:
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
        """Bind the port, so that a wrong setting stops the daemon at its start; the bound port.

        Raises:
            PortTakenError: The address is in use, or is not this machine's.
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
        """The bound port."""
        if self._socket is None:
            raise RuntimeError("bind() comes before port")
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Serve until `stop` or a cancellation."""
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
        """Finish running requests; then `run` returns."""
        self._server.should_exit = True
