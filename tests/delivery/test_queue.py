"""Pending deliveries are sent in order per key, at least once, and none is lost."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from numbered_deliveries import numbered, sent

from tocsin.delivery import DeliveryQueue


def test_deliveries_are_sent_in_order_and_once():
    queue = DeliveryQueue()
    queue.add([numbered(1), numbered(2, "b"), numbered(3), numbered(4, sink="alertmanager")])
    assert sent(queue) == [1, 2, 3]
    assert sent(queue) == []
    assert queue.counts() == {"webhook": 0, "alertmanager": 1}


def test_a_key_waits_for_its_first_and_others_do_not():
    queue = DeliveryQueue()
    queue.add([numbered(1), numbered(2), numbered(3, "b")])
    first = queue.next("webhook", 0)
    assert sent(queue) == [3]
    queue.postpone(first, until=100)
    assert sent(queue, now=99) == []
    assert queue.next_at("webhook") == 100
    again = queue.next("webhook", 100)
    assert (again.delivery.event_id, again.attempts) == (1, 1)
    queue.dead_letter(again, "410 Gone", 100)
    assert sent(queue, now=100) == [2]
    assert queue.dead_letters == {"webhook": 1}


def test_a_state_replaces_a_pending_one_that_is_not_in_flight():
    queue = DeliveryQueue()
    queue.add([numbered(1, replaces=True)])
    in_flight = queue.next("webhook", 0)
    queue.add([numbered(2, replaces=True), numbered(3), numbered(4, replaces=True)])
    queue.acknowledge(in_flight)
    assert sent(queue) == [3, 4]
    assert queue.dropped == {}


def test_beyond_the_bound_the_oldest_is_dropped_and_counted():
    queue = DeliveryQueue(max_per_sink=3)
    queue.add([numbered(number) for number in range(1, 3)])
    in_flight = queue.next("webhook", 0)
    queue.add([numbered(number) for number in range(3, 7)])
    assert queue.dropped == {"webhook": 2}
    assert queue.counts() == {"webhook": 4}
    queue.acknowledge(in_flight)
    assert sent(queue) == [4, 5, 6]


def test_sinks_are_woken_when_there_is_something():
    queue, woken = DeliveryQueue(), []
    queue.add([numbered(1)])
    queue.listen("webhook", lambda: woken.append("webhook"))
    queue.listen("other", lambda: woken.append("other"))
    assert woken == ["webhook"]
    queue.add([numbered(2, sink="other")])
    assert woken == ["webhook"]
    queue.wake()
    assert sorted(woken) == ["other", "webhook", "webhook"]


def test_states_stay_beyond_the_bound():
    queue = DeliveryQueue(max_per_sink=2)
    queue.add(numbered(number, f"key-{number}", replaces=number != 2) for number in range(1, 6))
    assert sent(queue) == [1, 3, 4, 5]
    assert queue.dropped == {"webhook": 1}


def test_many_at_once_for_a_sink_that_keeps_the_order_itself():
    queue = DeliveryQueue()
    queue.add([numbered(1), numbered(2), numbered(3, "b")])
    assert [pending.delivery.event_id for pending in queue.take("webhook", 2, 0)] == [1, 2]
    assert [pending.delivery.event_id for pending in queue.take("webhook", 2, 0)] == [3]
    assert queue.take("webhook", 2, 0) == []
    assert queue.next("webhook", 0) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "take", "acknowledge", "postpone", "dead_letter"]), st.integers(0, 3)),
        max_size=60,
    )
)
def test_whatever_happens_a_key_stays_in_order_and_nothing_is_lost(calls):
    queue, number, now = DeliveryQueue(), 0, 0
    in_flight, seen, dead = [], defaultdict(list), []

    def take():
        pending = queue.next("webhook", now)
        if pending is not None:
            assert pending.delivery.key not in {other.delivery.key for other in in_flight}
            in_flight.append(pending)

    for what, which in calls:
        now += 1
        if what == "add":
            number += 1
            queue.add([numbered(number, f"key-{which}")])
        elif what == "take":
            take()
        elif in_flight:
            pending = in_flight.pop(which % len(in_flight))
            if what == "acknowledge":
                queue.acknowledge(pending)
                seen[pending.delivery.key].append(pending.delivery.event_id)
            elif what == "postpone":
                queue.postpone(pending, now + which)
            else:
                queue.dead_letter(pending, "", now)
                dead.append(pending.delivery.event_id)
    now += 10
    while queue.counts().get("webhook"):
        take()
        pending = in_flight.pop()
        queue.acknowledge(pending)
        seen[pending.delivery.key].append(pending.delivery.event_id)
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sorted([*dead, *(one for numbers in seen.values() for one in numbers)]) == list(range(1, number + 1))
