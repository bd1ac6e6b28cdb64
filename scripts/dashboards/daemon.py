"""The daemon's dashboard: connection, throughput, rejects, store, deliveries, shadows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMappingResult

from dashboards.parts import Query, bars, lines, number, quantiles, rows, steps
from dashboards.parts import dashboard as begin

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import timeseries
    from grafana_foundation_sdk.builders.dashboard import Dashboard

DAEMON = 'instance=~"$instance"'
RATE = f"{{{DAEMON}}}[$__rate_interval]"


def dashboard() -> Dashboard:
    """The dashboard of daemons."""
    made = begin("Daemon", "Connection, throughput and rejects of the daemon.", since="1h")

    made.with_row(Row("State"))
    up = ValueMap({"0": ValueMappingResult("no", "red"), "1": ValueMappingResult("yes", "green")})
    for panel in (
        number("Connected", "To the broker.", Query(f"min(tocsin_mqtt_connected{{{DAEMON}}})")).mappings([up]),
        number(
            "Busy",
            "Share of the time spent on batches; above 0.9 the daemon falls behind.",
            Query(f"max by (instance) (rate(tocsin_apply_duration_seconds_sum{RATE}))", "{{instance}}"),
            unit="percentunit",
        ).thresholds(steps(("green", None), ("orange", 0.5), ("red", 0.9))),
        number("Streams", "Number of streams in the engine.", Query(f"sum(tocsin_streams{{{DAEMON}}})")),
        number(
            "Warming up",
            "Streams without a score yet.",
            Query(f"sum(tocsin_streams_warming_up{{{DAEMON}}})"),
        ),
        number(
            "Dropped",
            "Messages in the last hour.",
            Query(f"sum(increase(tocsin_mqtt_dropped_total{{{DAEMON}}}[1h]))"),
        )
        .decimals(0)
        .thresholds(steps(("green", None), ("red", 1))),
        number(
            "Connections",
            "Connections that the broker accepted in the last hour.",
            Query(f"sum(increase(tocsin_mqtt_connects_total{{{DAEMON}}}[1h]))"),
        )
        .decimals(0)
        .thresholds(steps(("text", None), ("orange", 4))),
    ):
        made.with_panel(panel)

    made.with_row(Row("Work"))
    made.with_panel(
        lines(
            "Throughput",
            "A frame is one step of a stream's clock.",
            Query(f"sum(rate(tocsin_messages_received_total{RATE}))", "messages"),
            Query(f"sum(rate(tocsin_readings_accepted_total{RATE}))", "readings"),
            Query(f"sum by (model) (rate(tocsin_frames_stepped_total{RATE}))", "frames {{model}}"),
            unit="cps",
        )
    )
    made.with_panel(
        bars(
            lines(
                "Rejects, by reason",
                "Messages, readings or values; the log names one of each kind and stream a minute.",
                Query(f"sum by (reason) (rate(tocsin_rejects_total{RATE}))", "{{reason}}"),
                unit="cps",
            )
        )
    )
    made.with_panel(
        lines(
            "Messages in a batch",
            "Small while the daemon keeps up; at most 4,096.",
            *quantiles("tocsin_batch_messages", (0.5, 0.99), DAEMON),
            span=8,
        )
    )
    made.with_panel(
        lines(
            "Time for a batch",
            "Decoding, engine and publishing.",
            *quantiles("tocsin_apply_duration_seconds", (0.5, 0.95, 0.99), DAEMON),
            unit="s",
            span=8,
        )
    )
    made.with_panel(
        lines(
            "Latency from message to event",
            "From the arrival of the message that closed the frame to the event's delivery to the broker's queue.",
            *quantiles("tocsin_event_latency_seconds", (0.5, 0.95, 0.99), DAEMON),
            unit="s",
            span=8,
        )
    )

    made.with_row(Row("Store, deliveries, streams"))
    for drawn in _stored_and_pending():
        made.with_panel(drawn)

    made.with_row(Row("Shadow: a new model that warms up"))
    for drawn in _shadow():
        made.with_panel(drawn)

    made.with_row(Row("Connection"))
    made.with_panel(
        lines(
            "Queues",
            "Messages that wait for the engine (inbox) and for the broker (outbox).",
            Query(f"sum(tocsin_mqtt_inbox_messages{{{DAEMON}}})", "inbox"),
            Query(f"sum(tocsin_mqtt_outbox_messages{{{DAEMON}}})", "outbox"),
        )
    )
    made.with_panel(
        lines(
            "Dropped",
            "Messages of QoS 0 dropped at a full inbox; events dropped at a full outbox.",
            Query(f"sum by (queue) (rate(tocsin_mqtt_dropped_total{RATE}))", "{{queue}}"),
            unit="cps",
        )
    )
    made.with_panel(
        lines(
            "Connected",
            "1 while the connection to the broker is up.",
            Query(f"tocsin_mqtt_connected{{{DAEMON}}}", "{{instance}}"),
            span=8,
        )
        .min(0)
        .max(1)
    )
    made.with_panel(
        lines(
            "Streams",
            "All streams, and those without a score yet.",
            Query(f"sum(tocsin_streams{{{DAEMON}}})", "known"),
            Query(f"sum(tocsin_streams_warming_up{{{DAEMON}}})", "warming up"),
            span=8,
        )
    )
    made.with_panel(
        rows(
            "Models",
            "The loaded models.",
            Query(f"tocsin_model_info{{{DAEMON}}}"),
            ["instance", "name", "version", "sha256"],
            span=8,
        )
    )
    made.with_panel(
        bars(
            lines(
                "Requests",
                "Answered requests over all transports; a refused one is an error.",
                Query(f"sum by (status) (increase(tocsin_requests_total{RATE}))", "{{status}}"),
                span=24,
            )
        ).decimals(0)
    )
    made.with_panel(
        lines(
            "Reloads",
            "Reloads of the configuration; a refused one changes nothing, and the log has the reason.",
            Query(f"sum by (result) (increase(tocsin_reloads_total{RATE}))", "{{result}}"),
            span=16,
        ).decimals(0)
    )
    made.with_panel(
        number(
            "Configuration",
            "Whether the one that was read last is in force.",
            Query(f"min(tocsin_config_last_reload_successful{{{DAEMON}}})"),
        )
        .mappings([ValueMap({"0": ValueMappingResult("refused", "red"), "1": ValueMappingResult("in force", "green")})])
        .span(8)
    )
    made.with_panel(
        rows(
            "Versions",
            "By daemon.",
            Query(f"tocsin_build_info{{{DAEMON}}}"),
            ["instance", "version"],
            span=24,
        )
    )
    return made


def _stored_and_pending() -> list[timeseries.Panel]:
    return [
        lines(
            "Time for a commit",
            "Until it is on the disk; nothing where there is no store.",
            *quantiles("tocsin_store_commit_duration_seconds", (0.5, 0.95, 0.99), DAEMON),
            unit="s",
            span=8,
        ),
        lines(
            "Journal",
            "Inputs that are replayed after a crash; a snapshot truncates them.",
            Query(f"sum by (instance) (tocsin_store_journal_bytes{{{DAEMON}}})", "{{instance}}"),
            unit="bytes",
            span=8,
        ),
        lines(
            "Pending deliveries, by sink",
            "Deliveries not yet acknowledged; a line that only rises has a receiver that is down.",
            Query(f"sum by (sink) (tocsin_deliveries_pending{{{DAEMON}}})", "{{sink}}"),
            span=8,
        ).decimals(0),
        lines(
            "Undelivered, by sink",
            "Dead letters, which receivers rejected, and deliveries dropped because too many were pending.",
            Query(f"sum by (sink) (tocsin_deliveries_dead_letters{{{DAEMON}}})", "{{sink}} dead letters"),
            Query(f"sum by (sink) (tocsin_deliveries_dropped_total{{{DAEMON}}})", "{{sink}} dropped"),
        ).decimals(0),
        bars(
            lines(
                "Reprocessed, evicted, stale",
                "Late readings whose frames were reprocessed; streams evicted as idle; streams that their source "
                "declared dead.",
                Query(f"sum(increase(tocsin_readings_reprocessed_total{RATE}))", "readings reprocessed"),
                Query(f"sum(increase(tocsin_streams_evicted_total{RATE}))", "streams evicted"),
                Query(f"sum(increase(tocsin_stale_streams_total{RATE}))", "streams stale"),
            )
        ),
    ]


def _shadow() -> list[timeseries.Panel]:
    return [
        lines(
            "Streams to cut over",
            "Streams that the incumbent watches until the new model is warm, and those cut over since the daemon "
            "started. A stream that stays has no readings.",
            Query(f"sum by (instance) (tocsin_shadow_streams{{{DAEMON}}})", "{{instance}} waiting"),
            Query(f"sum by (instance) (tocsin_shadow_taken_over_total{{{DAEMON}}})", "{{instance}} cut over"),
            span=8,
        ).decimals(0),
        bars(
            lines(
                "Onsets, by model",
                "Onsets of conditions that depend on a model while two models ran, by model and alarm; one of the two "
                "models raises alarms.",
                Query(f"sum by (model, alarm) (increase(tocsin_shadow_onsets_total{RATE}))", "{{model}} {{alarm}}"),
                span=8,
            )
        ).decimals(0),
        lines(
            "Difference of the scores",
            "Mean absolute difference over the frames in which both models have a score.",
            Query(
                f"sum by (instance) (rate(tocsin_shadow_difference_total{RATE}))"
                f" / sum by (instance) (rate(tocsin_shadow_frames_total{RATE}))",
                "{{instance}}",
            ),
            span=8,
        ),
    ]
