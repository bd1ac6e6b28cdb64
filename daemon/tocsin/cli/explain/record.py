"""What is read of an event that explains itself, and the bundle that rang it."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tocsin.bundle import BundleError, load, shipped_folder
from tocsin.cli.client import apart, pages
from tocsin.cli.errors import Failure
from tocsin.config.checks.references import bundle_folder
from tocsin.config.document import DocumentError
from tocsin.config.document import read as read_document
from tocsin.engine.events import Frames
from tocsin.ingest.reject import printable
from tocsin.ingest.timestamps import iso_8601

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.bundle import Bundle
    from tocsin.cli.endpoint import Endpoint

_ALARM = re.compile(r".+/[a-z0-9][a-z0-9_-]*")
_SHOWN_CHARACTERS = 500
_CLOSE = 1e-4  # relative: other runtimes and processors round otherwise


class Said(msgspec.Struct):
    """What the event says that its judgement rests on, as far as it is told again."""

    model: str
    sha256: str
    warm_up_ticks: int
    frames_seen: int
    threshold: float | None = None
    rising_since: str | None = None
    state_since: str | None = None
    gap_ended: str | None = None
    gap_s: float | None = None
    rewound: str | None = None
    rewound_ns: int | None = None


class _Named(msgspec.Struct):
    name: str
    version: str
    sha256: str


class ExplainedEvent(msgspec.Struct):
    """What is needed of an event; it may say more."""

    stream: str
    alarm: str
    reason: str
    t_ns: int
    score: float | None
    explanation: Said
    frames: Frames

    @property
    def title(self) -> str:
        """Which alarm, and when."""
        return printable(f"{self.stream}/{self.alarm}  {iso_8601(self.t_ns)}", _SHOWN_CHARACTERS)

    def facts(self) -> list[str]:
        """Its reason, which model rang it, and what touched the model's state, a line each."""
        said = self.explanation
        lines = [self.reason, f"model {said.model}, graph {said.sha256[:12]}"]
        if said.rising_since:
            lines.append(f"score above half its threshold since {said.rising_since}")
        lines.append(
            f"{said.frames_seen} frames since the state was empty, {said.state_since} (warm-up: {said.warm_up_ticks})"
        )
        if said.gap_ended:
            lines.append(f"last gap: {said.gap_s or 0:g} s, until {said.gap_ended}")
        if said.rewound:
            lines.append(f"a late reading was put in at {said.rewound}")
        return [printable(line, _SHOWN_CHARACTERS) for line in lines]

    def compared(self, again: float) -> tuple[str, bool]:
        """Whether a score made again is the one that rang, in words and as such."""
        if self.score is None:
            return "the alarm had no score to compare with", True
        if again == self.score:
            return f"score {again!r}: made again to the bit", True
        if np.isclose(again, self.score, rtol=_CLOSE, atol=0.0):
            rounded = "equal but for rounding, as on another runtime or processor"
            return f"score {again!r}, the alarm's was {self.score!r}: {rounded}", True
        return f"score {again!r}, but the alarm's was {self.score!r}: it could not be made again", False


def read(file: str, event: int | None) -> ExplainedEvent:
    """Read an event that carries frames.

    Args:
        file: Where it stands: as JSON, or lines of them, or an answer with events; `-` is stdin.
        event: Its id; None takes the newest.

    Raises:
        Failure: There is none, or it can't be read.
    """
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    return _newest(_objects(text), event)


def is_alarm(what: str) -> bool:
    """Whether this names an alarm, and no file that is there.

    >>> is_alarm("icu/bed-3/spo2-low"), is_alarm("events/event.json"), is_alarm("-")
    (True, False, False)
    """
    return _ALARM.fullmatch(what) is not None and not Path(what).exists()


def ask(door: Endpoint, alarm: str, event: int | None) -> ExplainedEvent:
    """Ask the daemon when an alarm rang.

    Args:
        door: Where it is.
        alarm: STREAM/ALARM.
        event: The id of the event that raised it; None takes the newest.

    Raises:
        Failure: Nobody answers, or nothing is known of it.
    """
    named = apart(alarm)
    wanted = {"stream": escape(named["stream"]), "alarm": named["alarm"], "transition": "raise", "occurrence": event}
    raised = list(pages(door, wanted, 1))
    if not raised:
        raise Failure(
            f"{alarm} has not rung{'' if event is None else f' as event {event}'}", "see tocsin alarms history"
        )
    return _newest(raised, event)


def _newest(found: Iterable[dict[str, Any]], event: int | None) -> ExplainedEvent:
    entries = [entry for entry in found if event is None or entry.get("id") == event]
    explained = [entry for entry in entries if entry.get("frames") is not None]
    if not explained:
        raise Failure(
            "no event here carries frames",
            "take the one that raised an alarm of a model's, from a watch whose explain_ticks is not 0",
        )
    newest = max(explained, key=lambda entry: entry.get("t_ns", 0))
    try:
        return msgspec.convert(newest, ExplainedEvent)
    except msgspec.ValidationError as error:
        raise Failure(f"this is no event: {error}") from error


def bundle_of(record: ExplainedEvent, folder: Path | None, config: Path | None) -> Bundle:
    """Load the bundle that rang.

    Args:
        record: The event.
        folder: Where the bundle is; None if the configuration says so, or it is a shipped one.
        config: The configuration; None for none.

    Raises:
        Failure: It is not there, is damaged, or has another graph.
    """
    name, sha256 = record.explanation.model, record.explanation.sha256
    if folder is None and config is not None:
        folder = _named_in(config, name, sha256)
    folder = folder or shipped_folder() / name
    try:
        bundle = load(folder)
    except BundleError as error:
        raise Failure(str(error), f"--model FOLDER with the bundle {name}") from error
    if bundle.model.sha256 != sha256:
        raise Failure(
            f"{folder} has another graph: sha256 {bundle.model.sha256[:12]}…, the alarm's is {sha256[:12]}…",
            f"--model FOLDER with the bundle {name} that rang",
        )
    return bundle


def _named_in(config: Path, name: str, sha256: str) -> Path | None:
    """The folder of the bundle that a watch names; of several versions of its graph the one that rang. Loads none."""
    try:
        watches = read_document(config).content.get("watches")
    except DocumentError as error:
        raise Failure(str(error), "mend it, or say by --model where the bundle is") from error
    entries = watches.values() if isinstance(watches, dict) else ()
    models = [entry.get("model") for entry in entries if isinstance(entry, dict)]
    found: dict[str, Path] = {}  # by graph
    for model in models:
        folder = bundle_folder(str(model), config.parent)
        if folder is not None:
            with suppress(msgspec.DecodeError):  # then it is not the one that rang
                manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=_Named)
                if f"{manifest.name}/{manifest.version}" == name:
                    found[manifest.sha256] = folder
    return found.get(sha256) or next(iter(found.values()), None)


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    """Every JSON object in the text: one document, or one a line; those in its `events` instead of an answer."""
    try:
        documents = [msgspec.json.decode(text)]
    except msgspec.DecodeError:
        documents = []
        for line in text.splitlines():
            if line.strip():
                try:
                    documents.append(msgspec.json.decode(line))
                except msgspec.DecodeError as error:
                    raise Failure(f"this is no JSON: {error}", "give an event as `history --json` prints it") from error
    for document in documents:
        for entry in document if isinstance(document, list) else [document]:
            if isinstance(entry, dict):
                yield from (one for one in entry.get("events", [entry]) if isinstance(one, dict))
