"""Everything that has a memory: the watches' engines and the register of alarms. The same calls give the same events.

Live readings and the journal's go through the same methods, so that a replay ends where the daemon was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.alarm import Register
from tocsin.app import stream_requests
from tocsin.app.stream_requests import share
from tocsin.engine import Outcome, Readings, dump
from tocsin.engine.changes import Change, Turn
from tocsin.engine.commands import Admit, ResetStream, StreamRefused, Transfer
from tocsin.engine.shadow import Shadow
from tocsin.engine.succession import TURNED_OFF, retire
from tocsin.request.questions import ImportStream
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import Event, Order
    from tocsin.app.build import Setup, Station
    from tocsin.app.stream_requests import OfStream
    from tocsin.engine.memory import StreamMemory

MEMORY_LOST = "what was remembered of the stream is lost: it is not known whether this still holds"
_NO_READINGS = Readings.of([])


@dataclass(frozen=True, slots=True)
class Elder:
    """A watch as it was before its model changed, at work until the new one is warm.

    Attributes:
        station: It.
        shadow: Says which of both speaks of a stream.
        setup: What it was part of.
    """

    station: Station
    shadow: Shadow
    setup: Setup


@dataclass(frozen=True, slots=True)
class Beside:
    """What the model that ran before said to the same call.

    Attributes:
        elder: It.
        outcome: What it said.
        waiting: The streams that it spoke of.
        gone_over: How many of them the new model speaks of from now on.
    """

    elder: Elder
    outcome: Outcome
    waiting: frozenset[str]
    gone_over: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call.

    Attributes:
        events: What happened to alarms.
        station: Whose engine was called; None where none was.
        outcome: What it said; None likewise.
        beside: What the model said that is to be taken over from; None where there is none.
    """

    events: list[Event]
    station: Station | None = None
    outcome: Outcome | None = None
    beside: Beside | None = None


