"""Sinks are built from the configuration, and an event gets from the committer to each receiver."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import configurations
import plug_in_sinks
import pytest
from alarm_events import event

import tocsin
from tocsin.config import check
from tocsin.config.notify import Notify, SinkEntry
from tocsin.delivery import RetryPolicy
from tocsin.metrics.metrics import Metrics
from tocsin.plug_ins import PlugInError
from tocsin.runtime.committer import Committer
from tocsin.runtime.sinks import build_sinks, run_sinks
from tocsin.store import Store

SOURCE = Path(tocsin.__file__).parent


@asynccontextmanager
async def delivering(folder, store=None, **notify):
    """The sinks of a configuration at work; gives what commits an event, and what waits for a condition."""
    checked = check(configurations.write(folder, notify=notify))
    assert checked.faults == []
    metrics, published = Metrics("0", [], []), []
    sinks = build_sinks(
        checked.config, folder, "0", lambda topic, *_, settled, **__: (published.append(topic), settled()),
        metrics.store.attempted,
    )  # fmt: skip
    committer = Committer(store, bytes, metrics.store)
    for sink in sinks:
        committer.add_sink(sink)
    metrics.store.sinks(sink.name for sink in sinks)
    running = asyncio.create_task(run_sinks(sinks, committer.deliveries, metrics.store.attempted))

    def commit(*events):
        committer.record_events(events)
        committer.commit(0)

    commit.metrics, commit.published, commit.pending = metrics, published, committer.deliveries.counts
    yield commit
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def until_text(file, text):
    async with asyncio.timeout(10):
        while not file.exists() or file.read_text() != text:  # noqa: ASYNC110  (nothing else announces it)
            await asyncio.sleep(0.01)


async def test_an_installed_sink_delivers_events_in_order(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    async with delivering(tmp_path, pigeon={"loft": "north"}) as commit:
        commit(event(id=1), event("clear", id=2))
        await until_text(tmp_path / "north.txt", "icu/1 raise\nicu/1 clear\n")
        assert commit.pending() == {"mqtt": 0, "pigeon": 0}
        assert 'tocsin_deliveries_attempts_total{result="delivered",sink="pigeon"} 2.0' in (
            commit.metrics.render().decode()
        )


async def test_an_installed_sink_that_raises_is_tried_again_and_stops_no_other(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    monkeypatch.setattr(RetryPolicy, "wait_s", lambda *_: 0.01)
    async with delivering(tmp_path, pigeon={"loft": "north", "closed_for": 2}) as commit:
        commit(event(id=1))
        await until_text(tmp_path / "north.txt", "icu/1 raise\n")
        assert commit.published == ["tocsin/event/icu/1/desaturation", "tocsin/alarm/icu/1/desaturation"]
        lines = commit.metrics.render().decode()
        assert 'tocsin_deliveries_attempts_total{result="retry",sink="pigeon"} 2.0' in lines


async def test_a_pending_delivery_of_an_installed_sink_outlives_a_restart(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    with Store.open(tmp_path / "store") as store:
        async with delivering(tmp_path, store, pigeon={"loft": "north", "closed_for": 99}) as commit:
            commit(event(id=1))
            await asyncio.sleep(0.05)
        assert not (tmp_path / "north.txt").exists()
    with Store.open(tmp_path / "store") as store:
        monkeypatch.setattr("time.time_ns", lambda: 2**62)  # as if the wait before the next attempt were over
        async with delivering(tmp_path, store, pigeon={"loft": "north"}):
            await until_text(tmp_path / "north.txt", "icu/1 raise\n")


def test_a_kind_of_sink_is_named_by_its_own_module_and_its_entry_alone():
    kinds = {kind.kind for kind in SinkEntry.__subclasses__()}
    assert kinds == {"alertmanager", "webhook"}
    own = {"config/notify.py", "notify/alertmanager.py", "notify/alerts.py", "notify/webhook.py"}
    naming = {
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if any(kind in line.lower().partition("#")[0] for kind in kinds) and not line.strip().startswith('"""')
    }
    assert naming - own - {"notify/__init__.py"} == set()
    assert {*Notify.model_fields} == {"alertmanager", "webhooks", "home_assistant"}


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (
            lambda options, _: Path(options.loft).read_text(),
            r"can't be made of notify.pigeon \(FileNotFoundError: .*'north'",
        ),
        (lambda *_: 7, "is of type int, and no tocsin.delivery.Sink"),
    ],
)
def test_a_sink_that_cannot_be_made_ends_the_start_with_its_reason(tmp_path, monkeypatch, build, reason):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    monkeypatch.setattr(plug_in_sinks.Pigeon, "build", build)
    checked = check(configurations.write(tmp_path, notify={"pigeon": {"loft": "north"}}))
    with pytest.raises(PlugInError, match=f"sink 'pigeon' {reason}"):
        build_sinks(checked.config, tmp_path, "0", None, None)
