"""Device and precision of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from typing import Literal


def product_dtype(wanted: Literal["auto", "full", "mixed"], device: torch.device) -> torch.dtype:
    """What matrix products are computed in; weights, sums and losses are float32 in any case.

    `auto` mixes where there is an accelerator and leaves the CPU alone: there results are the same to the bit from
    run to run, and matrices this small gain nothing.

    >>> product_dtype("auto", torch.device("cpu")), product_dtype("mixed", torch.device("cpu"))
    (torch.float32, torch.bfloat16)

    Raises:
        TrainingError: `mixed` is wanted of a device that cannot.
    """
    if wanted == "full" or (wanted == "auto" and device.type == "cpu"):
        return torch.float32
    if not torch.amp.is_autocast_available(device.type):
        if wanted == "auto":
            return torch.float32
        raise TrainingError(f"training.precision mixed: device {device} cannot do it; say full, or auto")
    if device.type == "cuda":  # float16 needs its losses scaled, lest small gradients vanish; bfloat16 doesn't
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.get_autocast_dtype(device.type)


def device_of(name: str) -> torch.device:
    """The device that was asked for; `auto` takes an accelerator where there is one."""
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        wanted = torch.device(name)
        torch.zeros(1, device=wanted).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # of `meta`, which computes nothing, too
        raise TrainingError(
            f"device {name!r} cannot be used ({str(error).splitlines()[0]}); say cpu, or auto"
        ) from error
    return wanted
