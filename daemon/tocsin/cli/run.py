"""`tocsin run`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import sys
from enum import StrEnum
from typing import Annotated

import typer

from tocsin.cli.check import ConfigurationFile, sound
from tocsin.cli.errors import Failure


class LogLevel(StrEnum):
    """How much the log says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    file: ConfigurationFile,
    *,
    log_level: Annotated[LogLevel, typer.Option(help="How much the log says.")] = LogLevel.INFO,
) -> None:
    """Run the daemon: read streams, ring alarms, until SIGTERM or Ctrl-C.

    Reconnects to the broker for ever. On SIGTERM it stops reading, finishes what it has, says offline and exits 0.
    """
    from tocsin.http.server import PortTakenError  # noqa: PLC0415
    from tocsin.runtime import run as run_daemon  # noqa: PLC0415  (other commands need not wait for it)
    from tocsin.store import StoreError  # noqa: PLC0415

    logging.basicConfig(
        stream=sys.stderr,
        level=log_level.upper(),
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
    checked = sound(file)
    try:
        asyncio.run(run_daemon(checked))
    except PortTakenError as error:
        raise Failure(str(error), f"set http.port in {file}, or TOCSIN_HTTP__PORT") from error
    except StoreError as error:
        raise Failure(str(error), error.remedy) from error
    except OSError as error:  # of the password file; once the daemon runs, none comes out of it
        raise Failure(str(error)) from error
