"""Loader of bundles, which refuses one with a fault, and lookup of their folders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

import tocsin
from tocsin.bundle.calibration import BudgetError
from tocsin.bundle.graph import Graph, GraphError, probe
from tocsin.bundle.initial_state import InitialState
from tocsin.bundle.initial_state import probe as probe_initial_state
from tocsin.bundle.manifest import Manifest
from tocsin.engine.model import Channel, Model

if TYPE_CHECKING:
    from tocsin.bundle.calibration import ChosenThreshold

_MANIFEST = "manifest.json"
_NS_PER_S = 1_000_000_000


class BundleError(Exception):
    """A folder is no usable bundle; the text names the folder and the fault."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Loaded bundle.

    Attributes:
        folder: Folder of the bundle.
        manifest: Content of `manifest.json`.
        model: Model for the engine.
        initial_state: Task generate: graph from a profile to the initial state of a stream; None for other tasks.
    """

    folder: Path
    manifest: Manifest
    model: Model
    initial_state: InitialState | None = None

    def ticking(self, period_s: float) -> Bundle:
        """Copy the bundle with ticks of another length; for bundles of any period."""
        return replace(self, model=replace(self.model, period_ns=round(period_s * _NS_PER_S)))

    def threshold_at(self, budget: float, on_delay_s: float, off_delay_s: float) -> ChosenThreshold:
        """Threshold at which an alarm is raised `budget` times a stream-day on normal data, by the bundle's curve.

        Raises:
            BudgetError: There is no curve, or it has no threshold for the budget.
        """
        manifest, curve = self.manifest, self.manifest.calibration.curve
        if curve is None:
            raise BudgetError(f"{manifest.name}/{manifest.version} has no curve of false alarms: set threshold instead")
        # Rates of the curve are per day of the manifest's ticks. With other ticks a day has more or fewer of them.
        period_s = self.model.period_ns / _NS_PER_S
        length = period_s / manifest.period_s
        try:
            return curve.threshold_at(budget * length, on_delay_s / period_s, off_delay_s / period_s)
        except BudgetError as error:
            if length == 1:
                raise
            raise BudgetError(
                f"{budget:g} a day with ticks of {period_s:g} s is {budget * length:.3g} with the "
                f"{manifest.period_s:g} s that the curve was counted with: {error}"
            ) from error


def load(folder: Path) -> Bundle:
    """Load the bundle in a folder.

    Raises:
        BundleError: A file is missing, or the manifest, a hash, a shape or the bits of rows are wrong.
    """
    manifest = _manifest(folder)
    serialised = _graph_bytes(folder, "model.onnx", manifest.sha256)
    try:
        graph = Graph(serialised, manifest.task)
        for name, wanted in (("x", len(manifest.channels)), ("state", manifest.state_size)):
            found = graph.width(name)
            if found not in {None, wanted}:
                raise GraphError(f"input {name!r} has {found} columns, the manifest says {wanted}")  # noqa: TRY301  (faults of the graph become faults of the bundle at one place)
        low = np.array([channel.low for channel in manifest.channels])
        high = np.array([channel.high for channel in manifest.channels])
        probe(graph, manifest.signature, low, high)
    except GraphError as error:
        raise BundleError(f"bundle {folder}: model.onnx: {error}") from error
    return Bundle(folder, manifest, _model(manifest, graph), _initial_state(folder, manifest))


def shipped_folder() -> Path:
    """Folder of the shipped bundles: inside an installed package, or next to it in a checkout."""
    package = Path(tocsin.__file__).resolve().parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parents[1] / "models"


def shipped_names() -> list[str]:
    """Names of the shipped bundles, NAME/VERSION, in alphabetical order."""
    folders = [file.parent for file in shipped_folder().glob(f"*/*/{_MANIFEST}")]
    return sorted(f"{folder.parent.name}/{folder.name}" for folder in folders)


def bundle_folder(model: str, base: Path) -> Path | None:
    """Find the folder of a bundle; None if there is none.

    Args:
        model: Path of a folder, relative to `base` or absolute, or NAME/VERSION of a shipped bundle.
        base: Folder of the configuration.
    """
    for folder in (base / model, shipped_folder() / model):
        if (folder / _MANIFEST).is_file():
            return folder
    return None


def _graph_bytes(folder: Path, name: str, sha256: str) -> bytes:
    try:
        serialised = (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(f"bundle {folder}: cannot read {name}: {error.strerror}") from error
    digest = hashlib.sha256(serialised).hexdigest()
    if digest != sha256:
        raise BundleError(
            f"bundle {folder}: {name} has sha256 {digest[:12]}…, the manifest says {sha256[:12]}…: "
            "one of the two files is from another bundle or damaged; copy the folder again"
        )
    return serialised


def _initial_state(folder: Path, manifest: Manifest) -> InitialState | None:
    if manifest.profile is None or manifest.init_sha256 is None:
        return None
    serialised = _graph_bytes(folder, "init.onnx", manifest.init_sha256)
    channel = {channel.name: channel for channel in manifest.channels}
    low = np.array([channel[name].low for name in manifest.profile])
    high = np.array([channel[name].high for name in manifest.profile])
    try:
        initial_state = InitialState(serialised)
        probe_initial_state(initial_state, low, high, manifest.state_size)
    except GraphError as error:
        raise BundleError(f"bundle {folder}: init.onnx: {error}") from error
    return initial_state


def _manifest(folder: Path) -> Manifest:
    try:
        text = (folder / _MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"bundle {folder}: cannot read manifest.json: {error.strerror}") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'manifest'}: {fault['msg']}" for fault in error.errors()
        )
        raise BundleError(f"bundle {folder}: manifest.json: {faults}") from error


def _model(manifest: Manifest, graph: Graph) -> Model:
    return Model(
        name=manifest.name,
        version=manifest.version,
        sha256=manifest.sha256,
        task=manifest.task,
        channels=tuple(
            Channel(channel.name, channel.unit, channel.low, channel.high, channel.kind, channel.expected)
            for channel in manifest.channels
        ),
        period_ns=round(manifest.period_s * _NS_PER_S),
        state_size=manifest.state_size,
        warm_up_ticks=manifest.warm_up_ticks,
        max_gap_ticks=manifest.max_gap_ticks,
        delta_cap_s=manifest.delta_cap_s,
        threshold=manifest.calibration.threshold,
        step=graph,
        gaps=manifest.gaps,
        max_blind=manifest.max_blind,
        quantiles=manifest.quantiles or (),
        horizon_ticks=manifest.horizon_ticks or 0,
    )
