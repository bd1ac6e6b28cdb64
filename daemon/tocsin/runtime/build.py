"""Building a deployment and the connection's settings from a checked configuration.

Everything that can fail for the configuration's sake fails here, before a socket opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.alarm import AlarmPolicies
from tocsin.config.build import grouping_of, overrides, policy_of
from tocsin.config.conditions.score import score_statistics
from tocsin.config.secrets import secret
from tocsin.config.sources import source_settings, units_of, watches_of
from tocsin.config.thresholds import condition_of
from tocsin.engine import Alarm, Engine, FrameClock, Watch
from tocsin.engine.conditions.adaptation import Adaptation
from tocsin.engine.events import Category
from tocsin.ingest.decoder import Decoder
from tocsin.ingest.formats.sparkplug import NAMESPACE
from tocsin.ingest.formats.sparkplug_payload import host_state
from tocsin.metrics.streams import StreamSeries
from tocsin.mqtt.request_topics import RequestTopics
from tocsin.mqtt.settings import Announcement, ConnectionSettings, ProtocolVersion, StatusTopic, Subscription, Tls
from tocsin.notify.home_assistant import birth_topic
from tocsin.notify.mqtt_messages import status_payload, status_topic
from tocsin.runtime.deployment import Deployment, labels_by_watch
from tocsin.runtime.sources import Source
from tocsin.runtime.watch_runtime import WatchRuntime

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.bundle import Bundle
    from tocsin.config import Config
    from tocsin.config.schema import Adapt, Broker, WatchEntry

_NS_PER_S = 1_000_000_000
_MAX_PAUSE_NS = 60 * _NS_PER_S  # the pipeline calls every second: after longer, the host slept or its clock was set


def build_deployment(config: Config, bundles: dict[str, Bundle]) -> Deployment:
    """Build all parts; their engines know no stream yet."""
    runtimes = build_runtimes(config, bundles)
    return Deployment(
        config,
        bundles,
        runtimes,
        build_sources(config, runtimes),
        _series(config, runtimes),
        build_policies(config, runtimes),
    )


def build_policies(config: Config, runtimes: dict[str, WatchRuntime]) -> AlarmPolicies:
    """Build the handling of each watch's alarms."""
    found = []
    for name, runtime in runtimes.items():
        for alarm in runtime.engine.alarms:
            channels = tuple(runtime.model.channels[channel].name for channel in alarm.condition.channels)
            entry = config.watches[name].alarms[alarm.name]
            found.append(policy_of(name, alarm, channels, entry, config.alarms))
    return AlarmPolicies(found, grouping_of(config.groups), lambda stream: labels_by_watch(runtimes, stream))


def _series(config: Config, runtimes: dict[str, WatchRuntime]) -> StreamSeries | None:
    if not config.metrics.streams:
        return None
    watches = {name: (runtime.engine, runtime.model) for name, runtime in runtimes.items()}
    return StreamSeries(config.metrics.streams, config.metrics.max_streams, watches)


def build_runtimes(config: Config, bundles: dict[str, Bundle]) -> dict[str, WatchRuntime]:
    """Build each watch's engine and clock, by watch."""
    runtimes = {}
    for name, entry in config.watches.items():
        model = bundles[name].model
        clock = FrameClock(
            lateness_ns=_ns(entry.lateness_s),
            frame_timeout_ns=model.period_ns if entry.frame_timeout_s is None else _ns(entry.frame_timeout_s),
            reprocess_late_ticks=entry.reprocess_late_ticks,
            aggregate=entry.aggregate,
        )
        watch = Watch(
            model,
            build_alarms(entry, bundles[name]),
            clock,
            entry.max_streams,
            name,
            evict_after_ns=None if entry.evict_after_s is None else _ns(entry.evict_after_s),
            max_pause_ns=None if entry.clock == "event" else _MAX_PAUSE_NS,
            explain_ticks=entry.explain_ticks,
            overrides=overrides(entry, bundles[name]),
            adaptation=build_adaptation(entry.adapt, bundles[name]),
        )
        engine = Engine(watch)
        runtimes[name] = WatchRuntime(name, engine, model, clock_is_event=entry.clock == "event")
    return runtimes


