"""Metrics of a new model that warms up beside the old one: what both say of the same frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import CollectorRegistry


class ShadowMetrics:
    """Counts both models while both run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Create what has no labels at 0."""
        self._waiting = Gauge(
            "tocsin_shadow_streams",
            "Streams that their old model watches until the new one is warm.",
            registry=registry,
        )
        self._cut_over = Counter(
            "tocsin_shadow_taken_over_total", "Streams that a new model took over once warm.", registry=registry
        )
        self._onsets = Counter(
            "tocsin_shadow_onsets_total",
            "Onsets of conditions that rest on a model while two ran side by side, told to people or not, by model.",
            ["model", "alarm"],
            registry=registry,
        )
        self._frames = Counter(
            "tocsin_shadow_frames_total", "Frames in which both models knew their score.", registry=registry
        )
        self._difference = Counter(
            "tocsin_shadow_difference_total",
            "Sum over those frames of how far the new score was from the old one, up or down.",
            registry=registry,
        )

    def show(self, waiting: int) -> None:
        """Show how many streams wait."""
        self._waiting.set(waiting)

    def expects(self, model: str, alarms: Iterable[str]) -> None:
        """Make room for the onsets of a model, `name/version`, at 0."""
        for alarm in alarms:
            self._onsets.labels(model, alarm)

    def began(self, model: str, alarm: str) -> None:
        """Count an onset.

        Args:
            model: `name/version`.
            alarm: Its name.
        """
        self._onsets.labels(model, alarm).inc()

    def compared(self, differences: Sequence[float]) -> None:
        """Count frames, by the difference of their scores."""
        self._frames.inc(len(differences))
        self._difference.inc(sum(map(abs, differences)))

    def went_over(self, streams: int) -> None:
        """Count streams that were taken over."""
        self._cut_over.inc(streams)
