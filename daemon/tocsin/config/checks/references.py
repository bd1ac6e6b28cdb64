"""What a configuration names: topics, models, channels, files."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from tocsin.bundle import Bundle, BundleError, load, shipped_folder
from tocsin.bundle.calibration import BudgetError
from tocsin.config.checks import receivers
from tocsin.config.checks.alarm_policy import handling_faults
from tocsin.config.checks.overrides import override_faults
from tocsin.config.checks.sources import decoder_faults, source_faults
from tocsin.config.conditions import ForecastEntry
from tocsin.config.notify import Notify
from tocsin.config.schema import Broker, Config, Http, Publish, SourceEntry, WatchEntry
from tocsin.config.secrets import token
from tocsin.config.thresholds import of_budget, score_statistics
from tocsin.config.types import Section
from tocsin.engine.model import ChannelKind, Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.config.conditions import LimitEntry, Member
    from tocsin.config.document import Document, Fault
    from tocsin.config.schema import AlarmEntry

_TASKS = {
    "anomaly": (Task.FORECAST, Task.SEQ2SEQ),
    "probability": (Task.ALARM, Task.CLASSIFY),
    "drift": (Task.FORECAST, Task.SEQ2SEQ),
    "forecast": (Task.SEQ2SEQ,),
}
_LEAST_QUANTILES = 2
LEAST_SETTLING = 100  # ticks
MOST_LATE = 3600  # ticks; each is an open frame in every stream
MOST_A_TICK = 0.05
_NO_USUAL = (
    "what is usual of the score on normal streams, and {}'s manifest doesn't say: "
    "python -m tocsin_training.recalibrate writes it, for a score that is positive"
)
_NS_PER_S = 1_000_000_000
_S_PER_H = 3600
_Path = tuple[str | int, ...]
_S = TypeVar("_S", bound=Section)


class ReferenceChecker:
    """Checks what a configuration names.

    Attributes:
        bundles: By watch, those that could be loaded.
        faults: As they were found.
    """

    def __init__(self, document: Document) -> None:
        """Prepare to check a file; nothing has been looked at yet."""
        self._document = document
        self._folder = document.file.parent
        self.bundles: dict[str, Bundle] = {}
        self.faults: list[Fault] = []

    def _fault(self, path: _Path, message: str) -> None:
        self.faults.append(self._document.fault(path, message))

    def check(self, config: Config | None) -> None:
        """Check the parts that fit the schema, though others may not: one round of mending should do.

        Args:
            config: None where some part doesn't fit.
        """
        content = self._document.content
        if config is not None:
            base = config.publish.base
            watches, broker, http = dict(config.watches), config.broker, config.http
            notify = config.notify
            sources: list[tuple[int, SourceEntry]] = list(enumerate(config.sources))
            names = list(watches)
        else:
            raw_watches, raw_sources = content.get("watches"), content.get("sources")
            raw_watches = raw_watches if isinstance(raw_watches, dict) else {}
            raw_sources = raw_sources if isinstance(raw_sources, list) else []
            names = list(raw_watches)
            watches = {name: w for name, raw in raw_watches.items() if (w := _valid(WatchEntry, raw)) is not None}
            sources = [(i, s) for i, raw in enumerate(raw_sources) if (s := _valid(SourceEntry, raw)) is not None]
            broker = _valid(Broker, content.get("broker", {})) or Broker()
            http = _valid(Http, content.get("http", {})) or Http()
            base = (_valid(Publish, content.get("publish", {})) or Publish()).base
            notify = _valid(Notify, content.get("notify", {})) or Notify()
        for name, watch in watches.items():
            self._check_watch(("watches", name), name, watch)
        for index, source in sources:
            faults = [*source_faults(source, watches, names, self.bundles, base, broker)]
            for path, message in faults or decoder_faults(source, names, self.bundles):
                self._fault(("sources", index, *path), message)
        for path, message in handling_faults(watches, [source for _, source in sources]):
            self._fault(path, message)
        for path, message in override_faults(watches, self.bundles):
            self._fault(path, message)
        self._check_files(broker)
        self._check_token(http)
        for path, message in receivers.faults(notify, self._folder):
            self._fault(path, message)

    def _check_token(self, http: Http) -> None:
        if http.token_file is None:
            return
        try:
            token(self._folder / http.token_file)
        except FileNotFoundError:
            self._fault(("http", "token_file"), f"file {str(http.token_file)!r} does not exist")
        except OSError as error:
            self._fault(("http", "token_file"), str(error))

    def _check_files(self, broker: Broker) -> None:
        files: list[tuple[_Path, Path | None]] = [(("broker", "password_file"), broker.password_file)]
        if broker.tls is not None:
            files += [
                (("broker", "tls", key), getattr(broker.tls, key)) for key in ("ca_file", "cert_file", "key_file")
            ]
        for path, file in files:
            if file is not None and not (self._folder / file).is_file():
                self._fault(path, f"file {str(file)!r} does not exist")

    def _check_watch(self, path: _Path, name: str, watch: WatchEntry) -> None:
        folder = bundle_folder(watch.model, self._folder)
        if folder is None:
            shipped = sorted(
                f"{m.parent.parent.name}/{m.parent.name}" for m in shipped_folder().glob("*/*/manifest.json")
            )
            self._fault(
                (*path, "model"),
                f"no bundle {watch.model!r} (legal: a folder with a manifest.json, from here or absolute, "
                f"or a shipped one: {', '.join(shipped) or 'none'})",
            )
            return
        try:
            bundle = load(folder)
        except BundleError as error:
            self._fault((*path, "model"), str(error))
            return
        if bundle.manifest.task is Task.GENERATE:
            self._fault(
                (*path, "model"),
                f"{bundle.manifest.name} is of task generate: it makes streams and judges none; use another model here "
                "(`tocsin generate` makes streams with it)",
            )
            return
        if watch.period_s is not None and not bundle.manifest.any_period:
            self._fault(
                (*path, "period_s"),
                f"{bundle.manifest.name} was trained for ticks of {bundle.manifest.period_s:g} s and no others: "
                "leave period_s out",
            )
            return
        self.bundles[name] = bundle if watch.period_s is None else bundle.ticking(watch.period_s)
        period_s = self.bundles[name].model.period_ns / _NS_PER_S
        if watch.lateness_s > MOST_LATE * period_s:
            self._fault(
                (*path, "lateness_s"),
                f"{watch.lateness_s:g} holds {watch.lateness_s / period_s:.3g} frames open in every stream (legal: "
                f"up to {MOST_LATE} ticks, {MOST_LATE * period_s:g} s)",
            )
        for channel in watch.aggregate:
            self._check_channel((*path, "aggregate", channel), channel, bundle)
        self._check_adaptation(path, watch, self.bundles[name])
        for alarm_name, alarm in watch.alarms.items():
            self._check_alarm((*path, "alarms", alarm_name), alarm, self.bundles[name])

    def _check_adaptation(self, path: _Path, watch: WatchEntry, bundle: Bundle) -> None:
        adapts = watch.adapt
        if adapts is None:
            return
        path, period_s = (*path, "adapt"), bundle.model.period_ns / _NS_PER_S
        kinds = {member.kind for alarm in watch.alarms.values() for member in (alarm.members or [alarm])}
        if score_statistics(bundle) is None:
            self._fault(path, f"adapt needs to know {_NO_USUAL.format(bundle.manifest.name)}")
        elif "anomaly" not in kinds:
            self._fault(path, "adapts nothing: no alarm of this watch is an anomaly: leave adapt out")
        for place, threshold in _thresholds(watch):
            if threshold <= 0:
                self._fault(
                    (*path[:-1], *place),
                    f"{threshold:g} can't be adapted: so many times as much is no more (legal: above 0, or leave adapt "
                    "out)",
                )
        self._check_settling(path, adapts.settle_s, bundle)
        if adapts.max_rise_per_hour * period_s / _S_PER_H > MOST_A_TICK:
            self._fault(
                path,
                f"max_rise_per_hour {adapts.max_rise_per_hour:g} lets a single score move what is usual of a stream by "
                f"more than {MOST_A_TICK:.0%} (legal: up to {MOST_A_TICK * _S_PER_H / period_s:g} with ticks of "
                f"{period_s:g} s)",
            )

    def _check_settling(self, path: _Path, settle_s: float, bundle: Bundle) -> None:
        period_s = bundle.model.period_ns / _NS_PER_S
        if settle_s < LEAST_SETTLING * period_s:
            self._fault(
                (*path, "settle_s"),
                f"{settle_s:g} is {settle_s / period_s:.3g} ticks of {bundle.manifest.name}, "
                "too few to say what is usual of a stream "
                f"(legal: from {LEAST_SETTLING} ticks, {LEAST_SETTLING * period_s:g} s)",
            )

    def _check_alarm(self, path: _Path, alarm: AlarmEntry, bundle: Bundle) -> None:
        if alarm.members:
            for index, member in enumerate(alarm.members):
                self._check_condition((*path, alarm.kind, index, member.kind), member, bundle)
        elif alarm.silent is None:
            self._check_condition((*path, alarm.kind), alarm, bundle)
        try:
            of_budget(alarm, bundle)
        except BudgetError as error:
            self._fault((*path, alarm.kind, "budget"), str(error))

    def _check_condition(self, path: _Path, entry: Member, bundle: Bundle) -> None:
        wanted = _TASKS.get(entry.kind)
        task = bundle.manifest.task
        if wanted is not None and task not in wanted:
            others = [kind for kind, tasks in _TASKS.items() if task in tasks and kind not in {"drift", "forecast"}]
            remedy = f": use {' or '.join(others)}" if entry.kind in {"anomaly", "probability"} else ""
            self._fault(
                path,
                f"{entry.kind} needs a model of task {' or '.join(wanted)}, and {bundle.manifest.name} is of task "
                f"{task}{remedy}",
            )
        elif entry.forecast is not None and len(bundle.manifest.quantiles or ()) < _LEAST_QUANTILES:
            self._fault(path, f"forecast needs two quantiles or more, and {bundle.manifest.name} has one")
        elif entry.drift is not None and score_statistics(bundle) is None:
            self._fault(path, f"drift needs to know {_NO_USUAL.format(bundle.manifest.name)}")
        elif entry.drift is not None:
            self._check_settling(path, entry.drift.settle_s, bundle)
        threshold = entry.probability.threshold if entry.probability is not None else None
        if threshold is not None and not 0 < threshold < 1:
            self._fault((*path, "threshold"), f"{threshold:g} is no probability to ring at (legal: between 0 and 1)")
        self._check_channels(path, entry, bundle)

    def _check_channels(self, path: _Path, entry: Member, bundle: Bundle) -> None:
        """Check the channels that a condition names, and what it asks of them."""
        change, limit = entry.rises or entry.falls, entry.above or entry.below or entry.forecast
        for named in (change, limit, entry.absent, entry.flatline, entry.implausible):
            if named is not None:
                self._check_channel((*path, "channel"), named.channel, bundle)
        if limit is not None:
            self._check_limit((*path, "limit"), limit, bundle)
        period_s = bundle.model.period_ns / _NS_PER_S
        if change is not None and change.within_s < period_s:
            self._fault(
                (*path, "within_s"),
                f"{change.within_s:g} s is shorter than a tick of {bundle.manifest.name} (legal: from {period_s:g} s)",
            )
        if entry.news2 is not None:
            for key, channel in entry.news2.channels.items():
                self._check_channel((*path, key), channel, bundle, ChannelKind.STATIC)

    def _check_channel(self, path: _Path, name: str, bundle: Bundle, *others: ChannelKind) -> None:
        legal = [c.name for c in bundle.manifest.channels if c.kind in {ChannelKind.READING, *others}]
        if name not in legal:
            self._fault(path, f"{bundle.manifest.name} measures no {name!r} (it measures: {', '.join(legal)})")

    def _check_limit(self, path: _Path, limit: LimitEntry | ForecastEntry, bundle: Bundle) -> None:
        if isinstance(limit, ForecastEntry):
            path = (*path[:-1], "above" if limit.above is not None else "below")
        for channel in bundle.manifest.channels:
            if channel.name == limit.channel and not channel.low <= limit.limit <= channel.high:
                self._fault(
                    path,
                    f"{limit.limit:g} can never be passed: {channel.name} is plausible from {channel.low:g} to "
                    f"{channel.high:g} {channel.unit}, and other values are refused",
                )


def _thresholds(watch: WatchEntry) -> Iterator[tuple[_Path, float]]:
    """Where a watch says at what score an anomaly rings, and at what."""
    for name, alarm in watch.alarms.items():
        if alarm.anomaly is not None and alarm.anomaly.threshold is not None:
            yield ("alarms", name, "anomaly", "threshold"), alarm.anomaly.threshold
        for index, member in enumerate(alarm.members):
            if member.anomaly is not None and member.anomaly.threshold is not None:
                yield ("alarms", name, alarm.kind, index, "anomaly", "threshold"), member.anomaly.threshold
    for index, override in enumerate(watch.overrides):
        for name, limit in override.limits.items():
            of = watch.alarms.get(name)
            if of is not None and of.anomaly is not None and override.adapt is None:
                yield ("overrides", index, "limits", name), limit


def bundle_folder(model: str, beside: Path) -> Path | None:
    """Find a bundle's folder: from the configuration's own folder, or among the shipped ones."""
    for folder in (beside / model, shipped_folder() / model):
        if (folder / "manifest.json").is_file():
            return folder
    return None


def _valid(kind: type[_S], raw: object) -> _S | None:
    try:
        return kind.model_validate(raw)
    except ValidationError:
        return None  # reported with the whole
