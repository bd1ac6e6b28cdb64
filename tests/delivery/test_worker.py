"""What is owed is told in order, again and again, and nobody waits for another."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from tocsin.delivery.worker import DeliveryWorker, RetryPolicy
from tocsin.notify.http_post import Answer, DeliveryStatus
from tocsin.store.deliveries import Deliveries, Owed

QUICK = RetryPolicy(first_s=0.001, cap_s=0.002, attempts=3)
DOWN = Answer(DeliveryStatus.LATER, "HTTP 503")
TAKEN = Answer(DeliveryStatus.DELIVERED)


class Receiver:
    """Answers by key, in turn; takes everything once its answers are used up."""

    def __init__(self, **answers):
        self.told = []
        self._answers = {key: list(given) for key, given in answers.items()}
        self.hangs = set()
        self.news = asyncio.Event()

    async def send(self, parcel):
        if parcel.key in self.hangs:
            await asyncio.Event().wait()
        given = self._answers.get(parcel.key)
        answer = given.pop(0) if given else TAKEN
        self.told.append((parcel.key, parcel.event_id, answer.fate.value))
        self.news.set()
        return answer


@asynccontextmanager
async def at_work(receiver, deliveries, patience=QUICK):
    fates = Counter()
    worker = DeliveryWorker("hook", deliveries, receiver.send, lambda _, fate: fates.update([fate]), patience=patience)
    task = asyncio.create_task(worker.run())
    yield worker, fates
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def owe(deliveries, *keys, first_event=1):
    deliveries.owe(Owed("hook", key, first_event + i, b"{}") for i, key in enumerate(keys))
    deliveries.wake()


async def until_told(receiver, count):
    async with asyncio.timeout(10):
        while len(receiver.told) < count:
            await receiver.news.wait()
            receiver.news.clear()
    await asyncio.sleep(0.005)  # were there more, they would come now


async def test_what_is_owed_from_before_and_what_comes_later_is_told_once():
    deliveries, receiver = Deliveries(), Receiver()
    owe(deliveries, "a", "b")
    async with at_work(receiver, deliveries) as (_, fates):
        await until_told(receiver, 2)
        owe(deliveries, "a", first_event=3)
        await until_told(receiver, 3)
    assert sorted(receiver.told) == [("a", 1, "delivered"), ("a", 3, "delivered"), ("b", 2, "delivered")]
    assert deliveries.waiting() == {"hook": 0}
    assert fates == {DeliveryStatus.DELIVERED: 3}


async def test_what_is_not_taken_is_tried_again_before_what_comes_after_it():
    deliveries, receiver = Deliveries(), Receiver(a=[DOWN, DOWN])
    owe(deliveries, "a", "a", "b")
    async with at_work(receiver, deliveries):
        await until_told(receiver, 5)
    assert [told for told in receiver.told if told[0] == "a"] == [
        ("a", 1, "later"),
        ("a", 1, "later"),
        ("a", 1, "delivered"),
        ("a", 2, "delivered"),
    ]


async def test_after_so_many_attempts_it_is_a_dead_letter_and_its_key_goes_on():
    deliveries, receiver = Deliveries(), Receiver(a=[DOWN, DOWN, DOWN])
    owe(deliveries, "a", "a")
    async with at_work(receiver, deliveries) as (_, fates):
        await until_told(receiver, 4)
    assert receiver.told[-1] == ("a", 2, "delivered")
    assert deliveries.dead == {"hook": 1}
    assert [letter.reason for letter in deliveries.pending.dead] == ["HTTP 503"]
    assert fates == {DeliveryStatus.LATER: 2, DeliveryStatus.REFUSED: 1, DeliveryStatus.DELIVERED: 1}


async def test_a_receiver_that_wants_no_more_is_not_asked_again():
    deliveries, receiver = Deliveries(), Receiver(a=[Answer(DeliveryStatus.REFUSED, "HTTP 410")])
    owe(deliveries, "a")
    async with at_work(receiver, deliveries):
        await until_told(receiver, 1)
    assert deliveries.dead == {"hook": 1}


async def test_one_that_hangs_holds_up_its_own_key_alone():
    deliveries, receiver = Deliveries(), Receiver()
    receiver.hangs.add("a")
    owe(deliveries, "a", "a", "b", "c", "b")
    async with at_work(receiver, deliveries):
        await until_told(receiver, 3)
    assert sorted(key for key, _, _ in receiver.told) == ["b", "b", "c"]
    assert deliveries.waiting() == {"hook": 2}  # owed still, though the courier is gone


async def test_a_receiver_says_how_long_to_wait():
    deliveries, receiver = Deliveries(), Receiver(a=[Answer(DeliveryStatus.LATER, "HTTP 429", wait_s=3600.0)])
    owe(deliveries, "a")
    async with at_work(receiver, deliveries, RetryPolicy(first_s=0.001, cap_s=900.0)) as (worker, _):
        await until_told(receiver, 1)
        assert worker.problem == "HTTP 429"
    assert len(receiver.told) == 1
    assert deliveries.next_at("hook") is not None


def test_waits_double_up_to_a_quarter_of_an_hour_and_last_a_day():
    patience = RetryPolicy()
    longest = [patience.wait_s(attempts, 1.0) for attempts in range(patience.attempts)]
    assert longest[:4] == [2.0, 4.0, 8.0, 16.0]
    assert max(longest) == 900.0
    assert 20 < sum(patience.wait_s(attempts, 0.5) for attempts in range(patience.attempts)) / 3600 < 28
