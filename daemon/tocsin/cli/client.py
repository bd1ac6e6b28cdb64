"""Asking a running daemon by its verbs, for commands of the command line."""

from __future__ import annotations

import getpass
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import quote, urlencode

import typer

from tocsin.cli.endpoint import Endpoint, HttpAnswer, ask
from tocsin.cli.errors import Failure
from tocsin.config.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXIT_REFUSED = 3

ActorOption = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Who does it; whoever is logged in if left out.")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, in your words.")]
TransactionOption = Annotated[
    str | None, typer.Option(metavar="ID", help="The same one again changes nothing; a new one if left out.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As the daemon answers, for programs.")]


class CommandRefused(Failure):
    """The daemon understood, and won't."""

    exit_code = EXIT_REFUSED


@dataclass(frozen=True, slots=True)
class Who:
    """Who gives a command, why, and its mark.

    Attributes:
        actor: Their name.
        comment: Why.
        transaction: The command's own mark.
    """

    actor: str
    comment: str | None
    transaction: str


def who(actor: str | None, comment: str | None, transaction: str | None) -> Who:
    """Say who it is; tells whose name is taken if none was given."""
    if actor is None:
        actor = getpass.getuser()
        typer.echo(f"as {actor}", err=True)
    return Who(actor, comment, transaction or f"cli-{uuid.uuid4().hex}")


def question(door: Endpoint, path: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401  (whatever the verb answers)
    """Ask what changes nothing.

    Raises:
        Failure: Nobody answers, or not with an answer.
    """
    query = {name: value for name, value in values.items() if value is not None}
    answer = ask(door, "GET", f"/api/v1/{path}" + (f"?{urlencode(query, doseq=True)}" if query else ""))
    if not answer.is_ok:
        _fail(answer)
    return json.loads(answer.body)


def command(door: Endpoint, verb: str, body: Mapping[str, Any], by: Who) -> dict[str, Any]:
    """Have something done.

    Raises:
        Failure: Nobody answers, or the daemon refuses.
    """
    envelope = {"actor": by.actor, "comment": by.comment, "transaction": by.transaction}
    answer = ask(door, "POST", f"/api/v1/commands/{verb}", {**envelope, **body})
    if not answer.is_ok:
        _fail(answer)
    reply: dict[str, Any] = json.loads(answer.body)
    return reply


def pages(
    door: Endpoint,
    values: Mapping[str, Any],
    at_most: int | None,
    page: int = 5_000,
    *,
    path: str = "history",
    of: str = "events",
) -> Iterator[dict[str, Any]]:
    """Read a log page by page, what is newest first; the alarm log if nothing else is said."""
    before = None
    left = at_most
    while left is None or left > 0:
        limit = page if left is None else min(page, left)
        found = question(door, path, {**values, "before": before, "limit": limit})
        yield from found[of]
        before = found["before"]
        left = None if left is None else left - len(found[of])
        if before is None:
            return


def alarm_path(alarm: str) -> str:
    """`STREAM/ALARM`, in a path."""
    return "alarms/" + quote(alarm, safe="/")


def apart(alarm: str) -> dict[str, str]:
    """`STREAM/ALARM` as a request has it.

    >>> apart("icu/bed-3/spo2-low")
    {'stream': 'icu/bed-3', 'alarm': 'spo2-low'}

    Raises:
        Failure: It has no slash.
    """
    stream, _, name = alarm.rpartition("/")
    if not stream or not name:
        raise Failure(f"{alarm!r} is no alarm", "write STREAM/ALARM, such as icu/bed-3/spo2-low")
    return {"stream": stream, "alarm": name}


def labels(given: list[str]) -> dict[str, str]:
    """`NAME=VALUE`s.

    >>> labels(["ward=icu"])
    {'ward': 'icu'}

    Raises:
        Failure: One has no `=`.
    """
    for text in given:
        if "=" not in text:
            raise Failure(f"label {text!r} is no NAME=VALUE", "write --label ward=icu")
    return dict(text.partition("=")[::2] for text in given)


def duration_s(text: str, option: str) -> float:
    """Read a duration: `90 s`, `30min`, `2h`, `7d`.

    Raises:
        Failure: It is none.
    """
    try:
        value = seconds(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}") from error
    return float(str(value))


def moment(text: str | None, option: str, now: datetime) -> str | None:
    """Read a time: ISO 8601, or how long ago (`2d`).

    >>> moment("2h", "--since", datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T10:00:00+00:00'
    >>> moment("2026-01-01T10:00:00Z", "--since", datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T10:00:00+00:00'

    Raises:
        Failure: It is neither.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return (now - timedelta(seconds=float(str(seconds(text))))).isoformat()
        except (ValueError, OverflowError):
            raise Failure(
                f"{option} {text!r} is no time", "write 2d, 36h, or ISO 8601 such as 2026-01-31T08:00:00Z"
            ) from None
    if at.tzinfo is None:
        at = at.astimezone()  # as the clock on the wall here
    return at.astimezone(UTC).isoformat()


def _fail(answer: HttpAnswer) -> NoReturn:
    try:
        detail = str(json.loads(answer.body)["detail"])
    except (ValueError, KeyError, TypeError):
        raise Failure(
            f"what answers there is no daemon that takes commands (HTTP {answer.status})", "is --http right?"
        ) from None
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Failure(detail, "give --config FILE of the daemon, or --token-file")
    raise CommandRefused(detail)
