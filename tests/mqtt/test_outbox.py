from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.mqtt.outbox import Outbox, Outgoing


def news(n, topic="event"):
    return Outgoing(topic, b"%d" % n)


def state(n, topic="alarm"):
    return Outgoing(topic, b"%d" % n, retain=True)


def drain(outbox):
    return list(iter(outbox.next, None))


def test_first_in_first_out():
    outbox = Outbox(10)
    for i in range(3):
        outbox.put(news(i))
    assert drain(outbox) == [news(0), news(1), news(2)]
    assert len(outbox) == 0


def test_a_newer_state_takes_the_older_ones_place_at_the_end():
    outbox = Outbox(10)
    for message in (state(1), news(2), state(3), state(4, "other")):
        outbox.put(message)
    assert drain(outbox) == [news(2), state(3), state(4, "other")]


def test_first_goes_before_all_others():
    outbox = Outbox(10)
    outbox.put(news(1))
    outbox.put(state(2, "status"), first=True)
    assert drain(outbox) == [state(2, "status"), news(1)]


def test_beyond_the_bound_the_oldest_news_goes_and_no_state_does():
    outbox = Outbox(3)
    for message in (state(0, "a"), news(1), state(2, "b"), news(3), news(4), state(5, "c"), state(6, "d")):
        outbox.put(message)
    assert drain(outbox) == [state(0, "a"), state(2, "b"), state(5, "c"), state(6, "d")]
    assert outbox.dropped == 3


def test_what_was_in_flight_comes_first_after_a_loss_in_its_order():
    outbox = Outbox(10)
    for i in range(4):
        outbox.put(news(i))
    for mid in (7, 5):
        outbox.sent(mid, outbox.next())
    assert outbox.in_flight == 2
    assert len(outbox) == 4
    outbox.requeue()
    assert outbox.in_flight == 0
    assert drain(outbox) == [news(0), news(1), news(2), news(3)]


def test_a_state_in_flight_does_not_overtake_a_newer_one_after_a_loss():
    outbox = Outbox(10)
    outbox.put(state(1))
    outbox.sent(1, outbox.next())
    outbox.put(state(2))
    outbox.requeue()
    assert drain(outbox) == [state(2)]


def test_an_acknowledged_message_is_gone():
    outbox = Outbox(10)
    outbox.put(news(1))
    outbox.sent(9, outbox.next())
    assert outbox.acknowledged(9) == news(1)
    assert outbox.acknowledged(9) is None
    outbox.requeue()
    assert len(outbox) == 0


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\x00", "ä" * 32_768])
def test_a_topic_that_a_broker_would_drop_the_connection_for_is_refused(topic):
    with pytest.raises(ValueError, match="nothing can be published on topic"):
        Outgoing(topic, b"")


STEP = st.one_of(
    st.builds(lambda n: ("put", news(n)), st.integers(0, 99)),
    st.builds(lambda n, t: ("put", state(n, t)), st.integers(0, 99), st.sampled_from("abc")),
    st.just(("send", None)),
    st.just(("acknowledge", None)),
    st.just(("requeue", None)),
)


@given(st.lists(STEP, max_size=60), st.integers(1, 5))
def test_whatever_happens_the_newest_state_of_every_topic_is_delivered_last(steps, bound):
    outbox = Outbox(bound)
    newest, delivered, flying = {}, {}, {}
    for mid, (step, message) in enumerate(steps, start=1):
        if step == "put":
            outbox.put(message)
            if message.retain:
                newest[message.topic] = message
        elif step == "send" and (sent := outbox.next()) is not None:
            outbox.sent(mid, sent)
            flying[mid] = sent
            delivered[sent.topic] = sent
        elif step == "acknowledge" and flying:
            oldest = next(iter(flying))
            assert outbox.acknowledged(oldest) == flying.pop(oldest)
        elif step == "requeue":
            outbox.requeue()
            flying.clear()
        waiting = len(outbox) - outbox.in_flight
        assert waiting <= max(bound, len(newest))
    outbox.requeue()
    for message in drain(outbox):
        delivered[message.topic] = message
    assert {topic: m for topic, m in delivered.items() if m.retain} == newest
