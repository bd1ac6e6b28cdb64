"""Deliveries are sent in order per key and retried, and a slow receiver holds up its own key alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from tocsin.delivery import Delivery, DeliveryQueue, DeliveryResult, DeliveryStatus, DeliveryWorker, RetryPolicy, Sink

QUICK = RetryPolicy(first_s=0.001, cap_s=0.002, attempts=3)
DOWN = DeliveryResult(DeliveryStatus.RETRY, "HTTP 503")
TAKEN = DeliveryResult(DeliveryStatus.DELIVERED)


class Receiver(Sink):
    """Answers by key, in turn; takes everything once its answers are used up."""

    name = "hook"

    def __init__(self, **answers):
        self.attempts = []
        self._answers = {key: list(given) for key, given in answers.items()}
        self.hangs = set()
        self.news = asyncio.Event()

    async def send(self, delivery):
        if delivery.key in self.hangs:
            await asyncio.Event().wait()
        given = self._answers.get(delivery.key)
        answer = given.pop(0) if given else TAKEN
        self.attempts.append((delivery.key, delivery.event_id, answer.status.value))
        self.news.set()
        return answer


@asynccontextmanager
async def at_work(receiver, queue, retry=QUICK):
    results = Counter()
    worker = DeliveryWorker(receiver, queue, lambda _, status: results.update([status]), retry=retry)
    task = asyncio.create_task(worker.run())
    yield worker, results
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def add(queue, *keys, first_event=1):
    queue.add(Delivery("hook", key, first_event + i, b"{}") for i, key in enumerate(keys))
    queue.wake()


async def until_attempted(receiver, count):
    async with asyncio.timeout(10):
        while len(receiver.attempts) < count:
            await receiver.news.wait()
            receiver.news.clear()
    await asyncio.sleep(0.005)  # were there more, they would come now


async def test_pending_and_later_deliveries_are_sent_once():
    queue, receiver = DeliveryQueue(), Receiver()
    add(queue, "a", "b")
    async with at_work(receiver, queue) as (_, results):
        await until_attempted(receiver, 2)
        add(queue, "a", first_event=3)
        await until_attempted(receiver, 3)
    assert sorted(receiver.attempts) == [("a", 1, "delivered"), ("a", 3, "delivered"), ("b", 2, "delivered")]
    assert queue.counts() == {"hook": 0}
    assert results == {DeliveryStatus.DELIVERED: 3}


async def test_a_failed_delivery_is_retried_before_later_ones_of_its_key():
    queue, receiver = DeliveryQueue(), Receiver(a=[DOWN, DOWN])
    add(queue, "a", "a", "b")
    async with at_work(receiver, queue):
        await until_attempted(receiver, 5)
    assert [attempt for attempt in receiver.attempts if attempt[0] == "a"] == [
        ("a", 1, "retry"),
        ("a", 1, "retry"),
        ("a", 1, "delivered"),
        ("a", 2, "delivered"),
    ]


async def test_after_so_many_attempts_it_is_a_dead_letter_and_its_key_goes_on():
    queue, receiver = DeliveryQueue(), Receiver(a=[DOWN, DOWN, DOWN])
    add(queue, "a", "a")
    async with at_work(receiver, queue) as (_, results):
        await until_attempted(receiver, 4)
    assert receiver.attempts[-1] == ("a", 2, "delivered")
    assert queue.dead_letters == {"hook": 1}
    assert [letter.reason for letter in queue.changes.dead] == ["HTTP 503"]
    assert results == {DeliveryStatus.RETRY: 2, DeliveryStatus.REJECTED: 1, DeliveryStatus.DELIVERED: 1}


async def test_a_receiver_that_wants_no_more_is_not_asked_again():
    queue, receiver = DeliveryQueue(), Receiver(a=[DeliveryResult(DeliveryStatus.REJECTED, "HTTP 410")])
    add(queue, "a")
    async with at_work(receiver, queue):
        await until_attempted(receiver, 1)
    assert queue.dead_letters == {"hook": 1}


async def test_one_that_hangs_holds_up_its_own_key_alone():
    queue, receiver = DeliveryQueue(), Receiver()
    receiver.hangs.add("a")
    add(queue, "a", "a", "b", "c", "b")
    async with at_work(receiver, queue):
        await until_attempted(receiver, 3)
    assert sorted(key for key, _, _ in receiver.attempts) == ["b", "b", "c"]
    assert queue.counts() == {"hook": 2}  # still pending, though the worker is gone


async def test_a_receiver_says_how_long_to_wait():
    queue, receiver = (
        DeliveryQueue(),
        Receiver(a=[DeliveryResult(DeliveryStatus.RETRY, "HTTP 429", retry_after_s=3600.0)]),
    )
    add(queue, "a")
    async with at_work(receiver, queue, RetryPolicy(first_s=0.001, cap_s=900.0)) as (worker, _):
        await until_attempted(receiver, 1)
        assert worker.problem == "HTTP 429"
    assert len(receiver.attempts) == 1
    assert queue.next_at("hook") is not None


def test_waits_double_up_to_a_quarter_of_an_hour_and_last_a_day():
    retry = RetryPolicy()
    longest = [retry.wait_s(attempts, 1.0) for attempts in range(retry.attempts)]
    assert longest[:4] == [2.0, 4.0, 8.0, 16.0]
    assert max(longest) == 900.0
    assert 20 < sum(retry.wait_s(attempts, 0.5) for attempts in range(retry.attempts)) / 3600 < 28
