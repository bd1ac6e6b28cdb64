"""An event with its explanation, and the bundle that scored it."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tocsin.bundle import BundleError, bundle_folder, load, shipped_folder
from tocsin.cli.client import pages, split_alarm
from tocsin.cli.errors import Failure
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


class ExplanationFields(msgspec.Struct):
    """The fields of an explanation that are printed."""

    model: str
    sha256: str
    warm_up_ticks: int
    frames_seen: int
    threshold: float | None = None
    rising_since: str | None = None
    state_since: str | None = None
    gap_ended: str | None = None
    gap_s: float | None = None
    reprocessed: str | None = None
    reprocessed_ns: int | None = None


class _Named(msgspec.Struct):
    name: str
    version: str
    sha256: str


class ExplainedEvent(msgspec.Struct):
    """The fields of an event that an explanation needs; others are ignored."""

    stream: str
    alarm: str
    reason: str
    t_ns: int
    score: float | None
    explanation: ExplanationFields
    frames: Frames

    @property
    def title(self) -> str:
        return printable(f"{self.stream}/{self.alarm}  {iso_8601(self.t_ns)}", _SHOWN_CHARACTERS)

    def facts(self) -> list[str]:
        """Reason, model, warm-up, gaps and reprocessing, one line each."""
        fields = self.explanation
        lines = [self.reason, f"model {fields.model}, graph {fields.sha256[:12]}"]
        if fields.rising_since:
            lines.append(f"score above half its threshold since {fields.rising_since}")
        lines.append(
            f"{fields.frames_seen} frames since the state was empty, {fields.state_since} "
            f"(warm-up: {fields.warm_up_ticks})"
        )
        if fields.gap_ended:
            lines.append(f"last gap: {fields.gap_s or 0:g} s, until {fields.gap_ended}")
        if fields.reprocessed:
            lines.append(f"a late reading was put in at {fields.reprocessed}")
        return [printable(line, _SHOWN_CHARACTERS) for line in lines]

    def compared(self, rescored: float) -> tuple[str, bool]:
        """Compare the computed score with that of the event: a sentence, and whether they are equal."""
        if self.score is None:
            return "the alarm had no score to compare with", True
        if rescored == self.score:
            return f"score {rescored!r}: equal to the bit", True
        if np.isclose(rescored, self.score, rtol=_CLOSE, atol=0.0):
            rounded = "equal within rounding, as on another runtime or processor"
            return f"score {rescored!r}, the alarm's was {self.score!r}: {rounded}", True
        return f"score {rescored!r}, but the alarm's was {self.score!r}; the computed score differs", False


def read(file: str, event: int | None) -> ExplainedEvent:
    """Read an event with frames.

    Args:
        file: JSON, JSON lines, or an answer of the API; `-` is stdin.
        event: The id; None takes the newest.

    Raises:
        Failure: The file cannot be read, or has no such event.
    """
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    return _newest(_objects(text), event)


def is_alarm(what: str) -> bool:
    """Whether this is the name of an alarm and not of an existing file.

    >>> is_alarm("icu/bed-3/spo2-low"), is_alarm("events/event.json"), is_alarm("-")
    (True, False, False)
    """
    return _ALARM.fullmatch(what) is not None and not Path(what).exists()


def ask(endpoint: Endpoint, alarm: str, event: int | None) -> ExplainedEvent:
    """Read the event that raised an alarm from the daemon.

    Args:
        endpoint: The daemon.
        alarm: STREAM/ALARM.
        event: The id of the event; None takes the newest.

    Raises:
        Failure: No daemon answers, or the alarm was never raised.
    """
    named = split_alarm(alarm)
    wanted = {"stream": escape(named["stream"]), "alarm": named["alarm"], "transition": "raise", "occurrence": event}
    raised = list(pages(endpoint, wanted, 1))
    if not raised:
        raise Failure(
            f"{alarm} was not raised{'' if event is None else f' by event {event}'}", "see tocsin alarms history"
        )
    return _newest(raised, event)


def _newest(found: Iterable[dict[str, Any]], event: int | None) -> ExplainedEvent:
    entries = [entry for entry in found if event is None or entry.get("id") == event]
    explained = [entry for entry in entries if entry.get("frames") is not None]
    if not explained:
        raise Failure(
            "no event here carries frames",
            "take the event that raised an alarm of a model, from a watch with explain_ticks above 0",
        )
    newest = max(explained, key=lambda entry: entry.get("t_ns", 0))
    try:
        return msgspec.convert(newest, ExplainedEvent)
    except msgspec.ValidationError as error:
        raise Failure(f"the input is no event: {error}") from error


def bundle_of(record: ExplainedEvent, folder: Path | None, config: Path | None) -> Bundle:
    """Load the bundle that scored an event.

    Args:
        record: The event.
        folder: The folder of the bundle; None for that of the configuration, or a shipped one.
        config: The configuration, if there is one.

    Raises:
        Failure: The bundle is missing or damaged, or has another graph.
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
            f"--model FOLDER with the bundle {name} that raised the alarm",
        )
    return bundle


def _named_in(config: Path, name: str, sha256: str) -> Path | None:
    """Find the bundle by the manifests of the configured models, without loading any."""
    try:
        watches = read_document(config).content.get("watches")
    except DocumentError as error:
        raise Failure(str(error), "correct it, or give the bundle by --model") from error
    entries = watches.values() if isinstance(watches, dict) else ()
    models = [entry.get("model") for entry in entries if isinstance(entry, dict)]
    found: dict[str, Path] = {}  # by graph
    for model in models:
        folder = bundle_folder(str(model), config.parent)
        if folder is not None:
            with suppress(msgspec.DecodeError):  # not the bundle that is wanted
                manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=_Named)
                if f"{manifest.name}/{manifest.version}" == name:
                    found[manifest.sha256] = folder
    return found.get(sha256) or next(iter(found.values()), None)


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    """All JSON objects of a document or of JSON lines; for an answer of the API, those in `events`."""
    try:
        documents = [msgspec.json.decode(text)]
    except msgspec.DecodeError:
        documents = []
        for line in text.splitlines():
            if line.strip():
                try:
                    documents.append(msgspec.json.decode(line))
                except msgspec.DecodeError as error:
                    raise Failure(
                        f"the input is not JSON: {error}", "give an event as `history --json` prints it"
                    ) from error
    for document in documents:
        for entry in document if isinstance(document, list) else [document]:
            if isinstance(entry, dict):
                yield from (one for one in entry.get("events", [entry]) if isinstance(one, dict))
