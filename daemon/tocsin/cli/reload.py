"""`tocsin reload` and `tocsin rollback`: have a daemon read its configuration again, or go back to the one before."""

from __future__ import annotations

import typer

from tocsin.cli.check import ConfigurationFile, sound
from tocsin.cli.endpoint import Endpoint, HttpOption, TokenOption, ask, find, open_at
from tocsin.cli.errors import Failure

_WAIT_S = 120.0  # it loads every bundle before it changes over
_REFUSED = (401, 403)


def reload(file: ConfigurationFile, *, address: HttpOption = None, token_file: TokenOption = None) -> None:
    """Have the running daemon read its configuration again.

    Checks FILE first. The daemon then builds everything anew and changes over at once; streams whose model is the same
    keep their state, and a new model warms up beside the old one. If anything is wrong it goes on as before and this
    says why. SIGHUP does the same.
    """
    checked = sound(file)
    if checked.config is None:
        raise AssertionError  # `sound` leaves where there are faults
    door = open_at(checked.config.http, file.parent, address, token_file)
    _command(door, "/-/reload", "mend the configuration and reload again")


def rollback(file: ConfigurationFile, *, address: HttpOption = None, token_file: TokenOption = None) -> None:
    """Have the running daemon go back to the configuration, and the models, that ran before the last reload.

    While a new model warms up, the old one has seen everything and goes on at once; later it warms up beside the new
    one. FILE says where the daemon listens, and may be faulty otherwise. Said twice, it goes forth again.
    """
    _command(find(file, address, token_file), "/-/rollback")


def _command(door: Endpoint, path: str, remedy: str | None = None) -> None:
    answer = ask(door, "POST", path, within_s=_WAIT_S)
    if answer.status in _REFUSED:
        raise Failure(f"the daemon at {door.address} takes no command: {answer.text.rstrip()}")
    if not answer.is_ok:
        raise Failure(f"the daemon goes on as before:\n{answer.text.rstrip()}", remedy)
    typer.echo(answer.text, nl=False)
