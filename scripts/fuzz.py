#!/usr/bin/env python3
"""Feed mutated payloads to every decoder: none may raise, hang, or grow in memory without bound.

make fuzz                                a million payloads, some minutes
make fuzz ARGS='--count 10000 --seed 7'  fewer, with another seed
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbor2
import numpy as np

from tocsin.ingest.decoder import Decoder
from tocsin.ingest.formats import registry
from tocsin.ingest.formats.sparkplug import TOPICS
from tocsin.ingest.message import Message
from tocsin.ingest.source_settings import FieldSettings, SourceSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

NOW = 1_764_000_000 * 1_000_000_000
BATCH = 500
MUTATED_OF_SESSION = 0.1
BATCH_LIMIT_S = 60  # a batch takes a fraction of a second
GROWTH_LIMIT_MB = 300
MADE = Path(__file__).parents[1] / "tests" / "ingest" / "payloads"

FIELDS = (FieldSettings("hr", "hr", unit="/min"), FieldSettings("temp", "temp", 5 / 9, -160 / 9))
_T = 1_764_000_000
_PACK: list[dict[str, Any]] = [
    {"bn": "bed7/", "bt": _T - 9, "bu": "Hz", "bver": 10, "bv": 1, "n": "hr", "v": 1.5, "t": 3, "ut": 5},
    {"n": "temp", "u": "Cel", "v": 98.6, "bs": 2},
    {"n": "hr", "vb": True, "t": -2, "bt": 0},
    {"n": "temp", "s": 7, "vs_": "x"},
    {"n": "hr", "vs": "on"},
]
_LABELS = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
           "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7}  # fmt: skip
_CBOR = [cbor2.dumps([{_LABELS.get(k, k): v for k, v in record.items()} for record in _PACK[:n]]) for n in (1, 3, 5)]
_JSON = [
    b'{"t":1764000000,"hr":72.5,"temp":97}',
    b'[{"t":1764000000.25,"hr":72},{"t":"2025-11-24T15:59:59Z","hr":-1e5,"temp":null}]',
    b'{"hr":1e308,"x":{"y":["\\u00e4",true,null]},"t":1764000000123}',
]
_PIECES = [b"NaN", b"1e999", b"-", b'"', b"\\", b"\xff", b"{", b"]", b"null", b",", b"9" * 30, b"\x00", b"\n", b"=",
           b" ", b"\x9f", b"\xbf", b"\xd8\x1c", b"\x80" * 9, b"\x7f\xff\xff\xff\xff", b"[" * 300]  # fmt: skip


class FoundError(Exception):
    """A decoder violated its contract."""


@dataclass(slots=True)
class Target:
    """A decoder, and messages to mutate."""

    decoder: Decoder
    seeds: list[Message]
    is_session: bool = False  # then they are decoded in order, most of them unchanged
    is_seeded: bool = True  # whether the messages have the decoder's own format


@dataclass(slots=True)
class Found:
    """Counts of the results of mutated payloads."""

    payloads: int = 0
    readings: int = 0
    requests: int = 0
    rejects: Counter[str] = field(default_factory=Counter)


def targets() -> dict[str, Target]:
    """Every decoder; that of a plug-in gets the messages of all other formats."""
    sparkplug = json.loads((MADE / "sparkplug.json").read_text(encoding="utf-8"))
    seeded: dict[str, tuple[SourceSettings, list[Message]]] = {
        "json": (_source("v/{bed}"), _messages(_JSON)),
        "json-value": (
            _source("v/{bed}/{channel}"),
            _messages([b'{"value":1.5,"t":1764000000}', b'[1,null,{"value":2}]', b"3"], "v/7/hr"),
        ),
        "plain": (_source("v/{bed}/{channel}", "plain"), _messages([b"72.5", b"-1e-3", b" null "], "v/7/hr")),
        "senml-json": (
            _source("v", "senml-json", "{bed}/{channel}"),
            _messages([json.dumps(_PACK[:n]).encode() for n in (1, 3, 5)], "v"),
        ),
        "senml-cbor": (_source("v", "senml-cbor", "{bed}/{channel}"), _messages(_CBOR, "v")),
        "influx": (
            SourceSettings("v", "{bed}", (*FIELDS, FieldSettings("x", "spo2")), "influx"),
            _messages(
                [(MADE / "influx.txt").read_bytes(), b'm,bed=7 hr=1i,note="a \\" b",temp=2.5,on=t 1764000000'], "v"
            ),
        ),
        "sparkplug": (
            SourceSettings(TOPICS, None, (FieldSettings("hr", "hr"), FieldSettings("x", "spo2")), "sparkplug"),
            [Message(entry["topic"], bytes.fromhex(entry["hex"]), NOW) for entry in sparkplug.values()],
        ),
        "auto": (
            SourceSettings("v/{bed}", None, FIELDS[:1], "auto", "bed7/{channel}"),
            [
                Message("v/7", payload, NOW, content_type=kind)
                for kind, payload in (
                    (None, _JSON[0]),
                    ("text/plain", b"5"),
                    ("application/senml+json", json.dumps(_PACK[:3]).encode()),
                    ("application/senml+cbor", _CBOR[1]),
                    ("text/csv", b"1,2"),
                )
            ],
        ),
    }
    foreign = [message for _, messages in seeded.values() for message in messages]
    unseeded = {
        name: (_source("v/{bed}/{channel}", name), _messages([message.payload for message in foreign], "v/7/hr"))
        for name in registry.names()
        if name not in seeded
    }
    return {
        name: Target(Decoder(source), seeds, is_session=source.format == "sparkplug", is_seeded=name in seeded)
        for name, (source, seeds) in {**seeded, **unseeded}.items()
    }


def _source(topic: str, payload_format: str = "json", name: str | None = None) -> SourceSettings:
    return SourceSettings(topic, None, FIELDS, payload_format, name)


def _messages(payloads: list[bytes], topic: str = "v/7") -> list[Message]:
    return [Message(topic, payload, NOW) for payload in payloads]


def mutated(seed: Message, source: random.Random) -> Message:
    """A message with a few wrong bytes; sometimes unchanged, so that sessions advance."""
    body = bytearray(seed.payload)
    for _ in range(source.choice((0, 1, 1, 1, 2, 3, 8))):
        at = source.randrange(len(body) + 1)
        match source.randrange(6):
            case 0:
                body[at:at] = source.choice(_PIECES)
            case 1:
                del body[at : at + source.randint(1, 8)]
            case 2:
                body[at : at + 1] = bytes([source.randrange(256)])
            case 3:
                del body[at:]
            case 4:  # a repeated part of the message
                start = source.randrange(len(body) + 1)
                body[at:at] = body[start : start + source.randint(1, 40)]
            case _ if at < len(body):
                body[at] ^= 1 << source.randrange(8)
    return Message(
        seed.topic, bytes(body), NOW + source.randrange(10**11), source.randrange(10) == 0, seed.content_type
    )


def run(target: Target, count: int, source: random.Random) -> Found:
    """Decode `count` mutated payloads.

    Raises:
        FoundError: The decoder violated its contract.
    """
    found = Found()
    for size in _sizes(count):
        if target.is_session:
            order = (target.seeds[n % len(target.seeds)] for n in range(size))
            batch = [mutated(seed, source) if source.random() < MUTATED_OF_SESSION else seed for seed in order]
        else:
            batch = [mutated(source.choice(target.seeds), source) for _ in range(size)]
        decoded = target.decoder.decode(batch, NOW)
        readings = decoded.readings
        if len(readings.streams) != len(readings.labels):
            raise FoundError("streams without labels")
        if not all(reject.detail.isprintable() and reject.topic.isprintable() for reject in decoded.rejects):
            raise FoundError("a reject that no log should carry")
        if not NOW + 60_000_000_000 >= readings.t.max(initial=0) >= 0:
            raise FoundError("a time that should have been refused")
        if np.isinf(readings.values[:, 0]).any():  # whose values are not scaled
            raise FoundError("an infinite value")
        found.payloads += size
        found.readings += len(readings)
        found.requests += len(decoded.requests)
        for reject in decoded.rejects:
            found.rejects[str(reject.reason)] += 1
    return found


def _sizes(count: int) -> Iterator[int]:
    while count > 0:
        yield min(count, BATCH)
        count -= BATCH


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"a batch of {BATCH} payloads took more than {BATCH_LIMIT_S} s")


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="payloads, shared by all decoders")
    parser.add_argument("--seed", type=int, default=20261126, help="of the random numbers")
    asked = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    source = random.Random(asked.seed)  # noqa: S311  (the same bytes in every run of a seed)
    every = targets()
    for target in every.values():  # decoders allocate their memory before it is measured
        run(target, 5 * BATCH, source)
    before = _resident_mb()
    for name, target in every.items():
        began = time.perf_counter()
        total = Found()
        for size in _sizes(asked.count // len(every)):
            signal.alarm(BATCH_LIMIT_S)
            found = run(target, size, source)
            total.payloads += found.payloads
            total.readings += found.readings
            total.requests += found.requests
            total.rejects += found.rejects
        signal.alarm(0)
        rejects = ", ".join(f"{reason} {n}" for reason, n in total.rejects.most_common())
        seconds = time.perf_counter() - began
        print(f"{name}: {total.payloads} payloads in {seconds:.0f} s, {total.readings} readings; {rejects}", flush=True)
    growth = _resident_mb() - before
    print(f"memory grew by {growth:.0f} MB at most (limit {GROWTH_LIMIT_MB} MB)")
    return 0 if growth <= GROWTH_LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
