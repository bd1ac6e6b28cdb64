"""Sparkplug B, as a host application hears it: births, data, deaths, and when to ask for a rebirth.

An edge node's birth says which metrics it has, of what type, and by which alias its data calls them. So its data mean
nothing without its birth, nor after a message of it was lost: the one that was lost might have been a birth. Such data
are refused, and the node is asked to be born again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tocsin.ingest.addressing import KIND, UnnameableError
from tocsin.ingest.formats.sparkplug_payload import REFUSED, Payload, rebirth_command
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import Nanoseconds, RawTime

if TYPE_CHECKING:
    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter

NAMESPACE = "spBv1.0"
TOPICS = (f"{NAMESPACE}/{{group}}/{{type}}/{{edge}}", f"{NAMESPACE}/{{group}}/{{type}}/{{edge}}/{{device}}")
REBIRTH_EVERY_NS = 10_000_000_000
MAX_NODES = 10_000
MAX_METRICS = 1_000_000  # of all nodes, as `Sessions.metrics` counts them
_LONG_NAME = 64  # characters

_NODE_LEVELS = 4  # spBv1.0/GROUP/TYPE/EDGE
_KINDS = frozenset({"NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"})
_COMMANDS = frozenset({"NCMD", "DCMD"})  # of other hosts, and our own: not for us
_SEQUENCE = 256
_NODE = ""  # stands for the node itself among its devices: no device has an empty name
_INT8, _INT16, _INT32, _INT64 = 1, 2, 3, 4
_BITS = {_INT8: 8, _INT16: 16, _INT32: 32, _INT64: 64}  # of those that are signed: on the wire they aren't
_NS_PER_MS = 1_000_000
_LATEST_MS = 9_000_000_000_000
_BD_SEQ = "bdSeq"


def is_topic(template: str) -> bool:
    """Whether a topic template has Sparkplug's levels, and leaves the message's type open.

    >>> [is_topic(topic) for topic in (*TOPICS, "spBv1.0/plant/{type}/press", "spBv1.0/{group}/NDATA/{edge}")]
    [True, True, True, False]
    """
    levels = template.split("/")
    return levels[0] == NAMESPACE and len(levels) in {_NODE_LEVELS, _NODE_LEVELS + 1} and levels[2] == f"{{{KIND}}}"


def is_of_node(template: str) -> bool:
    """Whether a topic of Sparkplug's is an edge node's own, and no device's."""
    return len(template.split("/")) == _NODE_LEVELS


@dataclass(frozen=True, slots=True)
class Request:
    """Something to publish, for which nobody waits.

    Attributes:
        topic: Where.
        payload: What.
    """

    topic: str
    payload: bytes


@dataclass(slots=True)
class NodeSession:
    """What is known of an edge node.

    Attributes:
        is_born: Whether its births so far can be trusted.
        seq: Of its last message.
        bd_seq: Of its birth: the death with the same number is its own, another one is an old session's.
        metrics: By device, then by alias or name: the metric's name and type.
        streams: By device, those that its data went to.
        asked_at: When it was last asked for a rebirth, in ns.
    """

    is_born: bool = False
    seq: int = 0
    bd_seq: int | None = None
    metrics: dict[str, dict[int | str, tuple[str, int]]] = field(default_factory=dict)
    streams: dict[str, set[str]] = field(default_factory=dict)
    asked_at: int | None = None


@dataclass(slots=True)
class Sessions:
    """What is known of all edge nodes, and what has to be told of a batch.

    Attributes:
        nodes: By group and edge node, those heard last at the end.
        metrics: How many metrics they have. A device counts as one more, and a long name as several.
        requests: To publish.
        stale: Streams whose sender died, and that nothing was read of since.
    """

    nodes: dict[tuple[str, str], NodeSession] = field(default_factory=dict)
    metrics: int = 0
    requests: list[Request] = field(default_factory=list)
    stale: dict[str, None] = field(default_factory=dict)  # a set that keeps its order

    def drain(self) -> tuple[list[Request], list[str]]:
        """Take what is to be told."""
        told = self.requests, list(self.stale)
        self.requests, self.stale = [], {}
        return told


