"""Format `sparkplug`: Sparkplug B as a host application reads it, with sessions of edge nodes.

An edge node's birth defines its metrics: names, types and aliases. Data without a birth, or after a lost message, which
might have been a birth, are rejected, and a rebirth of the node is requested.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tocsin.ingest.addressing import Naming, UnnameableError
from tocsin.ingest.formats.payload_format import PayloadFormat
from tocsin.ingest.formats.sparkplug_payload import REFUSED, Payload, rebirth_command
from tocsin.ingest.message import Publication
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import Nanoseconds, RawTime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
    from tocsin.ingest.topics import TopicTemplate

NAMESPACE = "spBv1.0"
KIND = "type"  # the level of a topic that holds the message's type
TOPICS = (f"{NAMESPACE}/{{group}}/{{type}}/{{edge}}", f"{NAMESPACE}/{{group}}/{{type}}/{{edge}}/{{device}}")
REBIRTH_EVERY_NS = 10_000_000_000
MAX_NODES = 10_000
MAX_METRICS = 1_000_000  # of all nodes, as `Sessions.metrics` counts them
_LONG_NAME = 64  # characters

_NODE_LEVELS = 4  # spBv1.0/GROUP/TYPE/EDGE
_KINDS = frozenset({"NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"})
_COMMANDS = frozenset({"NCMD", "DCMD"})  # requests of host applications to nodes
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
    """Whether a Sparkplug topic is an edge node's own, not a device's."""
    return len(template.split("/")) == _NODE_LEVELS


@dataclass(slots=True)
class NodeSession:
    """Session of an edge node.

    Attributes:
        is_born: Whether its births so far are complete.
        seq: Sequence number of its last message.
        bd_seq: Number of its birth: a death with the same number ends this session, another one an earlier session.
        metrics: Name and type of metrics, by device, then by alias or name.
        streams: Streams that its data went to, by device.
        requested_at: Time of the last request for a rebirth, nanoseconds since 1970.
    """

    is_born: bool = False
    seq: int = 0
    bd_seq: int | None = None
    metrics: dict[str, dict[int | str, tuple[str, int]]] = field(default_factory=dict)
    streams: dict[str, set[str]] = field(default_factory=dict)
    requested_at: int | None = None


@dataclass(slots=True)
class Sessions:
    """Sessions of all edge nodes, and the results of a batch.

    Attributes:
        nodes: By group and edge node, in the order of their last messages.
        metrics: Number of their metrics. A device counts as one more, and a long name as several.
        requests: Requests for rebirths, to be published.
        stale: Streams with a publisher that died and without readings since.
    """

    nodes: dict[tuple[str, str], NodeSession] = field(default_factory=dict)
    metrics: int = 0
    requests: list[Publication] = field(default_factory=list)
    stale: dict[str, None] = field(default_factory=dict)  # a set that keeps its order

    def drain(self) -> tuple[list[Publication], list[str]]:
        """Take the requests and the stale streams."""
        drained = self.requests, list(self.stale)
        self.requests, self.stale = [], {}
        return drained


class _RejectError(Exception):
    """A message or a metric is rejected."""

    def __init__(self, reason: RejectReason, detail: str, *, needs_rebirth: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.needs_rebirth = needs_rebirth


class Sparkplug:
    """Reader of Sparkplug B.

    Attributes:
        sessions: Sessions of edge nodes.
    """

    def __init__(self, addressing: Addressing) -> None:
        """Begin without sessions.

        Args:
            addressing: Resolves the names of metrics.

        Raises:
            ValueError: A topic is none of Sparkplug's.
        """
        for template in addressing.templates:
            if not is_topic(template.template):
                raise ValueError(f"{template.template!r} is no topic of Sparkplug (legal: {' and '.join(TOPICS)})")
        self._addressing = addressing
        self.sessions = Sessions()

    def drain(self) -> tuple[list[Publication], list[str]]:
        """Take the requests for rebirths, and the streams with publishers that died."""
        return self.sessions.drain()

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message."""
        _, group, kind, edge, *rest = message.topic.split("/")
        if kind in _COMMANDS:
            return
        device = rest[0] if rest else _NODE
        if kind not in _KINDS or (kind[0] == "D") != bool(rest):
            rejects.add(RejectReason.TOPIC, index, f"{kind[:20]!r} is no message type of Sparkplug at this level")
            return
        try:
            payload = Payload.FromString(message.payload)
        except REFUSED as error:
            rejects.add(RejectReason.UNREADABLE, index, f"not Sparkplug B: {error}")
            return
        node = self._node(group, edge)
        try:
            self._advance(node, kind, device, payload)
        except _RejectError as reject:
            rejects.add(reject.reason, index, str(reject))
            if reject.needs_rebirth:
                self._request_rebirth(node, group, edge, message.received_at)
            return
        if kind.endswith("DEATH"):
            return
        if not self._add(node, device, payload, message, index, address, rows, rejects):
            self._request_rebirth(node, group, edge, message.received_at)

    def _node(self, group: str, edge: str) -> NodeSession:
        nodes = self.sessions.nodes
        node = nodes.pop((group, edge), None) or NodeSession()
        nodes[group, edge] = node
        if len(nodes) > MAX_NODES:
            forgotten = nodes.pop(next(iter(nodes)))
            self._forget(forgotten, list(forgotten.metrics))
        return node

    def _request_rebirth(self, node: NodeSession, group: str, edge: str, now: int) -> None:
        """Request a rebirth of a node, unless one was requested in the last ten seconds."""
        if node.requested_at is None or not 0 <= now - node.requested_at < REBIRTH_EVERY_NS:
            node.requested_at = now
            payload = rebirth_command(now // _NS_PER_MS)
            self.sessions.requests.append(Publication(f"{NAMESPACE}/{group}/NCMD/{edge}", payload))

    def _advance(self, node: NodeSession, kind: str, device: str, payload: Any) -> None:  # noqa: ANN401  (a class made at run time)
        """Advance a session by one message."""
        if kind == "NDEATH":
            bd_seq = _bd_seq(payload)
            if node.is_born and bd_seq is not None and node.bd_seq is not None and bd_seq != node.bd_seq:
                return  # the will of an earlier session
            self._die(node, list(node.streams))
            self._forget(node, list(node.metrics))
            node.is_born = False
            return
        seq = payload.seq if payload.HasField("seq") else None
        if kind == "NBIRTH":
            self._forget(node, list(node.metrics))
            node.is_born, node.bd_seq = True, _bd_seq(payload)
            node.seq = (seq or 0) % _SEQUENCE
            self._register(node, device, payload)
            return
        if not node.is_born:
            raise _RejectError(RejectReason.SESSION, f"{kind} of a node whose birth was not heard", needs_rebirth=True)
        expected = (node.seq + 1) % _SEQUENCE
        if seq != expected:
            node.is_born = False
            raise _RejectError(
                RejectReason.SESSION, f"seq {seq} follows {node.seq}: a message was lost", needs_rebirth=True
            )
        node.seq = expected
        if kind == "DBIRTH":
            self._forget(node, [device])
            self._register(node, device, payload)
        elif kind == "DDEATH":
            self._die(node, [device])
            self._forget(node, [device])
        elif device not in node.metrics:
            raise _RejectError(
                RejectReason.SESSION, f"{kind} of a device whose birth was not heard", needs_rebirth=True
            )

    def _die(self, node: NodeSession, devices: list[str]) -> None:
        for device in devices:
            self.sessions.stale |= dict.fromkeys(sorted(node.streams.pop(device, ())))

    def _forget(self, node: NodeSession, devices: list[str]) -> None:
        """Remove the births of devices, and their streams."""
        for device in devices:
            node.streams.pop(device, None)
            known = node.metrics.pop(device, None)
            if known is not None:
                self.sessions.metrics -= _cost(known)

    def _register(self, node: NodeSession, device: str, payload: Any) -> None:  # noqa: ANN401  (as above)
        known: dict[int | str, tuple[str, int]] = {}
        for metric in payload.metrics:
            name = metric.name.decode("utf-8", "replace")
            known[name] = name, metric.datatype
            if metric.HasField("alias"):
                known[metric.alias] = name, metric.datatype
        cost = _cost(known)
        if self.sessions.metrics + cost > MAX_METRICS:
            node.is_born = node.is_born and device != _NODE
            raise _RejectError(
                RejectReason.SESSION, f"a birth of {len(known)} metrics: {MAX_METRICS} are known already"
            )
        self.sessions.metrics += cost
        node.metrics[device] = known

    def _add(
        self,
        node: NodeSession,
        device: str,
        payload: Any,  # noqa: ANN401  (as above)
        message: Message,
        index: int,
        address: TopicAddress,
        rows: ReadingRows,
        rejects: RejectCounter,
    ) -> bool:
        """Add a payload's metrics at their addresses; whether the births have all of them."""
        known = node.metrics[device]
        streams = node.streams.setdefault(device, set())
        are_all_known = True
        for metric in payload.metrics:
            key = metric.name.decode("utf-8", "replace") if metric.name else metric.alias
            found = known.get(key)
            if found is None:
                are_all_known = False
                rejects.add(RejectReason.SESSION, index, f"metric {key!r} is in no birth")
                continue
            name, datatype = found
            try:
                value_address = self._addressing.value_address(message.topic, address, name)
                if value_address is None:
                    continue
                value = _value(metric, metric.datatype or datatype, name)
                time = _time(metric if metric.HasField("timestamp") else payload)
            except UnnameableError as error:
                rejects.add(RejectReason.TOPIC, index, str(error))
                continue
            except _RejectError as reject:
                rejects.add(reject.reason, index, str(reject))
                continue
            streams.add(value_address.stream)
            self.sessions.stale.pop(value_address.stream, None)
            rows.put(index, rows.code(value_address.stream, value_address.labels), time, value_address.column, value)
        return are_all_known


def _cost(known: dict[int | str, tuple[str, int]]) -> int:
    """Size of a device's births, in metrics."""
    return 1 + sum(1 + len(name) // _LONG_NAME for name, _ in known.values())


def _bd_seq(payload: Any) -> int | None:  # noqa: ANN401  (as above)
    for metric in payload.metrics:
        if metric.name == _BD_SEQ.encode():
            value = metric.WhichOneof("value")
            return int(getattr(metric, value)) if value in {"int_value", "long_value"} else None
    return None


def _value(metric: Any, datatype: int, name: str) -> float | None:  # noqa: ANN401  (as above)
    if metric.is_null:
        return None
    kind = metric.WhichOneof("value")
    if kind is None:
        raise _RejectError(RejectReason.WRONG_TYPE, f"{name}: not a number (type {datatype})")
    value = getattr(metric, kind)
    if kind in {"int_value", "long_value"} and datatype in _BITS:
        bits = _BITS[datatype]
        value &= (1 << bits) - 1
        if value >> (bits - 1):
            value -= 1 << bits
    number = float(value)
    if number - number != 0:  # NaN or infinite
        raise _RejectError(RejectReason.NOT_FINITE, f"{name}: {number}")
    return number


def _time(of: Any) -> RawTime:  # noqa: ANN401  (as above)
    if not of.HasField("timestamp"):
        return None
    if of.timestamp > _LATEST_MS:
        raise _RejectError(RejectReason.TIME, f"{of.timestamp} ms can't be a time")
    return Nanoseconds(of.timestamp * _NS_PER_MS)


def _check_topics(templates: Sequence[TopicTemplate]) -> Iterator[tuple[int | None, str]]:
    for index, template in enumerate(templates):
        if not is_topic(template.template):
            legal = f"{NAMESPACE}/{{group}}/{{type}}/{{edge}}, and the same with /{{device}}"
            yield (
                index,
                f"{template.template!r} is no topic of Sparkplug (legal: {legal}; any level but {{type}} may be text)",
            )
    if not any(is_of_node(template.template) for template in templates):
        yield None, f"births and deaths of edge nodes are missing: add {NAMESPACE}/{{group}}/{{type}}/{{edge}}"


FORMATS = (
    PayloadFormat(
        "sparkplug",
        lambda _settings, addressing: Sparkplug(addressing),
        naming=Naming(names_values=True, reserved=frozenset({KIND})),
        keys=frozenset({"name", "primary_host"}),
        topics=TOPICS,
        check_topics=_check_topics,
    ),
)
