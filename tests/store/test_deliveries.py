"""Pending deliveries and dead letters across crashes, and in the file."""

from __future__ import annotations

from numbered_deliveries import numbered, sent


def test_pending_deliveries_outlive_a_crash(store, reopened):
    queue = store.deliveries
    queue.add([numbered(1), numbered(2), numbered(3, "b"), numbered(4, "c", replaces=True)])
    store.commit([], [])
    first = queue.next("webhook", 0)
    queue.acknowledge(queue.next("webhook", 0))
    queue.postpone(first, until=50)
    queue.dead_letter(queue.next("webhook", 0), "refused", 7)
    store.commit([], [])
    queue.acknowledge(queue.next("webhook", 50))  # sent, and then killed before that was stored: sent again

    again = reopened(store)
    assert again.deliveries.dead_letters == {"webhook": 1}
    assert [(letter.pending.delivery.event_id, letter.reason, letter.died_at) for letter in again.dead_letters()] == [
        (4, "refused", 7)
    ]
    assert again.deliveries.next("webhook", 49) is None
    pending = again.deliveries.next("webhook", 50)
    assert (pending.delivery, pending.attempts) == (numbered(1), 1)
    again.deliveries.acknowledge(pending)
    assert sent(again.deliveries, now=50) == [2]
    again.close()
    assert reopened().deliveries.counts() == {}
