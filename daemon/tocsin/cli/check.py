"""`tocsin check`: all faults of a configuration, before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.config import Config
from tocsin.config import check as check_configuration
from tocsin.config.thresholds import budget_of, threshold_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.config import Checked

EXIT_FAULTY = 2

ConfigurationFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The configuration, such as config/tocsin.yaml.")
]


def _print_schema(wanted: bool) -> None:  # noqa: FBT001  (typer calls it with the option's value)
    if wanted:
        typer.echo(json.dumps(Config.model_json_schema(), indent=2))
        raise typer.Exit


def check(
    file: ConfigurationFile,
    *,
    schema: Annotated[  # noqa: ARG001  (its callback acts)
        bool,
        typer.Option("--schema", help="Print the JSON Schema and stop.", callback=_print_schema, is_eager=True),
    ] = False,
) -> None:
    """Check a configuration and everything it names.

    Prints every fault with its place: keys and values, topics, models, channels, limits, files. Exit code 0 means
    that `tocsin run` will start.
    """
    checked = load_checked(file)
    for name, bundle in checked.bundles.items():
        manifest = bundle.manifest
        channels = ", ".join(channel.name for channel in manifest.channels)
        typer.echo(f"watch {name}: {manifest.name}/{manifest.version} ({manifest.task}, {manifest.cell}): {channels}")
        for line in _budgets(name, checked):
            typer.echo(line)
    typer.echo(f"{file}: no faults")


def _budgets(watch: str, checked: Checked) -> Iterator[str]:
    """One line for each budget: its threshold and the data behind it."""
    if checked.config is None:  # without faults there is one
        return
    bundle, entry = checked.bundles[watch], checked.config.watches[watch]
    curve = bundle.manifest.calibration.curve
    if curve is None:
        return
    budgets = [(name, alarm, budget_of(alarm)) for name, alarm in entry.alarms.items()]
    for override in entry.overrides:
        patterns = ", ".join(override.streams)
        budgets += [(f"{name} of {patterns}", entry.alarms[name], budget) for name, budget in override.budgets.items()]
    for name, alarm, budget in budgets:
        if budget is None:
            continue
        chosen = threshold_for(budget, alarm, bundle)
        rates = chosen.rates
        beyond = "; beyond the counted range, from a fitted tail" if chosen.extrapolated else ""
        yield (
            f"watch {watch}: alarm {name}: a budget of {budget:g} a stream-day is a threshold of "
            f"{chosen.threshold:.6g} ({curve.stream_days:.4g} stream-days of {curve.data}, delays of "
            f"{rates.on_delay_ticks} and {rates.off_delay_ticks} ticks{beyond})"
        )


def load_checked(file: Path) -> Checked:
    """Check a configuration; print its faults and exit if there are any."""
    checked = check_configuration(file)
    for fault in checked.faults:
        typer.secho(str(fault), err=True)
    if checked.faults:
        count = len(checked.faults)
        typer.secho(f"{count} fault{'s' if count > 1 else ''} in {file}", err=True, fg=typer.colors.RED)
        raise typer.Exit(EXIT_FAULTY)
    return checked
