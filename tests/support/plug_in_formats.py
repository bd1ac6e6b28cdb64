"""Payload formats as another package would install them."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from tocsin.ingest.formats import registry
from tocsin.ingest.formats.payload_format import PayloadFormat
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.timestamps import Nanoseconds

S = 1_000_000_000


class CsvReader:
    """Reads lines of `SECONDS,NAME,VALUE`."""

    def __init__(self, settings, addressing):
        self._addressing = addressing
        self._columns = {field.name: column for column, field in enumerate(settings.fields)}

    def read(self, message, index, address, rows, rejects):
        for line in message.payload.decode("utf-8", "replace").splitlines():
            try:
                seconds, name, text = line.split(",")
                t, value = Nanoseconds(int(seconds) * S), float(text)
            except ValueError:
                rejects.add(RejectReason.UNREADABLE, index, f"{line[:40]!r} is not SECONDS,NAME,VALUE")
                continue
            if name in self._columns:
                rows.put(index, rows.code(address.stream, address.labels), t, self._columns[name], value)


CSV = PayloadFormat("csv", CsvReader, content_types=("text/csv",))


class OddReader:
    """Does with each message what its payload says, and nothing of it is right."""

    def __init__(self, settings, addressing):
        pass

    def read(self, message, index, address, rows, rejects):
        stream = rows.code(address.stream, address.labels)
        rows.put(index, stream, None, 0, 72.0)  # is lost with the message
        match message.payload.decode():
            case "raise":
                raise KeyError("hr")
            case "column":
                rows.put(index, stream, 1, 99, 72.0)
            case "before":
                rows.put(index, stream, 1, -3, 72.0)
            case "code":
                rows.put(index, 99, 1, 0, 72.0)
            case "reason":
                rejects.add("odd", index, "a reason of its own")
            case "rows":
                rows.times.append(None)
            case kind if kind in WRONG:
                name, labels, time, value = WRONG[kind]
                rows.put(index, rows.code(name, labels), time, 0, value)


WRONG = {  # stream, labels, time, value
    "text": ("bed", {}, 1, "72"),
    "infinite": ("bed", {}, 1, float("inf")),
    "time": ("bed", {}, [1], 72.0),
    "boolean time": ("bed", {}, True, 72.0),
    "stream": ("bed/#", {}, 1, 72.0),
    "labels": ("bed", {"ward": 7}, 1, 72.0),
}
ODD = PayloadFormat("odd", OddReader)
PLAIN = PayloadFormat("plain", CsvReader)
TWIN = PayloadFormat("twin", CsvReader, content_types=("text/csv",))
BARE = PayloadFormat("bare", lambda _settings, _addressing: object())
FAILING = PayloadFormat("failing", lambda _settings, _addressing: 1 / 0)
NOT_A_FORMAT = CsvReader


def install(monkeypatch, **objects):
    """Install entry points for one test: by format, the object of this module that it refers to."""
    found = [
        EntryPoint(name, f"{__name__}:{attribute}", registry.PLUGINS)
        for name, attributes in objects.items()
        for attribute in attributes.split()
    ]
    monkeypatch.setattr("tocsin.plug_ins.entry_points", lambda group: found if group == registry.PLUGINS else [])
    registry.installed.cache_clear()
