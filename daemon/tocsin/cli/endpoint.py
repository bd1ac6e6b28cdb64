"""The HTTP endpoint of the running daemon: address, token, requests."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from tocsin.cli.errors import Failure
from tocsin.config.document import DocumentError, read
from tocsin.config.schema import Http
from tocsin.config.secrets import token

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (addresses to listen on, not to connect to)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The daemon's configuration, for its address and its token."),
]
HttpOption = Annotated[
    str | None,
    typer.Option("--http", metavar="HOST:PORT", help="The address of the daemon, in place of the configured one."),
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="The file with the daemon's token.")
]


class _HttpAlone(BaseSettings):
    """The `http` section of the configuration; environment variables take precedence, as in the daemon."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="TOCSIN_", env_nested_delimiter="__")
    http: Http = Http()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings calls with these names)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give environment variables precedence over the file."""
        return env_settings, init_settings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address and the bearer token of a daemon.

    Attributes:
        host: Name or IP address.
        port: TCP port.
        token: None without authentication.
    """

    host: str
    port: int
    token: str | None

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The status code and the body of an HTTP answer."""

    status: int
    body: bytes

    @property
    def is_ok(self) -> bool:
        return self.status == HTTPStatus.OK

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def find(config: Path | None, address: str | None, token_file: Path | None) -> Endpoint:
    """Find the endpoint of the daemon.

    Raises:
        Failure: The `http` section or the address is invalid, or the token file cannot be read.
    """
    content: dict[str, Any] = {}
    if config is not None:
        try:
            content = dict(read(config).content)
        except DocumentError as error:
            raise Failure(str(error)) from error
    try:
        section = _HttpAlone(**({"http": content["http"]} if "http" in content else {})).http
    except (ValidationError, SettingsError) as error:
        raise Failure(f"http in {config or 'the environment'} is faulty", "run `tocsin check` for the line") from error
    folder = config.parent if config is not None else Path()
    return endpoint_of(section, folder, address, token_file)


def endpoint_of(section: Http, folder: Path, address: str | None, token_file: Path | None) -> Endpoint:
    """Build the endpoint of a daemon from its `http` section.

    Args:
        section: The `http` section of its configuration.
        folder: The folder of the configuration; relative file names start there.
        address: HOST:PORT in place of the configured address.
        token_file: In place of the configured file.

    Raises:
        Failure: The address is invalid, or the token file cannot be read.
    """
    host, port = section.host, section.port
    if address is not None:
        host, _, digits = address.rpartition(":")
        if not host or not digits.isdecimal():
            raise Failure(f"--http {address!r} is no address", "write HOST:PORT, such as 127.0.0.1:9464")
        port = int(digits)
    secret = None
    file = token_file or (None if section.token_file is None else folder / section.token_file)
    if file is not None:
        try:
            secret = token(file)
        except OSError as error:
            raise Failure(str(error), "give the right file by --token-file") from error
    return Endpoint(_EVERYWHERE.get(host, host.strip("[]")), port, secret)


def ask(
    endpoint: Endpoint, method: str, path: str, body: Mapping[str, Any] | None = None, *, within_s: float = 30.0
) -> HttpAnswer:
    """Send a request and wait for the answer.

    Raises:
        Failure: No daemon answers.
    """
    headers = {} if endpoint.token is None else {"authorization": f"Bearer {endpoint.token}"}
    data = None
    if body is not None:
        headers["content-type"] = "application/json"
        data = json.dumps(body).encode()
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=within_s)
    try:
        connection.request(method, path, body=data, headers=headers)
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Failure(
            f"no daemon answers at {endpoint.address} ({error})",
            "start it with `tocsin run`, or give its address by --http",
        ) from error
    finally:
        connection.close()