class _RefusedError(Exception):
    """A message can't be used."""

    def __init__(self, reason: RejectReason, detail: str, *, ask: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.ask = ask


class Sparkplug:
    """The payload of one source.

    Attributes:
        sessions: What it remembers.
    """

    def __init__(self, places: Addressing) -> None:
        """Know no edge node yet.

        Args:
            places: Says where a metric goes.

        Raises:
            ValueError: A topic is none of Sparkplug's.
        """
        for template in places.templates:
            if not is_topic(template.template):
                raise ValueError(f"{template.template!r} is no topic of Sparkplug (legal: {' and '.join(TOPICS)})")
        self._places = places
        self.sessions = Sessions()

    def read(
        self, message: Message, index: int, place: TopicAddress, rows: ReadingRows, refusals: RejectCounter
    ) -> None:
        """Read one message."""
        _, group, kind, edge, *rest = message.topic.split("/")
        if kind in _COMMANDS:
            return
        device = rest[0] if rest else _NODE
        if kind not in _KINDS or (kind[0] == "D") != bool(rest):
            refusals.add(RejectReason.TOPIC, index, f"{kind[:20]!r} is no message type of Sparkplug at this level")
            return
        try:
            payload = Payload.FromString(message.payload)
        except REFUSED as error:
            refusals.add(RejectReason.UNREADABLE, index, f"not Sparkplug B: {error}")
            return
        node = self._node(group, edge)
        try:
            self._follow(node, kind, device, payload)
        except _RefusedError as refused:
            refusals.add(refused.reason, index, str(refused))
            if refused.ask:
                self._ask(node, group, edge, message.received_at)
            return
        if kind.endswith("DEATH"):
            return
        if not self._put(node, device, payload, message, index, place, rows, refusals):
            self._ask(node, group, edge, message.received_at)

    def _node(self, group: str, edge: str) -> NodeSession:
        nodes = self.sessions.nodes
        node = nodes.pop((group, edge), None) or NodeSession()
        nodes[group, edge] = node
        if len(nodes) > MAX_NODES:
            forgotten = nodes.pop(next(iter(nodes)))
            self._forget(forgotten, list(forgotten.metrics))
        return node

    def _ask(self, node: NodeSession, group: str, edge: str, now: int) -> None:
        """Ask a node for its births, unless it was asked just now."""
        if node.asked_at is None or not 0 <= now - node.asked_at < REBIRTH_EVERY_NS:
            node.asked_at = now
            payload = rebirth_command(now // _NS_PER_MS)
            self.sessions.requests.append(Request(f"{NAMESPACE}/{group}/NCMD/{edge}", payload))

    def _follow(self, node: NodeSession, kind: str, device: str, payload: Any) -> None:  # noqa: ANN401  (a class made at run time)
        """Take the session from one message to the next."""
        if kind == "NDEATH":
            bd_seq = _bd_seq(payload)
            if node.is_born and bd_seq is not None and node.bd_seq is not None and bd_seq != node.bd_seq:
                return  # the will of a session that another one has followed
            self._die(node, list(node.streams))
            self._forget(node, list(node.metrics))
            node.is_born = False
            return
        seq = payload.seq if payload.HasField("seq") else None
        if kind == "NBIRTH":
            self._forget(node, list(node.metrics))
            node.is_born, node.bd_seq = True, _bd_seq(payload)
            node.seq = (seq or 0) % _SEQUENCE
            self._learn(node, device, payload)
            return
        if not node.is_born:
            raise _RefusedError(RejectReason.SESSION, f"{kind} of a node whose birth was not heard", ask=True)
        expected = (node.seq + 1) % _SEQUENCE
        if seq != expected:
            node.is_born = False
            raise _RefusedError(RejectReason.SESSION, f"seq {seq} follows {node.seq}: a message was lost", ask=True)
        node.seq = expected
        if kind == "DBIRTH":
            self._forget(node, [device])
            self._learn(node, device, payload)
        elif kind == "DDEATH":
            self._die(node, [device])
            self._forget(node, [device])
        elif device not in node.metrics:
            raise _RefusedError(RejectReason.SESSION, f"{kind} of a device whose birth was not heard", ask=True)

    def _die(self, node: NodeSession, devices: list[str]) -> None:
        for device in devices:
            self.sessions.stale |= dict.fromkeys(sorted(node.streams.pop(device, ())))

    def _forget(self, node: NodeSession, devices: list[str]) -> None:
        """Forget births, before others or for good; what is born again brings its streams along."""
        for device in devices:
            node.streams.pop(device, None)
            known = node.metrics.pop(device, None)
            if known is not None:
                self.sessions.metrics -= _cost(known)

    def _learn(self, node: NodeSession, device: str, payload: Any) -> None:  # noqa: ANN401  (likewise)
        known: dict[int | str, tuple[str, int]] = {}
        for metric in payload.metrics:
            name = metric.name.decode("utf-8", "replace")
            known[name] = name, metric.datatype
            if metric.HasField("alias"):
                known[metric.alias] = name, metric.datatype
        cost = _cost(known)
        if self.sessions.metrics + cost > MAX_METRICS:
            node.is_born = node.is_born and device != _NODE
            raise _RefusedError(
                RejectReason.SESSION, f"a birth of {len(known)} metrics: {MAX_METRICS} are known already"
            )
        self.sessions.metrics += cost
        node.metrics[device] = known

    def _put(
        self,
        node: NodeSession,
        device: str,
        payload: Any,  # noqa: ANN401  (likewise)
        message: Message,
        index: int,
        place: TopicAddress,
        rows: ReadingRows,
        refusals: RejectCounter,
    ) -> bool:
        """Put a payload's metrics where they belong; whether all of them are known."""
        known = node.metrics[device]
        streams = node.streams.setdefault(device, set())
        all_known = True
        for metric in payload.metrics:
            key = metric.name.decode("utf-8", "replace") if metric.name else metric.alias
            found = known.get(key)
            if found is None:
                all_known = False
                refusals.add(RejectReason.SESSION, index, f"metric {key!r} is in no birth")
                continue
            name, datatype = found
            try:
                target = self._places.target(message.topic, place, name)
                if target is None:
                    continue
                value = _value(metric, metric.datatype or datatype, name)
                time = _time(metric if metric.HasField("timestamp") else payload)
            except UnnameableError as error:
                refusals.add(RejectReason.TOPIC, index, str(error))
                continue
            except _RefusedError as refused:
                refusals.add(refused.reason, index, str(refused))
                continue
            streams.add(target.stream)
            self.sessions.stale.pop(target.stream, None)
            rows.put(index, rows.code(target.stream, target.labels), time, target.column, value)
        return all_known


def _cost(known: dict[int | str, tuple[str, int]]) -> int:
    """What it takes to remember a device's births, in metrics."""
    return 1 + sum(1 + len(name) // _LONG_NAME for name, _ in known.values())


def _bd_seq(payload: Any) -> int | None:  # noqa: ANN401  (likewise)
    for metric in payload.metrics:
        if metric.name == _BD_SEQ.encode():
            value = metric.WhichOneof("value")
            return int(getattr(metric, value)) if value in {"int_value", "long_value"} else None
    return None


def _value(metric: Any, datatype: int, name: str) -> float | None:  # noqa: ANN401  (likewise)
    if metric.is_null:
        return None
    kind = metric.WhichOneof("value")
    if kind is None:
        raise _RefusedError(RejectReason.WRONG_TYPE, f"{name}: not a number (type {datatype})")
    value = getattr(metric, kind)
    if kind in {"int_value", "long_value"} and datatype in _BITS:
        bits = _BITS[datatype]
        value &= (1 << bits) - 1
        if value >> (bits - 1):
            value -= 1 << bits
    number = float(value)
    if number - number != 0:  # NaN or infinite
        raise _RefusedError(RejectReason.NOT_FINITE, f"{name}: {number}")
    return number


def _time(of: Any) -> RawTime:  # noqa: ANN401  (likewise)
    if not of.HasField("timestamp"):
        return None
    if of.timestamp > _LATEST_MS:
        raise _RefusedError(RejectReason.TIME, f"{of.timestamp} ms can't be a time")
    return Nanoseconds(of.timestamp * _NS_PER_MS)