class Core:
    """The watches at work, and one register for all of them."""

    def __init__(self, setup: Setup) -> None:
        """Begin with no stream and no alarm.

        Args:
            setup: What the configuration asks for.
        """
        self.setup = setup
        self.register = Register(setup.plans)
        self.elders: dict[str, Elder] = {}

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
        return self._apply(self.stations[watch], lambda at_work: at_work.apply(readings, now), now)

    def lose(self, watch: str, streams: Sequence[str], now: int) -> Result:
        """Let a watch hear from a source that streams are gone.

        Args:
            watch: Its name.
            streams: Theirs.
            now: The wall's clock, nanoseconds since 1970.
        """
        station = self.stations[watch]
        return self._apply(station, lambda at_work: at_work.lose(streams, now), now)

    def pass_time(self, now: int) -> list[Result]:
        """Let time pass until `now`, the wall's clock, for everybody."""
        results = [
            self._apply(station, lambda at_work: at_work.apply(_NO_READINGS, now), now)
            for station in self.stations.values()
        ]
        return [*results, Result(self.register.pass_time(now))]

    def order(self, order: Order, now: int) -> list[Event]:
        """Let somebody's order move alarms.

        Raises:
            Refused: It can't be done; nothing has changed.
        """
        return self.register.carry_out(order, now)

    def command(self, command: OfStream, now: int) -> list[Result]:
        """Do what somebody asks of a stream, in every watch that it concerns: in all of them, or in none.

        Whoever comes next inherits nothing: where a stay ends, what people said of its alarms is forgotten too.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        moves = {name: self.stations[name].engine.table.moves for name in self.elders}
        outcomes = stream_requests.carry_out(self.setup, command, now)
        changes = [change for _, outcome in outcomes for change in outcome.changes]
        for name, before in moves.items():
            moved = self.stations[name].engine.table.moves != before
            changes = self._follow(self.elders[name], command, changes, now, moved=moved)
        events = self.register.take_in(changes, now)
        for stream in stream_requests.ended(command):
            events += self.register.end_stream(stream, now)
        return [Result(events), *(Result([], station, outcome) for station, outcome in outcomes)]

    def bring_back(self, watch: str, remembered: StreamMemory, now: int) -> Result:
        """Let a watch go on with what was remembered of streams that it gave up.

        Raises:
            StreamRefused: It is another model's by now, or there is no room; nothing has changed.
        """
        station = self.stations[watch]
        return self._of(station, station.take(remembered, now), now)

    def resume(self, now: int) -> None:
        """Go on after a time in which nobody listened: what waits for readings begins to wait anew.

        Otherwise every stream would have been silent for as long as the daemon was away, and every open frame would
        have lingered long enough, before the broker can hand over what it kept.
        """
        for station in (*self.stations.values(), *(elder.station for elder in self.elders.values())):
            station.resume(now)

    def take_over(self, setup: Setup, now: int) -> list[Result]:
        """Go on with another configuration; alarms that it doesn't have any more end.

        A new model warms up beside the one before, where it can. One that warms up already is given up for that: the
        one before it is warm.

        Args:
            setup: What it asks for; nothing of it has met a reading.
            now: Nanoseconds since 1970.
        """
        results, elders = [], {}
        for name, at_work in self.stations.items():
            station, before = at_work, self.setup
            if name in self.elders:
                elder = self.elders[name]
                ends = elder.shadow.hand_back(now)
                results.append(Result(self.register.take_in(ends, now)))
                station, before = elder.station, elder.setup
            successor = setup.stations.get(name)
            if successor is None:
                outcome = Outcome(now, changes=retire(station.engine, now))
            elif successor.obstacle(station) is None:
                shadow, outcome = successor.stand_beside(station, now)
                if not shadow.is_over:
                    elders[name] = Elder(station, shadow, before)
            else:
                outcome = successor.take_over(station, now)
            results.append(self._of(station, outcome, now))
        results.append(Result(self.register.reconfigure(setup.plans, now)))
        self.setup, self.elders = setup, elders
        return results

    def export(self) -> dict[str, Any]:
        """Copy all that is remembered, as plain data with arrays in it."""
        return {
            "stations": {name: station.export() for name, station in self.stations.items()},
            "elders": {
                name: {"station": elder.station.export(), "gone_over": sorted(elder.shadow.gone_over)}
                for name, elder in self.elders.items()
            },
            # At once, and not by whoever packs the rest: alarms move on.
            "register": pack(self.register.export(lambda record: record)),
        }

    def restore(self, data: Mapping[str, Any], before: Mapping[str, Setup] | None = None) -> None:
        """Go on with what `export` gave under the same configuration.

        Args:
            data: It.
            before: For each watch whose new model was warming up, what was at work before, made anew.

        Raises:
            ValueError: It was another configuration's.
        """
        if data["stations"].keys() != self.stations.keys():
            raise ValueError(f"watches {', '.join(data['stations'])} (legal: {', '.join(self.stations)})")
        for name, station in self.stations.items():
            station.restore(data["stations"][name])
        for name, setup in (before or {}).items():
            elder, kept = setup.stations[name], data["elders"][name]
            elder.restore(kept["station"])
            self.elders[name] = Elder(elder, Shadow(elder.engine, self.stations[name].engine, kept["gone_over"]), setup)
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
            is_off = station.engine.has_off(record.stream, record.alarm)
            certain = dump.presume(station.engine, record.stream, index, since if is_up and not is_off else None)
            if is_up and (is_off or not certain):
                lost.append(
                    Change(
                        watch=station.name,
                        stream=record.stream,
                        labels=record.labels,
                        alarm=alarm.name,
                        turn=Turn.ENDED if is_off else Turn.LOST,
                        t=now,
                        raised_at=now,
                        since=since,
                        priority=alarm.priority,
                        category=alarm.category,
                        reason=TURNED_OFF if is_off else MEMORY_LOST,
                        score=None,
                        evidence=(),
                        model=None,
                    )
                )
        return self.register.take_in(lost, now)

    def _apply(self, station: Station, call: Callable[[Station], Outcome], now: int) -> Result:
        """Call a watch, and the one that was at work before it where that goes on."""
        elder = self.elders.get(station.name)
        if elder is None:
            return self._of(station, call(station), now)
        waiting = elder.shadow.waiting
        before, outcome = call(elder.station), call(station)
        changes = elder.shadow.told(before, outcome)
        gone_over = len(elder.shadow.settle())
        self._end_if_over(station.name)
        return Result(self.register.take_in(changes, now), station, outcome, Beside(elder, before, waiting, gone_over))

    def _follow(self, elder: Elder, command: OfStream, changes: list[Change], now: int, *, moved: bool) -> list[Change]:
        """Let the model that ran before do what was done of a stream; what people are to hear of both.

        Args:
            elder: The watch as it was.
            command: It.
            changes: What came of it, in all watches.
            now: The wall's clock, nanoseconds since 1970.
            moved: Whether a stream came, went or was renamed in this watch.
        """
        name, shadow = elder.station.name, elder.shadow
        ours = [change for change in changes if change.watch == name]
        others = [change for change in changes if change.watch != name]
        # A memory is of the new model alone. To the old one it is somebody of whom nothing is known.
        asked = ResetStream(command.stream) if isinstance(command, ImportStream) else share(command, elder.station)
        outcome: Outcome | None = None
        if moved or not isinstance(command, ImportStream | Admit):
            try:
                outcome = elder.station.carry_out(asked, now)
            except StreamRefused:  # it doesn't know the stream, or has no such alarm: then nothing of it is told
                outcome = None
        told = shadow.told(outcome, Outcome(now, changes=ours))
        if isinstance(command, Transfer):
            shadow.renamed(command.to)
        shadow.settle()
        self._end_if_over(name)
        return others + told

    def _end_if_over(self, watch: str) -> None:
        if self.elders[watch].shadow.is_over:
            del self.elders[watch]

    def _of(self, station: Station, outcome: Outcome, now: int) -> Result:
        return Result(self.register.take_in(outcome.changes, now), station, outcome)
