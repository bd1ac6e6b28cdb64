"""Everything that has a memory: the watches' engines and the register of alarms. The same calls give the same events.

Live readings and the journal's go through the same methods, so that a replay ends where the daemon was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.alarm import Register
from tocsin.app import stream_requests
from tocsin.engine import Outcome, Readings, dump
from tocsin.engine.changes import Change, Turn
from tocsin.engine.succession import retire
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.alarm import Event, Order
    from tocsin.app.build import Setup, Station
    from tocsin.app.stream_requests import OfStream

MEMORY_LOST = "what was remembered of the stream is lost: it is not known whether this still holds"
_NO_READINGS = Readings.of([])


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call.

    Attributes:
        events: What happened to alarms.
        station: Whose engine was called; None where none was.
        outcome: What it said; None likewise.
    """

    events: list[Event]
    station: Station | None = None
    outcome: Outcome | None = None


class Core:
    """The watches at work, and one register for all of them."""

    def __init__(self, setup: Setup) -> None:
        """Begin with no stream and no alarm.

        Args:
            setup: What the configuration asks for.
        """
        self.setup = setup
        self.register = Register(setup.plans)

    @property
    def stations(self) -> dict[str, Station]:
        """By watch."""
        return self.setup.stations

    def take_in(self, watch: str, readings: Readings, now: int) -> Result:
        """Let a watch take in readings.

        Args:
            watch: Its name.
            readings: In the order of arrival.
            now: The wall's clock, nanoseconds since 1970.
        """
        station = self.stations[watch]
        return self._of(station, station.apply(readings, now), now)

    def lose(self, watch: str, streams: Sequence[str], now: int) -> Result:
        """Let a watch hear from a source that streams are gone.

        Args:
            watch: Its name.
            streams: Theirs.
            now: The wall's clock, nanoseconds since 1970.
        """
        station = self.stations[watch]
        return self._of(station, station.lose(streams, now), now)

    def pass_time(self, now: int) -> list[Result]:
        """Let time pass until `now`, the wall's clock, for everybody."""
        results = [self._of(station, station.apply(_NO_READINGS, now), now) for station in self.stations.values()]
        return [*results, Result(self.register.pass_time(now))]

    def order(self, order: Order, now: int) -> list[Event]:
        """Let somebody's order move alarms.

        Raises:
            Refused: It can't be done; nothing has changed.
        """
        return self.register.carry_out(order, now)

    def command(self, command: OfStream, now: int) -> list[Event]:
        """Do what somebody asks of a stream, in every watch that knows it.

        Whoever comes next inherits nothing: where a stay ends, what people said of its alarms is forgotten too.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        outcomes = stream_requests.carry_out(self.setup, command, now)
        events = [event for outcome in outcomes for event in self.register.take_in(outcome.changes, now)]
        for stream in stream_requests.ended(command):
            events += self.register.end_stream(stream, now)
        return events

    def resume(self, now: int) -> None:
        """Go on after a time in which nobody listened: what waits for readings begins to wait anew.

        Otherwise every stream would have been silent for as long as the daemon was away, and every open frame would
        have lingered long enough, before the broker can hand over what it kept.
        """
        for station in self.stations.values():
            station.resume(now)

    def take_over(self, setup: Setup, now: int) -> list[Result]:
        """Go on with another configuration; alarms that it doesn't have any more end.

        Args:
            setup: What it asks for; nothing of it has met a reading.
            now: Nanoseconds since 1970.
        """
        results = []
        for name, station in self.stations.items():
            successor = setup.stations.get(name)
            if successor is None:
                outcome = Outcome(now, changes=retire(station.engine, now))
            else:
                outcome = successor.take_over(station, now)
            results.append(self._of(station, outcome, now))
        results.append(Result(self.register.reconfigure(setup.plans, now)))
        self.setup = setup
        return results

    def export(self) -> dict[str, Any]:
        """Copy all that is remembered, as plain data with arrays in it."""
        return {
            "stations": {name: station.export() for name, station in self.stations.items()},
            # At once, and not by whoever packs the rest: alarms move on.
            "register": pack(self.register.export(lambda record: record)),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Go on with what `export` gave under the same configuration.

        Raises:
            ValueError: It was another configuration's.
        """
        if data["stations"].keys() != self.stations.keys():
            raise ValueError(f"watches {', '.join(data['stations'])} (legal: {', '.join(self.stations)})")
        for name, station in self.stations.items():
            station.restore(data["stations"][name])
        self.register.restore(unpack(data["register"]))

    def recall(self, told: Sequence[Event], now: int) -> list[Event]:
        """Go on from what people were told, where what came in since can't be applied again.

        Alarms that are up and of which nothing else is known stay up, uncertain, until their conditions are judged.

        Args:
            told: The events since `restore`, in order.
            now: Nanoseconds since 1970.
        """
        self.register.recall(told)
        lost = []
        for record in self.register.records.values():
            station = self.stations.get(record.watch)
            names = [] if station is None else [alarm.name for alarm in station.engine.alarms]
            if station is None or record.alarm not in names:
                continue
            index = names.index(record.alarm)
            alarm, is_up = station.engine.alarms[index], record.status.active
            since = 0 if record.status.since is None else record.status.since
            certain = dump.presume(station.engine, record.stream, index, since if is_up else None)
            if is_up and not certain:
                lost.append(
                    Change(
                        watch=station.name,
                        stream=record.stream,
                        labels=record.labels,
                        alarm=alarm.name,
                        turn=Turn.LOST,
                        t=now,
                        raised_at=now,
                        since=since,
                        priority=alarm.priority,
                        category=alarm.category,
                        reason=MEMORY_LOST,
                        score=None,
                        evidence=(),
                        model=None,
                    )
                )
        return self.register.take_in(lost, now)

    def _of(self, station: Station, outcome: Outcome, now: int) -> Result:
        return Result(self.register.take_in(outcome.changes, now), station, outcome)
