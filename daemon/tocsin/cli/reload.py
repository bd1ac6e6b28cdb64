"""`tocsin reload` and `tocsin rollback`: apply a changed configuration, or return to the previous one."""

from __future__ import annotations

import typer

from tocsin.cli.check import ConfigurationFile, load_checked
from tocsin.cli.endpoint import Endpoint, HttpOption, TokenOption, ask, endpoint_of, find
from tocsin.cli.errors import Failure

_WAIT_S = 120.0  # the daemon loads every bundle before it switches
_REFUSED = (401, 403)


def reload(file: ConfigurationFile, *, address: HttpOption = None, token_file: TokenOption = None) -> None:
    """Make the running daemon read its configuration again.

    The command checks FILE first. The daemon then builds the new configuration and switches at once. Streams with an
    unchanged model keep their state; a new model warms up as a shadow of the old one. After a fault the daemon keeps
    the old configuration and the command prints the reason. SIGHUP does the same.
    """
    checked = load_checked(file)
    if checked.config is None:
        raise AssertionError  # `load_checked` exits if there are faults
    endpoint = endpoint_of(checked.config.http, file.parent, address, token_file)
    _post_command(endpoint, "/-/reload", "correct the configuration and reload again")


def rollback(file: ConfigurationFile, *, address: HttpOption = None, token_file: TokenOption = None) -> None:
    """Return the running daemon to the configuration and the models before the last reload.

    While a new model still warms up, the old one takes over at once; later it warms up as a shadow of the new one.
    FILE gives the address of the daemon; other faults in it do not matter. A second rollback undoes the first.
    """
    _post_command(find(file, address, token_file), "/-/rollback")


def _post_command(endpoint: Endpoint, path: str, remedy: str | None = None) -> None:
    answer = ask(endpoint, "POST", path, within_s=_WAIT_S)
    if answer.status in _REFUSED:
        raise Failure(f"the daemon at {endpoint.address} refuses the command: {answer.text.rstrip()}")
    if not answer.is_ok:
        raise Failure(f"the daemon keeps its configuration:\n{answer.text.rstrip()}", remedy)
    typer.echo(answer.text, nl=False)
