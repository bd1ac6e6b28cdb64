"""Sinks as other packages would install them, sound ones and broken ones."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from pydantic import BaseModel, ConfigDict, Field

from tocsin.delivery import Delivery, DeliveryResult, DeliveryStatus, Sink


class Pigeon(Sink):
    """Appends the alarms of a loft to a file; raises while the loft is closed."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")

        loft: str = Field(max_length=20)
        closed_for: int = 0

    def __init__(self, name, options, file):
        self.name = name
        self._options = options
        self._file = file
        self._closed_for = options.closed_for

    @classmethod
    def build(cls, options, context):
        return cls(context.name, options, context.folder / f"{options.loft}.txt")

    def payload_for(self, event):
        return [Delivery(self.name, event.alarm, event.id, f"{event.stream} {event.transition}".encode())]

    async def send(self, delivery):
        if self._closed_for:
            self._closed_for -= 1
            raise OSError("the loft is closed")
        with self._file.open("a") as file:
            file.write(f"{delivery.body.decode()}\n")
        return DeliveryResult(DeliveryStatus.DELIVERED)


class WithoutOptions:
    """Forgot its model."""

    build = Pigeon.build


class WithoutBuild:
    """Forgot how it is made."""

    class Options(BaseModel):
        pass


def install(monkeypatch, **sinks):
    """Let entry points name attributes of this module, or `module:attribute` of any other."""
    points = [
        EntryPoint(name, value if ":" in value else f"plug_in_sinks:{value}", "tocsin.sinks")
        for name, value in sinks.items()
    ]

    def entry_points(*, group):
        return [point for point in points if group == point.group]

    monkeypatch.setattr("tocsin.plug_ins.entry_points", entry_points)
