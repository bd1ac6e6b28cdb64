"""From a checked configuration to the parts that run: everything that can fail does so here, before a socket opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.alarm import AlarmPolicies
from tocsin.config.build_conditions import condition_of
from tocsin.config.build_overrides import overrides
from tocsin.config.build_policies import grouping_of, plan_of
from tocsin.config.secrets import secret
from tocsin.config.sources import source_settings, units_of, watches_of
from tocsin.config.thresholds import usual_of
from tocsin.engine import Alarm, Engine, EventClock, FrameClock, Watch
from tocsin.engine.conditions.adaptation import Adaptation
from tocsin.engine.conditions.base import channels_of, is_technical
from tocsin.engine.events import Category
from tocsin.engine.handover.migration import succeed
from tocsin.engine.handover.shadow import Shadow, obstacle
from tocsin.engine.lifecycle import checkpoint
from tocsin.engine.streams.table import NEVER
from tocsin.ingest.decoder import Decoder
from tocsin.ingest.formats.sparkplug import NAMESPACE
from tocsin.ingest.formats.sparkplug_payload import host_state
from tocsin.metrics.streams import StreamSeries
from tocsin.mqtt.request_topics import Topics
from tocsin.mqtt.settings import Announcement, ConnectionSettings, ProtocolVersion, StatusTopic, Subscription, Tls
from tocsin.notify.home_assistant import birth_topic
from tocsin.notify.mqtt_messages import status_payload, status_topic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tocsin.bundle import Bundle
    from tocsin.config import Config
    from tocsin.config.schema import Adapt, Broker, WatchEntry
    from tocsin.engine import EngineResult, Readings
    from tocsin.engine.events import Priority
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.lifecycle.transfer import StreamState
    from tocsin.engine.model import Model

_NS_PER_S = 1_000_000_000
_MAX_PAUSE_NS = 60 * _NS_PER_S  # the pump calls every second: who doesn't was asleep, or the clock was set


class WatchRuntime:
    """One watch at work: its engine, and the clock that its `now` comes from."""

    def __init__(self, name: str, engine: Engine, model: Model, *, clock_is_event: bool) -> None:
        """Start at the beginning of time.

        Args:
            name: Of the watch.
            engine: Its streams.
            model: Its model.
            clock_is_event: Whether `now` is the newest reading's time, as for recordings, or the wall's.
        """
        self.name = name
        self.engine = engine
        self.model = model
        self.clock_is_event = clock_is_event
        self._event_clock = EventClock(engine) if clock_is_event else None

    def take_over(self, before: WatchRuntime, wall_now: int) -> EngineResult:
        """Go on with the streams of a station of another configuration, which must not be used any more.

        What happened on the way is told of the streams as `before` knows them.
        """
        now = before._now(wall_now)
        engine_result = succeed(before.engine, self.engine, now)
        self._set_clock(before, now, wall_now)
        return engine_result

    def obstacle(self, before: WatchRuntime) -> str | None:
        """Why this station's model can't warm up beside the one of `before`; None if it can."""
        if self.clock_is_event != before.clock_is_event:
            return "its clock is another"
        return obstacle(before.model, self.model)

    def stand_beside(self, before: WatchRuntime, wall_now: int) -> tuple[Shadow, EngineResult]:
        """Let the model warm up on the streams of a station of another configuration, which goes on."""
        now = before._now(wall_now)
        shadow, engine_result = Shadow.cast(before.engine, self.engine, now)
        self._set_clock(before, now, wall_now)
        return shadow, engine_result

    def _set_clock(self, before: WatchRuntime, now: int, wall_now: int) -> None:
        table = self.engine.table
        rows = slice(0, len(table))
        if self._event_clock is not None:
            self._event_clock = EventClock(self.engine, max(now, int(table.newest_t[rows].max(initial=0))))
        if (self._event_clock is None) != (before._event_clock is None):
            # Silence was counted on the other clock: it begins anew.
            heard = table.last_reading_at[rows] != NEVER
            table.last_reading_at[rows][heard] = wall_now if self._event_clock is None else self._event_clock.now

    def resume(self, wall_now: int) -> None:
        """Let what waits for readings begin to wait anew: nobody could hear them until now."""
        if self._event_clock is not None:
            return  # time stood still
        self.engine.now = wall_now
        table = self.engine.table
        for column in (table.last_reading_at, table.opened_at):
            column[column != NEVER] = np.maximum(column[column != NEVER], wall_now)

    def export(self) -> dict[str, Any]:
        """Copy all that is remembered, as plain data with arrays in it."""
        clock = None if self._event_clock is None else self._event_clock.now
        return {"engine": checkpoint.export(self.engine), "clock": clock}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Go on with what `export` gave under the same configuration.

        Raises:
            ValueError: It was another configuration's.
        """
        if (data["clock"] is None) != (self._event_clock is None):
            raise ValueError(f"watch {self.name}: its memory is by another clock")
        checkpoint.restore(self.engine, data["engine"])
        if self._event_clock is not None:
            self._event_clock = EventClock(self.engine, data["clock"])

    def carry_out(self, command: StreamCommand, wall_now: int) -> EngineResult:
        """Let the engine do what is asked of a stream, at its own `now`.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        return self.engine.carry_out(command, self._now(wall_now))

    def refuse(self, command: StreamCommand, wall_now: int) -> None:
        """Say whether the engine can't do what is asked of a stream; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        self.engine.refuse(command, self._now(wall_now))

    def is_on_standby(self, stream: str, wall_now: int) -> bool:
        """Whether a stream is known, and not judged now."""
        row = self.engine.table.row_of(stream)
        return row is not None and bool(self.engine.table.standby_until[row] > self._now(wall_now))

    def take(self, memory: StreamState, wall_now: int) -> EngineResult:
        """Let the engine go on with what was remembered of a stream elsewhere.

        Raises:
            StreamRefused: It is of another model, or there is no room; nothing has changed.
        """
        return self.engine.take(memory, self._now(wall_now))

    def lose(self, streams: Sequence[str], wall_now: int) -> EngineResult:
        """Let the engine hear that streams are gone, at its own `now`."""
        return self.engine.lose(streams, self._now(wall_now))

    def _now(self, wall_now: int) -> int:
        """The engine's."""
        return wall_now if self._event_clock is None else self._event_clock.now

    def apply(self, readings: Readings, wall_now: int) -> EngineResult:
        """Let the engine take in readings at its own `now`."""
        if self._event_clock is not None:
            return self._event_clock.apply(readings)
        return self.engine.apply(readings, wall_now)


