"""What every command that changes something has in common on the command line: its options, and how it is sent."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer

from tocsin.cli.alarms import tables
from tocsin.cli.client import ActorOption, JsonOption, ReasonOption, TransactionOption, Who, command, who
from tocsin.cli.endpoint import ConfigOption, Endpoint, HttpOption, TokenOption, find
from tocsin.ingest.reject import printable

if TYPE_CHECKING:
    from collections.abc import Callable

Said = tuple[str, dict[str, Any]]
"""A verb, and what its request says beside who gives it and why."""

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
) -> tuple[Endpoint, Who, bool]:
    return find(config, address, token_file), who(actor, reason, transaction), as_json


def commanding(say: Callable[..., Said]) -> Callable[..., None]:
    """Make a command of a function that says what to ask: with the options that all commands have, beside its own.

    An option of its own takes the place of the one of that name.
    """
    own = inspect.signature(say, eval_str=True).parameters
    common = inspect.signature(_every_command, eval_str=True).parameters
    together = [*own.values(), *(p for name, p in common.items() if name not in own)]
    # To typer each is an argument or an option by its annotation, whatever Python would call it.
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in together]

    def run(**given: Any) -> None:  # noqa: ANN401  (what typer has read)
        verb, body = say(**{name: value for name, value in given.items() if name in own})
        door, by, as_json = _every_command(**{name: value for name, value in given.items() if name not in own})
        reply = command(door, verb, body, by)
        if as_json or reply["data"]["events"] or "stream" not in body or "alarm" in body:
            tables.show_events(reply, as_json=as_json)
        else:
            typer.echo(printable(f"{body['stream']}: {verb}: done", _SHOWN_CHARACTERS))

    run.__name__, run.__doc__ = say.__name__, say.__doc__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)  # what `inspect` looks for
    return run
