"""The options that all commands share, and the sending of a command."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer

from tocsin.cli import tables
from tocsin.cli.client import (
    ActorOption,
    JsonOption,
    ReasonOption,
    Requester,
    TransactionOption,
    post_command,
    requester,
)
from tocsin.cli.endpoint import ConfigOption, Endpoint, HttpOption, TokenOption, find
from tocsin.ingest.reject import printable

if TYPE_CHECKING:
    from collections.abc import Callable

CommandRequest = tuple[str, dict[str, Any]]
"""A verb and the body of its request, without actor, comment and transaction."""

_SHOWN_CHARACTERS = 200


def _every_command(
    *,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    transaction: TransactionOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> tuple[Endpoint, Requester, bool]:
    return find(config, address, token_file), requester(actor, reason, transaction), as_json


def command_with_common_options(say: Callable[..., CommandRequest]) -> Callable[..., None]:
    """Turn a function that builds a request into a command with the common options.

    An option of the function replaces the common option of the same name.
    """
    own = inspect.signature(say, eval_str=True).parameters
    common = inspect.signature(_every_command, eval_str=True).parameters
    together = [*own.values(), *(p for name, p in common.items() if name not in own)]
    # Typer distinguishes arguments and options by the annotation; the kind of parameter makes no difference to it.
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in together]

    def run(**given: Any) -> None:  # noqa: ANN401  (values parsed by typer)
        verb, body = say(**{name: value for name, value in given.items() if name in own})
        endpoint, by, as_json = _every_command(**{name: value for name, value in given.items() if name not in own})
        reply = post_command(endpoint, verb, body, by)
        if as_json or reply["data"]["events"] or "stream" not in body or "alarm" in body:
            tables.show_events(reply, as_json=as_json)
        else:
            typer.echo(printable(f"{body['stream']}: {verb}: done", _SHOWN_CHARACTERS))

    run.__name__, run.__doc__ = say.__name__, say.__doc__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)  # read by `inspect`
    return run
