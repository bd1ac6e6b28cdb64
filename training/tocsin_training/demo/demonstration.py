"""Demonstration: a broker, a simulated ward, the daemon, and a board that subscribes to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import numpy as np
from rich.live import Live

from tocsin.bundle import load, shipped_folder
from tocsin_training.demo import board, broker, summary
from tocsin_training.demo.scenario import Scenario, ScriptedWard, script_ward
from tocsin_training.demo.subprocesses import ChildProcess, DemoError
from tocsin_training.demo.view import NS_PER_S, AlarmTransition, BedView, WardView
from tocsin_training.simulation.ward.simulator import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from rich.console import Console

    from tocsin.bundle import Bundle
    from tocsin_training.demo.broker import DemoBroker

BASE = "tocsin"
BUNDLE = "ward-vitals/1"
_CONFIGURATION = Path(__file__).with_name("demo.yaml")
_ONLINE_WITHIN_S = 20.0
_STOP_DAEMON_S, _STOP_BROKER_S = 1.0, 0.5
_REDRAW_S = 0.25
_CANCEL_AGAIN_S = 0.1
_PROTOCOL = {"3.1.1": aiomqtt.ProtocolVersion.V311, "5": aiomqtt.ProtocolVersion.V5}


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options; see `cli.demo`."""

    beds: int
    seed: int
    duration_s: float | None
    speed: float
    scenario: Scenario
    with_board: bool
    broker: broker.BrokerKind


async def run(options: DemoOptions, console: Console) -> None:
    """Run a demonstration until its time is up, or SIGINT or SIGTERM.

    Raises:
        DemoError: The broker or the daemon does not start, or ends by itself.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    bundle = load(shipped_folder() / BUNDLE)
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as name:
        async with AsyncExitStack() as stack:
            served = await broker.start(options.broker, Path(name))
            stack.push_async_callback(served.child.stop, _STOP_BROKER_S)
            daemon = await _start_daemon(served, options.speed, Path(name))
            stack.push_async_callback(daemon.stop, _STOP_DAEMON_S)
            await _show(options, served, daemon, bundle, stop, console)


async def _start_daemon(served: DemoBroker, speed: float, folder: Path) -> ChildProcess:
    environment = {
        **os.environ,
        "TOCSIN_BROKER__PORT": str(served.port),
        "TOCSIN_BROKER__VERSION": served.version,
        # Simulated time runs faster than the wall's: the daemon then takes its time from the readings.
        "TOCSIN_WATCHES__WARD__CLOCK": "wall" if speed == 1 else "event",
        "TOCSIN_WATCHES__WARD__MAX_SKEW_S": "5 s" if speed == 1 else "87600 h",
    }
    command = [sys.executable, "-c", "from tocsin.cli import main; main()", "run", str(_CONFIGURATION)]
    return await ChildProcess.start("the daemon", command, folder / "daemon.log", environment)


async def _show(
    options: DemoOptions,
    served: DemoBroker,
    daemon: ChildProcess,
    bundle: Bundle,
    stop: asyncio.Event,
    console: Console,
) -> None:
    scripted = script_ward(options.scenario, options.seed, options.beds)
    client = aiomqtt.Client(broker.HOST, served.port, identifier="demo", protocol=_PROTOCOL[served.version])
    async with client:
        await client.subscribe(f"{BASE}/#")
        if not await _first_of(stop, _online(client), daemon.ended(), served.child.ended()):
            return
        first_tick_s = time.time() // 1
        view = WardView(int(first_tick_s) * NS_PER_S, {stream: BedView() for stream in scripted.ward.streams})
        began = time.monotonic()
        plain = not options.with_board
        console.print(
            f"Ward with {options.beds} beds, scenario {options.scenario}, seed {options.seed}, "
            f"{bundle.manifest.name}/{bundle.manifest.version}; Ctrl-C ends it.",
            soft_wrap=True,
        )
        timer = [asyncio.sleep(options.duration_s)] if options.duration_s is not None else []
        drawing = [] if plain else [_draw(view, bundle.model.threshold, options, began, console)]
        await _first_of(
            stop,
            _feed(client, scripted, options.speed, first_tick_s),
            _listen(client, view, console if plain else None),
            daemon.ended(),
            served.child.ended(),
            *timer,
            *drawing,
        )
        elapsed_s = scripted.ward.tick
    for line in summary.lines(scripted, view, elapsed_s, _figures(bundle)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _figures(bundle: Bundle) -> dict[str, float]:
    return {name: value for name, value in bundle.manifest.figures.items() if not name.startswith("validation")}


async def _first_of(stop: asyncio.Event, *jobs: Awaitable[None]) -> bool:
    """Run jobs until one of them ends, or `stop` is set; false for the latter. A job's error is raised."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    stopping = asyncio.ensure_future(stop.wait())
    elapsed: list[asyncio.Future[Any]] = [stopping, *tasks]
    try:
        await asyncio.wait(elapsed, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        return not stopping.done()
    finally:
        while running := [future for future in elapsed if not future.done()]:
            for future in running:
                future.cancel()
            # Again if need be: `asyncio.wait_for` of Python 3.11, within aiomqtt, swallows some cancellations.
            await asyncio.wait(running, timeout=_CANCEL_AGAIN_S)


async def _online(client: aiomqtt.Client) -> None:
    """Wait until the daemon publishes that it is online.

    Raises:
        DemoError: It takes too long.
    """
    try:
        async with asyncio.timeout(_ONLINE_WITHIN_S):
            async for message in client.messages:
                if message.topic.value == f"{BASE}/status" and _body(message)["state"] == "online":
                    return
    except TimeoutError:
        raise DemoError(f"the daemon did not say online within {_ONLINE_WITHIN_S:g} s") from None


async def _feed(client: aiomqtt.Client, scripted: ScriptedWard, speed: float, first_tick_s: float) -> None:
    """Publish the ward's readings, one a bed and tick."""
    began = time.monotonic()
    while True:
        tick = scripted.ward.tick
        for stream, values in zip(scripted.ward.streams, scripted.ward.read(1)[:, 0], strict=True):
            measured = {
                name: value for name, value in zip(CHANNELS, values.tolist(), strict=True) if not np.isnan(value)
            }
            if measured:  # a drop-out is silence
                await client.publish(f"vitals/{stream}", json.dumps({"t": first_tick_s + tick, **measured}))
        await asyncio.sleep(max(0.0, began + (tick + 1) / speed - time.monotonic()))


async def _listen(client: aiomqtt.Client, view: WardView, console: Console | None) -> None:
    """Receive the daemon's messages; with a console, print each transition of an alarm."""
    async for message in client.messages:
        _, what, *rest = message.topic.value.split("/")
        if what == "score":
            view.on_score("/".join(rest), _body(message))
        elif what == "event":
            event: AlarmTransition = view.on_event(_body(message))
            if console is not None:
                console.print(event.line(), highlight=False, markup=False, soft_wrap=True)


async def _draw(view: WardView, threshold: float, options: DemoOptions, began: float, console: Console) -> None:
    """Redraw the board until cancelled."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            elapsed_s = (time.monotonic() - began) * options.speed
            live.update(board.table(view, threshold, elapsed_s, options.speed), refresh=True)
            await asyncio.sleep(_REDRAW_S)


def _body(message: aiomqtt.Message) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(message.payload))
    return body
