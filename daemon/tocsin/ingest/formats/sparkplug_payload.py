"""Payloads of Sparkplug B as Protocol Buffers: the fields that are read, by their numbers in the specification.

Descriptors are built here, not generated: code from `protoc` requires the version of the library that it was generated
for. Other fields of a payload are skipped.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

REFUSED = (DecodeError, RecursionError)
"""Errors of the parser for bytes that are no payload."""

_F = FieldDescriptorProto
_METRIC = (
    ("name", 1, _F.TYPE_BYTES),  # text, but not every edge node's is UTF-8
    ("alias", 2, _F.TYPE_UINT64),
    ("timestamp", 3, _F.TYPE_UINT64),
    ("datatype", 4, _F.TYPE_UINT32),
    ("is_null", 7, _F.TYPE_BOOL),
    ("int_value", 10, _F.TYPE_UINT32),
    ("long_value", 11, _F.TYPE_UINT64),
    ("float_value", 12, _F.TYPE_FLOAT),
    ("double_value", 13, _F.TYPE_DOUBLE),
    ("boolean_value", 14, _F.TYPE_BOOL),
)
VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value")
_PAYLOAD = (("timestamp", 1, _F.TYPE_UINT64), ("seq", 3, _F.TYPE_UINT64))


def _classes() -> tuple[Any, Any]:
    file = FileDescriptorProto(name="tocsin/sparkplug.proto", package="tocsin.sparkplug", syntax="proto2")
    metric = file.message_type.add(name="Metric")
    payload = file.message_type.add(name="Payload")
    metric.oneof_decl.add(name="value")
    for name, number, kind in _METRIC:
        field = metric.field.add(name=name, number=number, type=kind, label=_F.LABEL_OPTIONAL)
        if name in VALUES:
            field.oneof_index = 0
    for name, number, kind in _PAYLOAD:
        payload.field.add(name=name, number=number, type=kind, label=_F.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics", number=2, type=_F.TYPE_MESSAGE, label=_F.LABEL_REPEATED, type_name=".tocsin.sparkplug.Metric"
    )
    pool = DescriptorPool()
    pool.Add(file)
    return tuple(GetMessageClass(pool.FindMessageTypeByName(f"tocsin.sparkplug.{n}")) for n in ("Payload", "Metric"))


Payload, Metric = _classes()


def rebirth_command(now_ms: int) -> bytes:
    """Build the payload of an NCMD that requests a rebirth of an edge node.

    Args:
        now_ms: Milliseconds since 1970.
    """
    boolean = 11
    command = Metric(name=b"Node Control/Rebirth", timestamp=now_ms, datatype=boolean, boolean_value=True)
    data: bytes = Payload(timestamp=now_ms, metrics=[command]).SerializeToString()
    return data


def host_state(*, online: bool, now_ms: int) -> bytes:
    """Build the payload of STATE, by which edge nodes know whether their primary host is online.

    >>> host_state(online=True, now_ms=1764000000000)
    b'{"online":true,"timestamp":1764000000000}'
    """
    return b'{"online":%s,"timestamp":%d}' % (b"true" if online else b"false", now_ms)
