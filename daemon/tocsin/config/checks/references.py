"""Checks of what a configuration refers to: bundles, channels, streams, files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from tocsin.config.checks import receivers
from tocsin.config.checks.alarm_policy import alarm_policy_faults
from tocsin.config.checks.overrides import override_faults
from tocsin.config.checks.sources import decoder_faults, source_faults
from tocsin.config.checks.watches import UnusableModelError, loaded_bundle, watch_faults
from tocsin.config.notify import Notify
from tocsin.config.schema import Broker, Config, Http, Publish, WatchEntry
from tocsin.config.secrets import token
from tocsin.config.sources import SourceEntry
from tocsin.config.types import Section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.bundle import Bundle
    from tocsin.config.document import Document, Fault

_Path = tuple[str | int, ...]
_Fault = tuple[_Path, str]
_S = TypeVar("_S", bound=Section)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Parts of a configuration that fit the schema; defaults stand in for single sections that don't.

    Attributes:
        sources: Sources by their index.
        watches: Watches by name.
        names: Names of all watches, also of those that don't fit.
        broker: Section `broker`.
        http: Section `http`.
        publish: Section `publish`.
        notify: Section `notify`.
    """

    sources: list[tuple[int, SourceEntry]]
    watches: dict[str, WatchEntry]
    names: list[str]
    broker: Broker
    http: Http
    publish: Publish
    notify: Notify


class ReferenceChecker:
    """Checks what a configuration refers to.

    Attributes:
        bundles: Bundles that could be loaded, by watch.
        faults: Faults in the order in which they were found.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._folder = document.file.parent
        self.bundles: dict[str, Bundle] = {}
        self.faults: list[Fault] = []

    def check(self, config: Config | None) -> None:
        """Check all parts that fit the schema, so that a user sees the faults of a file at once.

        Args:
            config: The whole configuration; None if some part doesn't fit.
        """
        parts = _parts_of(self._document) if config is None else _parts(config)
        self.faults += [self._document.fault(path, message) for path, message in self._found(parts)]

    def _found(self, parts: _Parts) -> Iterator[_Fault]:
        for name, watch in parts.watches.items():
            for path, message in self._of_watch(name, watch):
                yield ("watches", name, *path), message
        for index, source in parts.sources:
            found = [*source_faults(source, parts.watches, parts.names, self.bundles, parts.publish.base, parts.broker)]
            for path, message in found or decoder_faults(source, parts.names, self.bundles):
                yield ("sources", index, *path), message
        yield from alarm_policy_faults(parts.watches, [source for _, source in parts.sources])
        yield from override_faults(parts.watches, self.bundles)
        yield from _file_faults(parts.broker, self._folder)
        yield from _token_faults(parts.http, self._folder)
        yield from receivers.faults(parts.notify, self._folder)

    def _of_watch(self, name: str, watch: WatchEntry) -> Iterator[_Fault]:
        try:
            bundle = loaded_bundle(watch, self._folder)
        except UnusableModelError as error:
            yield error.path, str(error)
            return
        self.bundles[name] = bundle
        yield from watch_faults(watch, bundle)


def _parts(config: Config) -> _Parts:
    return _Parts(
        sources=list(enumerate(config.sources)),
        watches=dict(config.watches),
        names=list(config.watches),
        broker=config.broker,
        http=config.http,
        publish=config.publish,
        notify=config.notify,
    )


def _parts_of(document: Document) -> _Parts:
    """Take the parts that fit out of a document that doesn't fit as a whole."""
    content = document.content
    raw_watches, raw_sources = content.get("watches"), content.get("sources")
    raw_watches = raw_watches if isinstance(raw_watches, dict) else {}
    raw_sources = raw_sources if isinstance(raw_sources, list) else []
    return _Parts(
        sources=[(i, s) for i, raw in enumerate(raw_sources) if (s := _valid(SourceEntry, raw)) is not None],
        watches={name: w for name, raw in raw_watches.items() if (w := _valid(WatchEntry, raw)) is not None},
        names=list(raw_watches),
        broker=_valid(Broker, content.get("broker", {})) or Broker(),
        http=_valid(Http, content.get("http", {})) or Http(),
        publish=_valid(Publish, content.get("publish", {})) or Publish(),
        notify=_valid(Notify, content.get("notify", {})) or Notify(),
    )


def _valid(kind: type[_S], raw: object) -> _S | None:
    try:
        return kind.model_validate(raw)
    except ValidationError:
        return None  # a fault of the schema, which is reported there


def _file_faults(broker: Broker, folder: Path) -> Iterator[_Fault]:
    files: list[tuple[_Path, Path | None]] = [(("broker", "password_file"), broker.password_file)]
    if broker.tls is not None:
        files += [(("broker", "tls", key), getattr(broker.tls, key)) for key in ("ca_file", "cert_file", "key_file")]
    for path, file in files:
        if file is not None and not (folder / file).is_file():
            yield path, f"file {str(file)!r} does not exist"


def _token_faults(http: Http, folder: Path) -> Iterator[_Fault]:
    if http.token_file is None:
        return
    try:
        token(folder / http.token_file)
    except FileNotFoundError:
        yield ("http", "token_file"), f"file {str(http.token_file)!r} does not exist"
    except OSError as error:
        yield ("http", "token_file"), str(error)
