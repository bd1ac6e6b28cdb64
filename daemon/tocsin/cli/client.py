"""HTTP requests of the command line to a running daemon, and the parsing of their arguments."""

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
from tocsin.config.types import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXIT_REFUSED = 3

ActorOption = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Your name; the login name if left out.")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="The reason, in your words.")]
TransactionOption = Annotated[
    str | None, typer.Option(metavar="ID", help="An id that makes a repeated command harmless; a new one if left out.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer of the daemon as JSON.")]


class CommandRefused(Failure):
    """The daemon refused the command."""

    exit_code = EXIT_REFUSED


@dataclass(frozen=True, slots=True)
class Requester:
    """The actor of a command, the reason, and the transaction id."""

    actor: str
    comment: str | None
    transaction: str


def requester(actor: str | None, comment: str | None, transaction: str | None) -> Requester:
    """Build the requester; without an actor, take the login name and print it."""
    if actor is None:
        actor = getpass.getuser()
        typer.echo(f"as {actor}", err=True)
    return Requester(actor, comment, transaction or f"cli-{uuid.uuid4().hex}")


def get(endpoint: Endpoint, path: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401  (whatever the verb answers)
    """Query the daemon: a GET below `/api/v1`.

    Raises:
        Failure: No daemon answers, or the answer is an error.
    """
    query = {name: value for name, value in values.items() if value is not None}
    answer = ask(endpoint, "GET", f"/api/v1/{path}" + (f"?{urlencode(query, doseq=True)}" if query else ""))
    if not answer.is_ok:
        _fail(answer)
    return json.loads(answer.body)


def post_command(endpoint: Endpoint, verb: str, body: Mapping[str, Any], by: Requester) -> dict[str, Any]:
    """Send a command to the daemon.

    Raises:
        Failure: No daemon answers.
        CommandRefused: The daemon refuses the command.
    """
    envelope = {"actor": by.actor, "comment": by.comment, "transaction": by.transaction}
    answer = ask(endpoint, "POST", f"/api/v1/commands/{verb}", {**envelope, **body})
    if not answer.is_ok:
        _fail(answer)
    reply: dict[str, Any] = json.loads(answer.body)
    return reply


def pages(
    endpoint: Endpoint,
    values: Mapping[str, Any],
    at_most: int | None,
    page: int = 5_000,
    *,
    path: str = "history",
    of: str = "events",
) -> Iterator[dict[str, Any]]:
    """Read a log page by page, newest first; by default the alarm log."""
    before = None
    left = at_most
    while left is None or left > 0:
        limit = page if left is None else min(page, left)
        found = get(endpoint, path, {**values, "before": before, "limit": limit})
        yield from found[of]
        before = found["before"]
        left = None if left is None else left - len(found[of])
        if before is None:
            return


def alarm_path(alarm: str) -> str:
    """The path of an alarm below `/api/v1`."""
    return "alarms/" + quote(alarm, safe="/")


def split_alarm(alarm: str) -> dict[str, str]:
    """Split `STREAM/ALARM` into the fields of a request.

    >>> split_alarm("icu/bed-3/spo2-low")
    {'stream': 'icu/bed-3', 'alarm': 'spo2-low'}

    Raises:
        Failure: The text has no slash.
    """
    stream, _, name = alarm.rpartition("/")
    if not stream or not name:
        raise Failure(f"{alarm!r} is no alarm", "write STREAM/ALARM, such as icu/bed-3/spo2-low")
    return {"stream": stream, "alarm": name}


def labels(given: list[str]) -> dict[str, str]:
    """Parse `NAME=VALUE` texts.

    >>> labels(["ward=icu"])
    {'ward': 'icu'}

    Raises:
        Failure: A text has no `=`.
    """
    for text in given:
        if "=" not in text:
            raise Failure(f"label {text!r} is no NAME=VALUE", "write --label ward=icu")
    return dict(text.partition("=")[::2] for text in given)


def duration_s(text: str, option: str) -> float:
    """Parse a duration such as `90 s`, `30min`, `2h`, `7d`; seconds.

    Raises:
        Failure: The text is no duration.
    """
    try:
        value = seconds(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}") from error
    return float(str(value))


def moment(text: str | None, option: str, now: datetime) -> str | None:
    """Parse a time: ISO 8601, or a duration before `now` such as `2d`.

    >>> moment("2h", "--since", datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T10:00:00+00:00'
    >>> moment("2026-01-01T10:00:00Z", "--since", datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T10:00:00+00:00'

    Raises:
        Failure: The text is neither.
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
        at = at.astimezone()  # local time
    return at.astimezone(UTC).isoformat()


def _fail(answer: HttpAnswer) -> NoReturn:
    try:
        detail = str(json.loads(answer.body)["detail"])
    except (ValueError, KeyError, TypeError):
        raise Failure(
            f"the server at this address is no Tocsin daemon (HTTP {answer.status})", "check --http HOST:PORT"
        ) from None
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Failure(detail, "give --config FILE of the daemon, or --token-file")
    raise CommandRefused(detail)
