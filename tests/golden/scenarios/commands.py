"""Alarm commands over HTTP and MQTT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenarios.results import collected, question
from scenarios.toy import Toy, bed


def commands(folder: Path) -> dict[str, Any]:  # noqa: PLR0915  (one command after the other)
    """All alarm commands over HTTP and MQTT, refused and repeated ones included."""
    toy = Toy(folder, store={"folder": "state"})
    run, ask = toy.run, toy.ask
    a = {"stream": "icu/a", "alarm": "hr-high"}
    run(3)
    ask("acknowledge", **a)  # it has never been raised
    run(4, a=130, b=150)
    ask("acknowledge", **a, transaction="one", comment="seen")
    ask("acknowledge", **a, transaction="one", comment="seen")
    ask("acknowledge", **a, transaction="two")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=5, transaction="one", comment="other")
    ask("acknowledge", **a, occurrence=99_999)
    ask("acknowledge", stream="icu/a", alarm="hr-hi")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=5)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=-1, comment="x")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=90_000, comment="x")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=5, comment="known", transaction="three")
    run(3)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=4, comment="longer")
    run(6)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=600, once=True, comment="until it clears")
    run(3, b=80)
    run(4, b=150)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=600, comment="again")
    ask("unshelve", stream="icu/b", alarm="hr-high")
    ask("unshelve", stream="icu/b", alarm="hr-high")
    ask("reset", stream="icu/b", alarm="latched")
    ask("acknowledge", stream="icu/b", alarm="latched")
    ask("reset", stream="icu/b", alarm="latched")
    run(3, b=80)
    ask("reset", stream="icu/b", alarm="latched", comment="over")
    ask("remove-from-service", stream="icu/b", alarm="odd", comment="probe is repaired")
    ask("remove-from-service", stream="icu/b", alarm="hr-high")
    run(4, b=150)
    ask("return-to-service", stream="icu/b", alarm="odd")
    run(2, a=80)
    ask("annotate", **a)
    ask("annotate", **a, comment="was walking")
    ask("mark", **a, verdict="false", comment="artefact")
    ask("mark", **a, verdict="true")
    ask("mark", **a, verdict="maybe")
    ask("test", comment="monthly")
    run(6)
    ask("test", stream="icu/a")
    run(12)
    ask("acknowledge-group", labels={"ward": "icu"})
    ask("acknowledge-group", labels={})
    ask("acknowledge", stream="icu/b", alarm="hr-high", nonsense=1)
    ask("nonsense")
    toy.daemon.http("POST", "/api/v1/commands/test", toy.now, {"comment": "unknown"})
    base = "tocsin/request/"
    toy.second += 1
    toy.daemon.feed(
        [
            (f"{base}list", {"transaction": "q1"}),
            (f"{base}acknowledge", {"stream": "icu/b", "alarm": "latched", "actor": "pager", "transaction": "m1"}),
            (f"{base}show", {**a}, {"response_topic": "pager/7", "correlation": b"\x01\x02"}),
            (f"{base}acknowledge", {"stream": "icu/b", "alarm": "odd", "actor": "pager"}, {"retain": True}),
            (f"{base}nonsense", b"{"),
            (f"{base}mark", b"no json"),
            bed("icu/a", toy.second, hr=145, spo2=80),
        ],
        toy.now,
    )
    run(10, a=None)
    run(3, a=80)
    pages = ("alarms", "alarms?all=true", "alarms?label=ward=icu&priority=high", "alarms/icu/a/hr-high", "history")
    question(toy.daemon, toy.now, *pages, "history?limit=3", "history?alarm=odd&stream=icu/*", "stream-history")
    made = collected(toy.daemon)
    toy.daemon.stop()
    return made
