"""Where every generator of random numbers stands, so that a run that was cut off can go on as if it had not been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import numpy as np


def standing(rng: np.random.Generator, device: torch.device) -> dict[str, Any]:
    """Of the order of streams, of PyTorch on the CPU, and of the device, which draws its own dropout."""
    kept = {"numpy": rng.bit_generator.state, "torch": torch.get_rng_state()}
    if device.type != "cpu":
        kept["device"] = torch.get_device_module(device).get_rng_state(device)
    return kept


def restore(kept: dict[str, Any], rng: np.random.Generator, device: torch.device) -> None:
    """Put them back; a run that goes on elsewhere than it began leaves the new device's as it is."""
    rng.bit_generator.state = kept["numpy"]
    torch.set_rng_state(kept["torch"])
    if device.type != "cpu" and "device" in kept:
        torch.get_device_module(device).set_rng_state(kept["device"], device)
