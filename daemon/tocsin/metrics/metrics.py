"""The daemon's metrics, in a registry of their own.

No label here names a stream: a ward has hundreds, a plant thousands. `tocsin.metrics.streams` has series of the few
streams that the configuration names. Every counter exists from the start, at 0: a rate over a series that begins with
its first error never shows that error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tocsin.alarm.events import Event, Transition
from tocsin.alarm.registry import AlarmCounts
from tocsin.alarm.status import State
from tocsin.engine.events import Category, Priority
from tocsin.engine.result import ReadingReject
from tocsin.ingest.reject import RejectReason
from tocsin.metrics.mirrored_counter import MirroredCounter
from tocsin.metrics.persistence import StoreMetrics
from tocsin.metrics.shadow import ShadowMetrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from tocsin.engine.model import Model
    from tocsin.engine.result import Steps
    from tocsin.ingest.reject import Reject
    from tocsin.metrics.streams import StreamSeries

_BATCH_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
_APPLY_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

_RESULTS = ("success", "failure")
_QUIET = ("shelved", "suppressed", "out_of_service")

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """The state of the connection to the broker; totals since the daemon started.

    Attributes:
        connected: Whether the connection is up.
        connects_total: Connections that the broker accepted.
        inbox_messages: Received messages that wait.
        inbox_dropped_total: Received messages that were dropped.
        outbox_messages: Messages that wait to be published or acknowledged.
        outbox_dropped_total: Messages that were dropped unpublished.
    """

    connected: bool
    connects_total: int
    inbox_messages: int
    inbox_dropped_total: int
    outbox_messages: int
    outbox_dropped_total: int


class _WithoutCreated:
    """A registry without the creation times of counters, which would double the number of series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """All metrics, and the registry that renders them."""

    def __init__(
        self,
        version: str,
        models: Iterable[Model],
        alarms: Iterable[tuple[str, Priority, Category]],
        series: StreamSeries | None = None,
    ) -> None:
        """Create every series at 0.

        Args:
            version: The daemon's.
            models: The loaded models.
            alarms: Name, priority and category of the configured alarms.
            series: The series of single streams; None for none.
        """
        self._registry = registry = CollectorRegistry()
        self._messages = Counter("tocsin_messages_received_total", "Messages received.", registry=registry)
        self._readings = Counter("tocsin_readings_accepted_total", "Readings decoded and accepted.", registry=registry)
        self._rejected = Counter(
            "tocsin_rejects_total", "Messages, readings or values rejected, by reason.", ["reason"], registry=registry
        )
        self._rebirths = Counter(
            "tocsin_rebirth_requests_total", "Requests to Sparkplug edge nodes for a birth.", registry=registry
        )
        self._stale = Counter(
            "tocsin_stale_streams_total",
            "Streams whose Sparkplug node or device died; they are stale at once.",
            registry=registry,
        )
        self._requests = Counter(
            "tocsin_requests_total",
            "Requests that were understood and answered, over any transport, by status.",
            ["status"],
            registry=registry,
        )
        for status in ("ok", "error"):
            self._requests.labels(status)
        self._reprocessed = Counter(
            "tocsin_readings_reprocessed_total",
            "Late readings whose frames were reprocessed.",
            registry=registry,
        )
        self._evicted = Counter(
            "tocsin_streams_evicted_total", "Streams evicted because they were idle.", registry=registry
        )
        self._returned = Counter(
            "tocsin_streams_returned_total",
            "Evicted streams that came back with their stored state.",
            registry=registry,
        )
        self._steps = Counter(
            "tocsin_frames_stepped_total", "Frames closed and stepped through a model.", ["model"], registry=registry
        )
        self._batch = Histogram(
            "tocsin_batch_messages", "Messages in a batch.", buckets=_BATCH_BUCKETS, registry=registry
        )
        self._apply = Histogram(
            "tocsin_apply_duration_seconds",
            "Time the engine took for a batch.",
            buckets=_APPLY_BUCKETS_S,
            registry=registry,
        )
        self._latency = Histogram(
            "tocsin_event_latency_seconds",
            "Time from the arrival of the message that closed a frame to the event's delivery to the broker's queue.",
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._events = Counter(
            "tocsin_events_total",
            "Transitions of alarms.",
            ["alarm", "transition", "priority", "category"],
            registry=registry,
        )
        self._active = Gauge("tocsin_alarms_active", "Alarms that are up.", ["priority", "category"], registry=registry)
        self._alarms = Gauge("tocsin_alarms", "Alarms that are not normal, by state.", ["state"], registry=registry)
        self._quiet = Gauge(
            "tocsin_alarms_quiet",
            "Alarms that are not annunciated, by reason.",
            ["by"],
            registry=registry,
        )
        self._floods = Gauge(
            "tocsin_alarm_floods", "Groups in an alarm flood, announced as one alarm.", registry=registry
        )
        self._streams = Gauge("tocsin_streams", "Streams in the engine.", registry=registry)
        self._warming_up = Gauge(
            "tocsin_streams_warming_up", "Streams whose score is still unknown.", registry=registry
        )
        self._connected = Gauge(
            "tocsin_mqtt_connected", "Whether the connection to the broker is up (1) or not (0).", registry=registry
        )
        self._connects = MirroredCounter(
            Counter("tocsin_mqtt_connects_total", "Connections that the broker accepted.", registry=registry)
        )
        self._inbox = Gauge("tocsin_mqtt_inbox_messages", "Received messages that wait.", registry=registry)
        self._outbox = Gauge(
            "tocsin_mqtt_outbox_messages", "Messages that wait to be published or acknowledged.", registry=registry
        )
        dropped = Counter("tocsin_mqtt_dropped_total", "Messages dropped, by queue.", ["queue"], registry=registry)
        self._inbox_dropped = MirroredCounter(dropped.labels("inbox"))
        self._outbox_dropped = MirroredCounter(dropped.labels("outbox"))

        self.store = StoreMetrics(registry)
        self.shadow = ShadowMetrics(registry)

        Gauge("tocsin_build_info", "The daemon's version.", ["version"], registry=registry).labels(version).set(1)
        self._model_info = Gauge(
            "tocsin_model_info", "The models that are loaded.", ["name", "version", "sha256"], registry=registry
        )
        self._reload_succeeded = Gauge(
            "tocsin_config_last_reload_successful",
            "Whether the configuration that was read last, at the start or later, is in force (1) or not (0).",
            registry=registry,
        )
        self._reload_time = Gauge(
            "tocsin_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read, seconds since 1970.",
            registry=registry,
        )
        self._reloads = Counter("tocsin_reloads_total", "Reloads, by result.", ["result"], registry=registry)
        for reason in (*RejectReason, *ReadingReject):
            self._rejected.labels(reason)
        for priority in Priority:
            for category in Category:
                self._active.labels(priority, category)
        self.alarm_counts(AlarmCounts({}, 0, 0, 0, 0))
        for result in _RESULTS:
            self._reloads.labels(result)
        self._series: StreamSeries | None = None
        self.configured(models, alarms, series)

    def configured(
        self,
        models: Iterable[Model],
        alarms: Iterable[tuple[str, Priority, Category]],
        series: StreamSeries | None = None,
    ) -> None:
        """Create the series of a configuration, at 0; the counts of earlier ones stay.

        Args:
            models: The loaded models.
            alarms: Name, priority and category of the configured alarms.
            series: The series of single streams; None for none.
        """
        for alarm, priority, category in alarms:
            for transition in Transition:
                self._events.labels(alarm, transition, priority, category)
        self._model_info.clear()
        for model in models:
            self._steps.labels(f"{model.name}/{model.version}")
            self._model_info.labels(model.name, model.version, model.sha256).set(1)
        if self._series is not None:
            self._registry.unregister(self._series)
        self._series = series
        if series is not None:
            self._registry.register(series)

    def started(self, at_s: float) -> None:
        """Set the time at which the first configuration came into force, seconds since 1970."""
        self._reload_succeeded.set(1)
        self._reload_time.set(at_s)

    def reloaded(self, at_s: float | None) -> None:
        """Count a reload.

        Args:
            at_s: The time at which its configuration came into force, seconds since 1970; None if it was refused.
        """
        self._reloads.labels(_RESULTS[at_s is None]).inc()
        self._reload_succeeded.set(at_s is not None)
        if at_s is not None:
            self._reload_time.set(at_s)

    def rolled_back(self) -> None:
        """Mark the configuration in force as older than the one that was read last."""
        self._reload_succeeded.set(0)

    def batch(self, *, messages: int, readings: int, rejects: Iterable[Reject]) -> None:
        """Count a decoded batch."""
        self._messages.inc(messages)
        self._readings.inc(readings)
        self._batch.observe(messages)
        for reject in rejects:
            self._rejected.labels(reject.reason).inc(reject.count)

    def sparkplug(self, *, rebirths: int, stale: int) -> None:
        """Count requests for a birth, and streams of dead nodes and devices."""
        self._rebirths.inc(rebirths)
        self._stale.inc(stale)

    def answered(self, status: str) -> None:
        """Count a request that was answered: `ok` or `error`."""
        self._requests.labels(status).inc()

    def applied(self, duration_s: float) -> None:
        """Observe the time that the engine took for a batch."""
        self._apply.observe(duration_s)

    def stream_changes(self, *, reprocessed: int = 0, evicted: int = 0, returned: int = 0) -> None:
        """Count late readings that were reprocessed, evicted streams, and evicted streams that came back."""
        self._reprocessed.inc(reprocessed)
        self._evicted.inc(evicted)
        self._returned.inc(returned)

    def stepped(self, model: str, frames: int) -> None:
        """Count frames.

        Args:
            model: `name/version`.
            frames: The number of stepped frames.
        """
        self._steps.labels(model).inc(frames)

    def of_streams(self, watch: str, steps: Sequence[Steps]) -> None:
        """Show the frames of streams that have series of their own."""
        if self._series is not None:
            self._series.stepped(watch, steps)

    def event(self, event: Event, latency_s: float | None) -> None:
        """Count an event, unless a test of the alarm path made it.

        Args:
            event: The event.
            latency_s: The time since its message arrived; None if no message caused it.
        """
        if event.test:
            return
        self._events.labels(event.alarm, event.transition, event.status.priority, event.category).inc()
        if latency_s is not None:
            self._latency.observe(latency_s)

    def active_alarms(self, counts: dict[tuple[Priority, Category], int]) -> None:
        """Set the number of active alarms; it is 0 where `counts` has no entry."""
        for priority in Priority:
            for category in Category:
                self._active.labels(priority, category).set(counts.get((priority, category), 0))

    def alarm_counts(self, alarm_counts: AlarmCounts) -> None:
        """Set the numbers of alarms by state, and of those that are not annunciated."""
        for state in State:
            if state is not State.NORMAL:
                self._alarms.labels(state).set(alarm_counts.states.get(state, 0))
        for by in _QUIET:
            self._quiet.labels(by).set(getattr(alarm_counts, by))
        self._floods.set(alarm_counts.floods)

    def streams(self, *, known: int, warming_up: int) -> None:
        """Set the numbers of streams."""
        self._streams.set(known)
        self._warming_up.set(warming_up)

    def connection(self, statistics: ConnectionStatistics) -> None:
        """Set the connection's gauges and counters."""
        self._connected.set(1 if statistics.connected else 0)
        self._connects.follow(statistics.connects_total)
        self._inbox.set(statistics.inbox_messages)
        self._inbox_dropped.follow(statistics.inbox_dropped_total)
        self._outbox.set(statistics.outbox_messages)
        self._outbox_dropped.follow(statistics.outbox_dropped_total)

    def families(self) -> Iterator[Metric]:
        """All metrics with their samples."""
        return _WithoutCreated(self._registry).collect()

    def render(self) -> bytes:
        """The exposition that Prometheus scrapes, in `CONTENT_TYPE`."""
        return generate_latest(_WithoutCreated(self._registry))