@dataclass(frozen=True, slots=True)
class Source:
    """One source at work: its messages are decoded here and go to one or more stations."""

    decoder: Decoder
    runtimes: tuple[WatchRuntime, ...]
    qos: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything that one configuration asks for, but for the connection.

    Attributes:
        config: It.
        bundles: By watch, to make everything anew.
        runtimes: By watch.
        sources: In the order of the sources.
        series: Of the streams that may have some; None if no stream may.
        policies: How each alarm is handled.
    """

    config: Config
    bundles: dict[str, Bundle]
    runtimes: dict[str, WatchRuntime]
    sources: list[Source]
    series: StreamSeries | None
    policies: AlarmPolicies

    def shown(self) -> tuple[list[Model], list[tuple[str, Priority, Category]], StreamSeries | None]:
        """What the metrics have to make room for: models, alarms, series of streams."""
        at_work = self.runtimes.values()
        alarms = [(a.name, a.priority, a.category) for runtime in at_work for a in runtime.engine.alarms]
        return [runtime.model for runtime in at_work], alarms, self.series


def deployment(config: Config, bundles: dict[str, Bundle]) -> Deployment:
    """Make everything anew; nothing of it has met a reading."""
    made = runtimes(config, bundles)
    return Deployment(config, bundles, made, sources(config, made), _series(config, made), policies(config, made))


def policies(config: Config, made: dict[str, WatchRuntime]) -> AlarmPolicies:
    """Say how each watch's alarms are handled."""
    found = []
    for name, runtime in made.items():
        for alarm in runtime.engine.alarms:
            channels = tuple(runtime.model.channels[channel].name for channel in channels_of(alarm.condition))
            entry = config.watches[name].alarms[alarm.name]
            found.append(plan_of(name, alarm, channels, entry, config.alarms))
    return AlarmPolicies(found, grouping_of(config.groups), lambda stream: _whereabouts(made, stream))


def _whereabouts(made: dict[str, WatchRuntime], stream: str) -> dict[str, Mapping[str, str]]:
    tables = {name: runtime.engine.table for name, runtime in made.items()}
    rows = {name: table.row_of(stream) for name, table in tables.items()}
    return {name: tables[name].labels[row] for name, row in rows.items() if row is not None}


def _series(config: Config, made: dict[str, WatchRuntime]) -> StreamSeries | None:
    if not config.metrics.streams:
        return None
    watches = {name: (runtime.engine, runtime.model) for name, runtime in made.items()}
    return StreamSeries(config.metrics.streams, config.metrics.max_streams, watches)


def runtimes(config: Config, bundles: dict[str, Bundle]) -> dict[str, WatchRuntime]:
    """Make each watch's engine."""
    made = {}
    for name, entry in config.watches.items():
        model = bundles[name].model
        clock = FrameClock(
            lateness_ns=_ns(entry.lateness_s),
            linger_ns=model.period_ns if entry.frame_timeout_s is None else _ns(entry.frame_timeout_s),
            rewind_ticks=entry.reprocess_late_ticks,
            combine=entry.aggregate,
        )
        watch = Watch(
            model,
            alarms(entry, bundles[name]),
            clock,
            entry.max_streams,
            name,
            evict_after_ns=None if entry.evict_after_s is None else _ns(entry.evict_after_s),
            max_pause_ns=None if entry.clock == "event" else _MAX_PAUSE_NS,
            explain_ticks=entry.explain_ticks,
            overrides=overrides(entry, bundles[name]),
            adaptation=adaptation_of(entry.adapt, bundles[name]),
        )
        engine = Engine(watch)
        made[name] = WatchRuntime(name, engine, model, clock_is_event=entry.clock == "event")
    return made


