"""What is owed: in order per key, at least once, across crashes."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tocsin.store import Deliveries, Owed


def owed(number, key="bed-1/spo2-low", sink="webhook", **more):
    return Owed(sink, key, number, str(number).encode(), **more)


def told(deliveries, sink="webhook", now=0):
    """Tell all that may be told now; the ids of the events."""
    numbers = []
    while (delivery := deliveries.next(sink, now)) is not None:
        numbers.append(delivery.owed.event_id)
        deliveries.settle(delivery)
    return numbers


def test_what_is_owed_is_told_in_order_and_once():
    deliveries = Deliveries()
    deliveries.owe([owed(1), owed(2, "b"), owed(3), owed(4, sink="alertmanager")])
    assert told(deliveries) == [1, 2, 3]
    assert told(deliveries) == []
    assert deliveries.waiting() == {"webhook": 0, "alertmanager": 1}


def test_a_key_waits_for_its_first_and_others_do_not():
    deliveries = Deliveries()
    deliveries.owe([owed(1), owed(2), owed(3, "b")])
    first = deliveries.next("webhook", 0)
    assert told(deliveries) == [3]
    deliveries.postpone(first, until=100)
    assert told(deliveries, now=99) == []
    assert deliveries.next_at("webhook") == 100
    again = deliveries.next("webhook", 100)
    assert (again.owed.event_id, again.attempts) == (1, 1)
    deliveries.bury(again, "410 Gone", 100)
    assert told(deliveries, now=100) == [2]
    assert deliveries.dead == {"webhook": 1}


def test_a_state_takes_the_place_of_one_that_nobody_has_begun_to_tell():
    deliveries = Deliveries()
    deliveries.owe([owed(1, merges=True)])
    in_hand = deliveries.next("webhook", 0)
    deliveries.owe([owed(2, merges=True), owed(3), owed(4, merges=True)])
    deliveries.settle(in_hand)
    assert told(deliveries) == [3, 4]
    assert deliveries.dropped == {}


def test_beyond_the_bound_the_oldest_goes_and_is_counted():
    deliveries = Deliveries(max_per_sink=3)
    deliveries.owe([owed(number) for number in range(1, 3)])
    in_hand = deliveries.next("webhook", 0)
    deliveries.owe([owed(number) for number in range(3, 7)])
    assert deliveries.dropped == {"webhook": 2}
    assert deliveries.waiting() == {"webhook": 4}
    deliveries.settle(in_hand)
    assert told(deliveries) == [4, 5, 6]


def test_sinks_are_woken_when_there_is_something():
    deliveries, woken = Deliveries(), []
    deliveries.owe([owed(1)])
    deliveries.listen("webhook", lambda: woken.append("webhook"))
    deliveries.listen("other", lambda: woken.append("other"))
    assert woken == ["webhook"]
    deliveries.owe([owed(2, sink="other")])
    assert woken == ["webhook"]
    deliveries.wake()
    assert sorted(woken) == ["other", "webhook", "webhook"]


def test_states_stay_beyond_the_bound():
    deliveries = Deliveries(max_per_sink=2)
    deliveries.owe(owed(number, f"key-{number}", merges=number != 2) for number in range(1, 6))
    assert told(deliveries) == [1, 3, 4, 5]
    assert deliveries.dropped == {"webhook": 1}


def test_many_at_once_for_a_sink_that_keeps_the_order_itself():
    deliveries = Deliveries()
    deliveries.owe([owed(1), owed(2), owed(3, "b")])
    assert [delivery.owed.event_id for delivery in deliveries.take("webhook", 2)] == [1, 2]
    assert [delivery.owed.event_id for delivery in deliveries.take("webhook", 2)] == [3]
    assert deliveries.take("webhook", 2) == []
    assert deliveries.next("webhook", 0) is None


def test_what_is_owed_outlives_a_crash(store, reopened):
    deliveries = store.deliveries
    deliveries.owe([owed(1), owed(2), owed(3, "b"), owed(4, "c", merges=True)])
    store.commit([], [])
    first = deliveries.next("webhook", 0)
    deliveries.settle(deliveries.next("webhook", 0))
    deliveries.postpone(first, until=50)
    deliveries.bury(deliveries.next("webhook", 0), "refused", 7)
    store.commit([], [])
    deliveries.settle(deliveries.next("webhook", 50))  # told, and then killed before that was written: told again

    again = reopened(store)
    assert again.deliveries.dead == {"webhook": 1}
    assert [(letter.delivery.owed.event_id, letter.reason, letter.died_at) for letter in again.dead_letters()] == [
        (4, "refused", 7)
    ]
    assert again.deliveries.next("webhook", 49) is None
    delivery = again.deliveries.next("webhook", 50)
    assert (delivery.owed, delivery.attempts) == (owed(1), 1)
    again.deliveries.settle(delivery)
    assert told(again.deliveries, now=50) == [2]
    again.close()
    assert reopened().deliveries.waiting() == {}


@given(
    st.lists(st.tuples(st.sampled_from(["owe", "take", "settle", "postpone", "bury"]), st.integers(0, 3)), max_size=60)
)
def test_whatever_happens_a_key_stays_in_order_and_nothing_is_lost(calls):
    deliveries, number, now = Deliveries(), 0, 0
    in_hand, seen, buried = [], defaultdict(list), []

    def take():
        delivery = deliveries.next("webhook", now)
        if delivery is not None:
            assert delivery.owed.key not in {other.owed.key for other in in_hand}
            in_hand.append(delivery)

    for what, which in calls:
        now += 1
        if what == "owe":
            number += 1
            deliveries.owe([owed(number, f"key-{which}")])
        elif what == "take":
            take()
        elif in_hand:
            delivery = in_hand.pop(which % len(in_hand))
            if what == "settle":
                deliveries.settle(delivery)
                seen[delivery.owed.key].append(delivery.owed.event_id)
            elif what == "postpone":
                deliveries.postpone(delivery, now + which)
            else:
                deliveries.bury(delivery, "", now)
                buried.append(delivery.owed.event_id)
    now += 10
    while deliveries.waiting().get("webhook"):
        take()
        delivery = in_hand.pop()
        deliveries.settle(delivery)
        seen[delivery.owed.key].append(delivery.owed.event_id)
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sorted([*buried, *(one for numbers in seen.values() for one in numbers)]) == list(range(1, number + 1))
