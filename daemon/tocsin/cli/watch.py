"""`tocsin watch`: print alarms live."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from tocsin.cli.address import BrokerOption, VersionOption
from tocsin.cli.mqtt_client import connected
from tocsin.ingest.reject import printable
from tocsin.mqtt.settings import Subscription

if TYPE_CHECKING:
    from tocsin.ingest.message import Message

# IEC 60601-1-8: high red, medium yellow, low cyan.
_STYLE_OF = {"high": "bold red", "medium": "yellow", "low": "cyan"}
_BATCH = 1000
_SHOWN_CHARACTERS = 1000


def watch(
    broker: BrokerOption = "mqtt://localhost:1883",
    *,
    base: Annotated[str, typer.Option(help="Prefix of the topics, as the daemon's publish.base says.")] = "tocsin",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, as published.")] = False,
    mqtt: VersionOption = "5",
) -> None:
    """Print alarms live: first the active ones, then each transition. Ctrl-C ends it."""
    with suppress(KeyboardInterrupt):  # the normal end
        asyncio.run(_watch(broker, mqtt, base, as_json=json))


async def _watch(broker: str, version: str, base: str, *, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    wanted = [Subscription(f"{base}/{what}") for what in ("status", "alarm/#", "event/#")]
    async with connected(broker, version, "tocsin-watch", wanted) as connection:
        while True:
            batch = await connection.receive(max_messages=_BATCH)
            for message in batch.messages:
                show(console, message, base, as_json=as_json)
            connection.acknowledge(batch)


def show(console: Console, message: Message, base: str, *, as_json: bool) -> None:
    """Print one message. States are printed only if they are retained and active."""
    kind = message.topic.removeprefix(f"{base}/").partition("/")[0]
    if kind == "alarm" and not message.retain:
        return  # its transition is printed
    try:
        body = msgspec.json.decode(message.payload)
        line = _status_line(body) if kind == "status" else _alarm_line(body)
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):  # any client can publish here
        topic = printable(message.topic, _SHOWN_CHARACTERS)
        typer.echo(f"{topic}: not a message of Tocsin: {message.payload[:80]!r}", err=True)
        return
    if line is None:
        return
    if as_json:
        console.out(msgspec.json.format(message.payload, indent=-1).decode())  # on one line
    else:
        line.plain = printable(line.plain, _SHOWN_CHARACTERS)
        console.print(line)


def _status_line(body: dict[str, Any]) -> Text:
    return Text(f"daemon {body['state']} (Tocsin {body['version']})", style="dim")


def _alarm_line(body: dict[str, Any]) -> Text | None:
    if "transition" not in body and body["state"] == "normal":  # nothing is active
        return None
    what = body.get("transition", "up")
    style = _STYLE_OF[body["priority"]] if what in {"raise", "up"} else "dim"
    line = f"{body['t']}  {body['stream']:<16} {what:<9} {body['priority']:<6} {body['alarm']:<20} {body['reason']}"
    return Text(line, style=style)
