"""Recipes of the machines, one for all servers and one for all experiments, and how they were chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.engine.model import Task
from tocsin_studies.machines import servers, skab
from tocsin_training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.bundle.manifest import ChannelEntry

SERVER: dict[str, dict[str, object]] = {
    "network": {
        "cell": "gru",
        "width": 48,
        "channel_features": (),
        "deviation_epsilon": 0.01,
        "forecast_target": "level",
        "forecast_scale": "constant",
        "input_dropout": 0.15,
    },
    "score": {"kind": "whitened", "ticks": 2, "clip": 100, "slack": 0.1},
    "training": {
        "batch": 16,
        "epochs": 8,
        "learning_rate": 4e-3,
        "weight_decay": 1e-3,
        "reading_dropout": 0.15,
    },
}
EXPERIMENT: dict[str, dict[str, object]] = {
    "network": {
        "cell": "gru",
        "width": 8,
        "channel_features": (),
        "forecast_target": "level",
        "forecast_scale": "constant",
    },
    "score": {"kind": "whitened", "ticks": 1, "first_ticks": 30, "clip": 30},
    "training": {"batch": 4, "epochs": 40, "patience": 10, "learning_rate": 6e-3, "weight_decay": 0.02},
}


def of_server(server: servers.Server, *, seed: int = 1) -> Recipe:
    """The recipe of a server."""
    source: dict[str, object] = {
        "source": "tocsin_studies.machines.servers:read",
        "options": {"server": server.name},
    }
    return _recipe(server.name, server.channels, server.period_s, source, SERVER, seed)


def of_experiment() -> Recipe:
    """The recipe of an experiment."""
    source: dict[str, object] = {"source": "tocsin_studies.machines.skab:read"}
    return _recipe("skab", skab.CHANNEL_ENTRIES, skab.PERIOD_S, source, EXPERIMENT, 1)


def _recipe(
    name: str,
    channels: Sequence[ChannelEntry],
    period_s: float,
    source: dict[str, object],
    parts: dict[str, dict[str, object]],
    seed: int,
) -> Recipe:
    return Recipe.model_validate(
        {
            "name": name,
            "version": "1",
            "summary": f"Forecasts the levels of {name}.",
            "task": Task.FORECAST,
            "channels": tuple(channels),
            "data": source,
            "network": parts["network"],
            "score": parts["score"],
            "training": {**parts["training"], "seed": seed},
            "serving": {
                "period_s": period_s,
                "delta_cap_s": 60 * period_s,
                "warm_up_ticks": 10,
                "max_gap_ticks": 60,
            },
            "sources": [{"name": name, "licence": "see data", "citation": "see data", "part": "train"}],
        }
    )
