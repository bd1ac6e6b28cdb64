"""Metrics of a shadow: a new model that warms up on the same frames as its incumbent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import CollectorRegistry


class ShadowMetrics:
    """Series of both models while both run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Create the series without labels, at 0."""
        self._waiting = Gauge(
            "tocsin_shadow_streams",
            "Streams that their incumbent model watches until the new one is warm.",
            registry=registry,
        )
        self._cut_over = Counter(
            "tocsin_shadow_taken_over_total", "Streams that were cut over to a new model once warm.", registry=registry
        )
        self._onsets = Counter(
            "tocsin_shadow_onsets_total",
            "Onsets of conditions that depend on a model while two models ran, annunciated or not, by model.",
            ["model", "alarm"],
            registry=registry,
        )
        self._frames = Counter(
            "tocsin_shadow_frames_total", "Frames in which both models had a score.", registry=registry
        )
        self._difference = Counter(
            "tocsin_shadow_difference_total",
            "Sum of the absolute differences of the two scores over those frames.",
            registry=registry,
        )

    def show(self, waiting: int) -> None:
        """Set the number of streams that wait."""
        self._waiting.set(waiting)

    def add_model(self, model: str, alarms: Iterable[str]) -> None:
        """Create the series of onsets of a model, `name/version`, at 0."""
        for alarm in alarms:
            self._onsets.labels(model, alarm)

    def onset(self, model: str, alarm: str) -> None:
        """Count an onset.

        Args:
            model: `name/version`.
            alarm: The alarm's name.
        """
        self._onsets.labels(model, alarm).inc()

    def compared(self, differences: Sequence[float]) -> None:
        """Count frames, by the difference of their scores."""
        self._frames.inc(len(differences))
        self._difference.inc(sum(map(abs, differences)))

    def cut_over(self, streams: int) -> None:
        """Count streams that were cut over."""
        self._cut_over.inc(streams)
