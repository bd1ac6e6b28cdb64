"""`tocsin reload`: have a daemon read its configuration again."""

from __future__ import annotations

import typer

from tocsin.cli.check import ConfigurationFile, sound
from tocsin.cli.door import HttpOption, TokenOption, ask, open_at
from tocsin.cli.failure import Failure

_WAIT_S = 120.0  # it loads every bundle before it changes over
_REFUSED = (401, 403)


def reload(file: ConfigurationFile, *, address: HttpOption = None, token_file: TokenOption = None) -> None:
    """Have the running daemon read its configuration again.

    Checks FILE first. The daemon then builds everything anew and changes over at once; streams whose model is the same
    keep their state. If anything is wrong it goes on as before and this says why. SIGHUP does the same.
    """
    checked = sound(file)
    if checked.config is None:
        raise AssertionError  # `sound` leaves where there are faults
    door = open_at(checked.config.http, file.parent, address, token_file)
    answer = ask(door, "POST", "/-/reload", within_s=_WAIT_S)
    if answer.status in _REFUSED:
        raise Failure(f"the daemon at {door.address} takes no command: {answer.text.rstrip()}")
    if not answer.is_ok:
        raise Failure(
            f"the daemon goes on as before:\n{answer.text.rstrip()}", "mend the configuration and reload again"
        )
    typer.echo(answer.text, nl=False)
