"""Device and precision of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from typing import Literal


def product_dtype(requested: Literal["auto", "full", "mixed"], device: torch.device) -> torch.dtype:
    """Data type of matrix products; weights, sums and losses are float32 in any case.

    `auto` mixes precision on an accelerator only. On the CPU results are the same to the bit from run to run, and small
    matrices gain nothing.

    >>> product_dtype("auto", torch.device("cpu")), product_dtype("mixed", torch.device("cpu"))
    (torch.float32, torch.bfloat16)

    Raises:
        TrainingError: The device does not support `mixed`.
    """
    if requested == "full" or (requested == "auto" and device.type == "cpu"):
        return torch.float32
    if not torch.amp.is_autocast_available(device.type):
        if requested == "auto":
            return torch.float32
        raise TrainingError(f"training.precision mixed: device {device} does not support it; say full, or auto")
    if device.type == "cuda":  # float16 needs scaled losses, or small gradients vanish; bfloat16 does not
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.get_autocast_dtype(device.type)


def device_of(name: str) -> torch.device:
    """Device of this name; `auto` takes an accelerator if there is one.

    Raises:
        TrainingError: The device cannot compute.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        requested = torch.device(name)
        torch.zeros(1, device=requested).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # also of `meta`, which computes nothing
        raise TrainingError(
            f"device {name!r} cannot be used ({str(error).splitlines()[0]}); say cpu, or auto"
        ) from error
    return requested