def build_adaptation(adapts: Adapt | None, bundle: Bundle) -> Adaptation | None:
    """Build the adaptation of a watch's thresholds; None where none is configured or the bundle has no quantiles."""
    statistics = score_statistics(bundle)
    if adapts is None or statistics is None:
        return None
    period_ns = bundle.model.period_ns
    settle_ticks = _ns(adapts.settle_s) // period_ns
    step = adapts.max_rise_per_hour * period_ns / 3_600e9
    return Adaptation(statistics.median, statistics.p90, adapts.max_ratio, settle_ticks, step)


def build_sources(config: Config, runtimes: dict[str, WatchRuntime]) -> list[Source]:
    """Build each source's decoder."""
    built = []
    for entry in config.sources:
        of_source = tuple(runtimes[name] for name in watches_of(entry, list(runtimes)))
        units = units_of(runtime.model for runtime in of_source)
        max_skew_ns = _ns(config.watches[of_source[0].name].max_skew_s)  # the same for all of them
        built.append(Source(Decoder(source_settings(entry, units, max_skew_ns)), of_source, entry.qos))
    return built


def build_alarms(entry: WatchEntry, bundle: Bundle) -> list[Alarm]:
    """Build a watch's alarms, in the configuration's order."""
    made = []
    for name, alarm in entry.alarms.items():
        condition = condition_of(alarm, bundle)
        category = alarm.category or (Category.TECHNICAL if condition.technical else Category.PHYSIOLOGICAL)
        made.append(Alarm(name, condition, alarm.priority, category, _ns(alarm.on_delay_s), _ns(alarm.off_delay_s)))
    return made


def connection_settings(
    config: Config, sources: list[Source], folder: Path, version: str, now: int
) -> ConnectionSettings:
    """Build the settings of the broker's connection.

    Args:
        config: The configuration.
        sources: Sources, for their subscriptions.
        folder: Folder of the configuration, to which its file names are relative.
        version: Version of Tocsin.
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
        password=password(broker, folder),
        tls=None if broker.tls is None else _tls(broker, folder),
        keepalive_s=round(broker.keepalive_s),
        session_expiry_s=round(broker.session_expiry_s),
        receive_maximum=broker.receive_maximum,
        subscriptions=subscriptions(sources, config),
        status=StatusTopic(
            topic=status_topic(base),
            online=status_payload("online", version, now),
            offline=status_payload("offline", version, now),
        ),
        announcements=_host_states(config, now),
    )


def _host_states(config: Config, now: int) -> tuple[Announcement, ...]:
    """State messages of the Sparkplug primary hosts that sources act as."""
    hosts = dict.fromkeys(entry.primary_host for entry in config.sources if entry.primary_host is not None)
    ms = now // 1_000_000
    return tuple(
        Announcement(
            f"{NAMESPACE}/STATE/{host}", host_state(online=True, now_ms=ms), host_state(online=False, now_ms=ms)
        )
        for host in hosts
    )


def subscriptions(sources: list[Source], config: Config) -> tuple[Subscription, ...]:
    """Subscriptions of the sources, of requests, and of Home Assistant's birth message."""
    home_assistant = config.notify.home_assistant
    births = () if home_assistant is None else (Subscription(birth_topic(home_assistant.discovery_prefix), 0),)
    return (*source_subscriptions(sources), Subscription(RequestTopics(config.publish.base).filter), *births)


def source_subscriptions(sources: list[Source]) -> tuple[Subscription, ...]:
    """Subscriptions of the sources, one for each topic filter, with the highest quality of service asked for."""
    qos_of: dict[str, int] = {}
    for source in sources:
        for template in source.decoder.templates:
            qos_of[template.filter] = max(source.qos, qos_of.get(template.filter, 0))
    return tuple(Subscription(topic_filter, 1 if qos else 0) for topic_filter, qos in qos_of.items())


def password(broker: Broker, folder: Path) -> str | None:
    """Read the broker's password; None where there is none.

    Raises:
        OSError: Its file can't be read.
    """
    if broker.password_file is not None:
        return secret("password file", folder / broker.password_file)
    return broker.password.get_secret_value() if broker.password is not None else None


def _tls(broker: Broker, folder: Path) -> Tls:
    def file(name: str) -> Path | None:
        value: Path | None = getattr(broker.tls, name)
        return None if value is None else folder / value

    return Tls(file("ca_file"), file("cert_file"), file("key_file"))


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)
