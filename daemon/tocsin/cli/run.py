"""`tocsin run`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import sys
from enum import StrEnum
from typing import Annotated

import typer

from tocsin.cli.check import ConfigurationFile, load_checked
from tocsin.cli.errors import Failure


class LogLevel(StrEnum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    file: ConfigurationFile,
    *,
    log_level: Annotated[LogLevel, typer.Option(help="The lowest level that is logged.")] = LogLevel.INFO,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    It reconnects to the broker without limit. On SIGTERM it stops reading, finishes its work,
    publishes offline and exits with 0.
    """
    from tocsin.http.server import PortTakenError  # noqa: PLC0415
    from tocsin.plug_ins import PlugInError  # noqa: PLC0415
    from tocsin.runtime import run as run_daemon  # noqa: PLC0415  (slow to import)
    from tocsin.store import StoreError  # noqa: PLC0415

    logging.basicConfig(
        stream=sys.stderr,
        level=log_level.upper(),
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
    checked = load_checked(file)
    try:
        asyncio.run(run_daemon(checked))
    except PortTakenError as error:
        raise Failure(str(error), f"set http.port in {file}, or TOCSIN_HTTP__PORT") from error
    except PlugInError as error:
        raise Failure(str(error)) from error
    except StoreError as error:
        raise Failure(str(error), error.remedy) from error
    except OSError as error:  # password file; a running daemon raises none
        raise Failure(str(error)) from error
