"""Conditions as another package would install them, sound ones and broken ones, and a daemon that has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from tocsin.config.conditions.entry import ConditionEntry, SingleChannelEntry
from tocsin.config.types import Section
from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.events import ConditionEventKind

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class InBand(Condition):
    """A channel's value lies in a band for some frames in a row; the state is how many."""

    channel: int
    low: float
    high: float
    frames: int

    kind = "toy-band"
    state_size = 1

    @property
    def parameters(self):
        return {"channel": self.channel, "low": self.low, "high": self.high, "frames": self.frames}

    @property
    def channels(self):
        return (self.channel,)

    def judge(self, context, previous, state):  # noqa: ARG002  (the protocol's)
        value, observed = context.steps.x[:, self.channel], context.steps.mask[:, self.channel] != 0
        within = observed & (value >= self.low) & (value <= self.high)
        state[:, 0] = np.where(within, np.nan_to_num(state[:, 0]) + 1, 0)
        return truth_of(state[:, 0] >= self.frames, observed)

    def reason(self, kind, context):
        if kind is ConditionEventKind.INACTIVE:
            return f"{context.name(self.channel)} has left the band"
        return f"{context.name(self.channel)} {context.value(self.channel):g} in the band, {context.state[0]:g} frames"


class InBandEntry(SingleChannelEntry):
    """A band."""

    key: ClassVar[str] = "toy-band"
    description: ClassVar[str] = "A channel lies in a band."

    low: float
    high: float
    frames: int = Field(default=1, ge=1)

    def build(self, bundle):
        return InBand(self.channel_index(bundle), self.low, self.high, self.frames)

    def check(self, bundle):
        yield from super().check(bundle)
        if self.low > self.high:
            yield ("low",), f"{self.low:g} is above high {self.high:g} (legal: up to it)"


class NoSection(ConditionEntry):
    """Forgot to be a part of the configuration."""

    key: ClassVar[str] = "toy-band"


class NoCheck(Section, ConditionEntry):
    """Forgot its description and its checks."""

    key: ClassVar[str] = "toy-band"

    def build(self, bundle):
        raise NotImplementedError


def install(folder: Path, *lines: str) -> Path:
    """Install a package `toy-conditions` with these entry points below a folder; that to put on the path."""
    info = folder / "site" / "toy_conditions-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-conditions\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[tocsin.conditions]", *lines, ""]))
    return info.parent


def run(site: Path, program: str, *arguments: str) -> dict:
    """Run a program where that package is installed; what it prints as JSON."""
    path = os.pathsep.join([str(site), str(HERE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
