"""`tocsin demo`: a simulated ward, the daemon and a board, with nothing to set up."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin_training.demo.scenario import Scenario


def demo(
    *,
    beds: Annotated[int, typer.Option(min=1, max=64, help="Number of patients.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the ward.")] = 1,
    duration: Annotated[float | None, typer.Option(min=1, help="Seconds to run; until Ctrl-C if left out.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="Speed relative to real time.")] = 1,
    scenario: Annotated[Scenario, typer.Option(help="Events on the ward.")] = Scenario.DETERIORATION,
    board: Annotated[
        bool, typer.Option(help="Draw a board; without, one line for each transition of an alarm.")
    ] = True,
    broker: Annotated[
        str, typer.Option(help="nats (installed with the extra `demo`) or mosquitto (from the PATH).")
    ] = "nats",
) -> None:
    """Run a simulated ward whose patients' vital signs the daemon watches over MQTT.

    With the default scenario one patient bleeds and another loses a probe: the first raises an alarm, with its reason,
    before any fixed limit is crossed; the second raises a technical alarm only. Patients and figures are simulated.
    """
    import asyncio  # noqa: PLC0415  (so that `tocsin --help` is quick)

    from rich.console import Console  # noqa: PLC0415

    from tocsin.cli.errors import Failure  # noqa: PLC0415

    try:
        from tocsin_training.demo.broker import BrokerKind  # noqa: PLC0415
        from tocsin_training.demo.demonstration import DemoOptions, run  # noqa: PLC0415
        from tocsin_training.demo.subprocesses import DemoError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure(f"tocsin demo needs {error.name}", "pip install 'tocsin[demo]'") from error
    if broker not in set(BrokerKind):
        raise Failure(f"--broker {broker!r} is not known", f"legal: {', '.join(BrokerKind)}")
    console = Console()
    options = DemoOptions(
        beds=beds,
        seed=seed,
        duration_s=duration,
        speed=speed,
        scenario=scenario,
        with_board=board and console.is_terminal,
        broker=BrokerKind(broker),
    )
    try:
        asyncio.run(run(options, console))
    except DemoError as error:
        raise Failure(*str(error).split("\n", 1)) from error
