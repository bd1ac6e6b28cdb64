"""`tocsin reload`: have a daemon read its configuration again."""

from __future__ import annotations

import http.client
from typing import Annotated

import typer

from tocsin.cli.check import ConfigurationFile, sound
from tocsin.cli.failure import Failure

_WAIT_S = 120.0  # it loads every bundle before it changes over
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (one can listen there, not ask there)


def reload(
    file: ConfigurationFile,
    *,
    address: Annotated[
        str | None, typer.Option("--http", metavar="HOST:PORT", help="Where the daemon listens, if not as FILE says.")
    ] = None,
) -> None:
    """Have the running daemon read its configuration again.

    Checks FILE first. The daemon then builds everything anew and changes over at once; streams whose model is the same
    keep their state. If anything is wrong it goes on as before and this says why. SIGHUP does the same.
    """
    checked = sound(file)
    if checked.config is None:
        raise AssertionError  # `sound` leaves where there are faults
    host, port = checked.config.http.host, checked.config.http.port
    if address is not None:
        host, _, digits = address.rpartition(":")
        if not host or not digits.isdecimal():
            raise Failure(f"--http {address!r} is no address", "write HOST:PORT, such as 127.0.0.1:9464")
        port = int(digits)
    connection = http.client.HTTPConnection(_EVERYWHERE.get(host, host.strip("[]")), port, timeout=_WAIT_S)
    try:
        connection.request("POST", "/-/reload")
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(
            f"no daemon answers at {host}:{port} ({error})", "start it with `tocsin run`, or say where it is by --http"
        ) from error
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise Failure(f"the daemon goes on as before:\n{text.rstrip()}", "mend the configuration and reload again")
    typer.echo(text, nl=False)
