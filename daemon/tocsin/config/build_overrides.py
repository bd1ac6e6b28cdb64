"""From overrides as configured to the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.config.thresholds import threshold_for
from tocsin.engine.streams.overrides import Override

if TYPE_CHECKING:
    from tocsin.bundle import Bundle
    from tocsin.config.schema import WatchEntry


def overrides(entry: WatchEntry, bundle: Bundle) -> tuple[Override, ...]:
    """Say what is otherwise in some streams of a watch."""
    return tuple(
        Override(
            streams=tuple(given.streams),
            limits={
                **given.limits,
                **{
                    name: threshold_for(budget, entry.alarms[name], bundle).threshold
                    for name, budget in given.budgets.items()
                },
            },
            profile=dict(given.profile),
            off=tuple(given.off),
            adapts=given.adapt is None,
        )
        for given in entry.overrides
    )
