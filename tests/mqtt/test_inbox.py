from __future__ import annotations

import asyncio

import pytest

from tocsin.ingest.message import Message
from tocsin.mqtt.inbox import Inbox


def message(n):
    return Message("t", b"%d" % n, n)


def numbers(taken):
    return [m.received_at for m in taken[0]]


def test_take_gives_the_oldest():
    inbox = Inbox(100)
    for i in range(5):
        inbox.put(message(i), i + 1)
    assert inbox.take(2) == ([message(0), message(1)], [1, 2])
    assert inbox.take(10)[1] == [3, 4, 5]
    assert inbox.take(10) == ([], [])


def test_beyond_its_bound_it_drops_only_what_needs_no_acknowledgement():
    inbox = Inbox(2)
    inbox.put(message(0), 0)
    inbox.put(message(1), 1)
    inbox.put(message(2), 0)
    inbox.put(message(3), 2)
    assert inbox.dropped == 1
    assert numbers(inbox.take(10)) == [0, 1, 3]


def test_there_is_room_again_once_enough_is_taken():
    inbox = Inbox(2)
    for i in range(3):
        inbox.put(message(i), i + 1)
    assert not inbox.has_room.is_set()
    inbox.take(1)
    assert not inbox.has_room.is_set()
    inbox.take(1)
    assert inbox.has_room.is_set()


@pytest.mark.parametrize(("is_redelivered", "left"), [(True, [1]), (False, [0, 1, 2])])
def test_after_a_loss_what_comes_again_is_forgotten_and_nothing_is_acknowledged(is_redelivered, left):
    inbox = Inbox(2)
    for i, mid in enumerate((5, 0, 6)):
        inbox.put(message(i), mid)
    inbox.void_identifiers(is_redelivered=is_redelivered)
    assert inbox.has_room.is_set()
    messages, mids = inbox.take(10)
    assert [m.received_at for m in messages] == left
    assert set(mids) == {0}


async def test_wait_returns_with_the_count_or_with_the_time():
    inbox = Inbox(100)
    await inbox.wait(1, 0.01)
    waiting = asyncio.create_task(inbox.wait(2, 10))
    await asyncio.sleep(0)
    inbox.put(message(0), 0)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    inbox.put(message(1), 0)
    inbox.put(message(2), 0)
    async with asyncio.timeout(1):
        await waiting
    await inbox.wait(3, None)


async def test_to_cancel_a_wait_loses_nothing():
    inbox = Inbox(100)
    waiting = asyncio.create_task(inbox.wait(1, None))
    await asyncio.sleep(0)
    inbox.put(message(0), 0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    inbox.put(message(1), 0)
    assert numbers(inbox.take(10)) == [0, 1]