def adaptation_of(adapts: Adapt | None, bundle: Bundle) -> Adaptation | None:
    """Say how a watch's thresholds are adapted."""
    usual = usual_of(bundle)
    if adapts is None or usual is None:
        return None
    period_ns = bundle.model.period_ns
    settle_ticks = _ns(adapts.settle_s) // period_ns
    step = adapts.max_rise_per_hour * period_ns / 3_600e9
    return Adaptation(usual.middle, usual.high, adapts.max_ratio, settle_ticks, step)


def sources(config: Config, made: dict[str, WatchRuntime]) -> list[Source]:
    """Make each source's decoder."""
    at = []
    for entry in config.sources:
        taking = tuple(made[name] for name in watches_of(entry, list(made)))
        units = units_of(runtime.model for runtime in taking)
        max_skew_ns = _ns(config.watches[taking[0].name].max_skew_s)  # the same for all of them
        at.append(Source(Decoder(source_settings(entry, units, max_skew_ns)), taking, entry.qos))
    return at


def alarms(entry: WatchEntry, bundle: Bundle) -> list[Alarm]:
    """Make a watch's alarms."""
    made = []
    for name, alarm in entry.alarms.items():
        condition = condition_of(alarm, bundle)
        category = alarm.category or (Category.TECHNICAL if is_technical(condition) else Category.PHYSIOLOGICAL)
        made.append(Alarm(name, condition, alarm.priority, category, _ns(alarm.on_delay_s), _ns(alarm.off_delay_s)))
    return made


def connection_settings(config: Config, at: list[Source], beside: Path, version: str, now: int) -> ConnectionSettings:
    """Say how to reach the broker and what to ask of it.

    Args:
        config: The configuration.
        at: The sources.
        beside: The configuration's folder, from which its file names count.
        version: Of Tocsin.
        now: Nanoseconds since 1970.

    Raises:
        OSError: The password file can't be read.
    """
    broker, base = config.broker, config.publish.base
    return ConnectionSettings(
        host=broker.host,
        port=broker.port,
        client_id=broker.client_id,
        version=ProtocolVersion.V5 if broker.version == "5" else ProtocolVersion.V311,
        username=broker.username,
        password=password(broker, beside),
        tls=None if broker.tls is None else _tls(broker, beside),
        keepalive_s=round(broker.keepalive_s),
        session_expiry_s=round(broker.session_expiry_s),
        receive_maximum=broker.receive_maximum,
        subscriptions=subscriptions(at, config),
        status=StatusTopic(
            topic=status_topic(base),
            online=status_payload("online", version, now),
            offline=status_payload("offline", version, now),
        ),
        announcements=_host_states(config, now),
    )


def _host_states(config: Config, now: int) -> tuple[Announcement, ...]:
    """What says whether a primary host of Sparkplug is online, for each that a source is."""
    hosts = dict.fromkeys(entry.primary_host for entry in config.sources if entry.primary_host is not None)
    ms = now // 1_000_000
    return tuple(
        Announcement(
            f"{NAMESPACE}/STATE/{host}", host_state(online=True, now_ms=ms), host_state(online=False, now_ms=ms)
        )
        for host in hosts
    )


def subscriptions(at: list[Source], config: Config) -> tuple[Subscription, ...]:
    """Say what the sources want to receive, and where requests and Home Assistant's birth come."""
    house = config.notify.home_assistant
    births = () if house is None else (Subscription(birth_topic(house.discovery_prefix), 0),)
    return (*source_subscriptions(at), Subscription(Topics(config.publish.base).filter), *births)


def source_subscriptions(at: list[Source]) -> tuple[Subscription, ...]:
    """Say what the sources want to receive."""
    qos_of: dict[str, int] = {}
    for source in at:
        for template in source.decoder.templates:
            qos_of[template.filter] = max(source.qos, qos_of.get(template.filter, 0))
    return tuple(Subscription(topic_filter, 1 if qos else 0) for topic_filter, qos in qos_of.items())


def password(broker: Broker, beside: Path) -> str | None:
    """Find the broker's password.

    Raises:
        OSError: Its file can't be read.
    """
    if broker.password_file is not None:
        return secret("password file", beside / broker.password_file)
    return broker.password.get_secret_value() if broker.password is not None else None


def _tls(broker: Broker, beside: Path) -> Tls:
    def file(name: str) -> Path | None:
        value: Path | None = getattr(broker.tls, name)
        return None if value is None else beside / value

    return Tls(file("ca_file"), file("cert_file"), file("key_file"))


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)
