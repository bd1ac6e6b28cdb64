"""One link, fed by hand."""

from __future__ import annotations

import asyncio

import pytest
from gmqtt.mqtt.package import Package
from hypothesis import given
from hypothesis import strategies as st

from tocsin.mqtt.link import Link
from tocsin.mqtt.settings import ConnectionSettings, ProtocolVersion


class Owner:
    def __init__(self):
        self.events = []

    def connected(self, *, session_present):
        self.events.append(("connected", session_present))

    def received(self, topic, payload, mid, *, retain, properties):
        self.events.append((topic, payload, mid, retain, *([properties] if properties is not None else [])))

    def published(self, mid, code):
        self.events.append(("published", mid, code))


def feed(*packets, version=ProtocolVersion.V5):
    """Feed packets to a link: the events that its owner got, and the link."""

    async def go():
        owner = Owner()
        link = Link(ConnectionSettings("host", 1883, "tocsin", version=version), owner)
        for packet in packets:
            link(packet)
        return owner.events, link

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("command", "data", "version", "event"),
    [
        (0x30, b"\0\3a/bhello", 4, ("a/b", b"hello", 0, False)),
        (0x31, b"\0\3a/b\0hello", 5, ("a/b", b"hello", 0, True)),
        (0x32, b"\0\3a/b\x12\x34\0hello", 5, ("a/b", b"hello", 0x1234, False)),
        (0x3A, b"\0\3a/b\x12\x34hello", 4, ("a/b", b"hello", 0x1234, False)),  # sent once more
        (0x32, b"\0\3a/b\0\1\5\2\0\0\0\x0ahello", 5, ("a/b", b"hello", 1, False)),  # expires in 10 s
        (0x30, b"\0\1a\x0d\3\0\3t/p\x08\0\1r\x09\0\0hi", 5, ("a", b"hi", 0, False, ("t/p", "r", b""))),
        (0x30, b"\0\1a\4\3\0\1\xffhi", 5, ("a", b"hi", 0, False)),  # no UTF-8
        (0x30, b"\0\1a\2\x70\0hi", 5, ("a", b"hi", 0, False)),  # no property
        (0x30, b"\0\1a\0", 5, ("a", b"", 0, False)),
        (0x30, b"\0\1\xff\0", 5, ("\ufffd", b"", 0, False)),
        (0x40, b"\0\7", 4, ("published", 7, 0)),
        (0x40, b"\0\7\x10\0", 5, ("published", 7, 0x10)),
        (0x20, b"\1\0\0", 5, ("connected", True)),
        (0x20, b"\0\0", 4, ("connected", False)),
    ],
)
def test_packets(command, data, version, event):
    assert feed(Package(command, data), version=ProtocolVersion(version))[0] == [event]


def test_what_the_broker_asks_for_in_connack():
    _, link = feed(Package(0x20, b"\0\0\x08\x21\0\x14\x27\0\0\x10\0"))
    assert (link.receive_maximum, link.max_packet_bytes) == (20, 4096)


def test_the_brokers_reason_for_a_disconnect_is_kept():
    _, link = feed(Package(0xE0, b"\x8b"), Package(0xE0, b""))
    assert link.reason_code == 0x8B
    assert link.lost.is_set()


PACKET = st.builds(
    Package,
    st.sampled_from([0x20, 0x30, 0x31, 0x32, 0x3A, 0x34, 0x40, 0x50, 0x90, 0xB0, 0xD0, 0xE0, 0xF0])
    | st.integers(0, 255),
    st.binary(max_size=30),
)


@given(st.lists(PACKET, max_size=5), st.sampled_from(ProtocolVersion))
def test_no_packet_makes_it_raise(packets, version):
    feed(*packets, version=version)
