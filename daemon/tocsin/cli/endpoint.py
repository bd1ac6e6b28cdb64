"""The running daemon's HTTP door, for commands: where it is, what opens it, and asking."""

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

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (one can listen there, not ask there)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The daemon's configuration: where it listens, and its token."),
]
HttpOption = Annotated[
    str | None,
    typer.Option("--http", metavar="HOST:PORT", help="Where the daemon listens, if not as the configuration says."),
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="The daemon's token, if it has one.")
]


class _HttpAlone(BaseSettings):
    """The one section of the configuration that a command needs; the environment wins, as in the daemon."""

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
        """Let the environment win over the file."""
        return env_settings, init_settings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the daemon is, and what opens it.

    Attributes:
        host: Where it listens.
        port: Likewise.
        token: None if it has none.
    """

    host: str
    port: int
    token: str | None

    @property
    def address(self) -> str:
        """As a person writes it."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back.

    Attributes:
        status: HTTP's.
        body: As it came.
    """

    status: int
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether it did as it was asked."""
        return self.status == HTTPStatus.OK

    @property
    def text(self) -> str:
        """The body, as text."""
        return self.body.decode(errors="replace")


def find(config: Path | None, address: str | None, token_file: Path | None) -> Endpoint:
    """Say where the daemon is.

    Raises:
        Failure: The configuration's `http` is faulty, the address is none, or the token can't be read.
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
    beside = config.parent if config is not None else Path()
    return open_at(section, beside, address, token_file)


def open_at(section: Http, beside: Path, address: str | None, token_file: Path | None) -> Endpoint:
    """Say where a daemon with this `http` section is.

    Args:
        section: Of its configuration.
        beside: The configuration's folder.
        address: HOST:PORT to ask instead.
        token_file: To read the token from instead.

    Raises:
        Failure: The address is none, or the token can't be read.
    """
    host, port = section.host, section.port
    if address is not None:
        host, _, digits = address.rpartition(":")
        if not host or not digits.isdecimal():
            raise Failure(f"--http {address!r} is no address", "write HOST:PORT, such as 127.0.0.1:9464")
        port = int(digits)
    secret = None
    file = token_file or (None if section.token_file is None else beside / section.token_file)
    if file is not None:
        try:
            secret = token(file)
        except OSError as error:
            raise Failure(str(error), "say where the token is by --token-file") from error
    return Endpoint(_EVERYWHERE.get(host, host.strip("[]")), port, secret)


def ask(
    door: Endpoint, method: str, path: str, body: Mapping[str, Any] | None = None, *, within_s: float = 30.0
) -> HttpAnswer:
    """Ask, and wait for the answer.

    Raises:
        Failure: Nobody answers.
    """
    headers = {} if door.token is None else {"authorization": f"Bearer {door.token}"}
    data = None
    if body is not None:
        headers["content-type"] = "application/json"
        data = json.dumps(body).encode()
    connection = http.client.HTTPConnection(door.host, door.port, timeout=within_s)
    try:
        connection.request(method, path, body=data, headers=headers)
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Failure(
            f"no daemon answers at {door.address} ({error})",
            "start it with `tocsin run`, or say where it is by --http",
        ) from error
    finally:
        connection.close()
