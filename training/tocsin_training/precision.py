"""Full or mixed precision, by what the device can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from typing import Literal


def chosen(wanted: Literal["auto", "full", "mixed"], device: torch.device) -> torch.dtype:
    """What matrix products are computed in; weights, sums and losses are float32 in any case.

    `auto` mixes where there is an accelerator and leaves the CPU alone: there results are the same to the bit from
    run to run, and matrices this small gain nothing.

    >>> chosen("auto", torch.device("cpu")), chosen("mixed", torch.device("cpu"))
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


def has_bfloat16() -> bool:
    """Whether this processor computes recurrent networks in bfloat16: oneDNN asks for AVX-512 at least.

    Where it doesn't, `mixed` mixes in everything else.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001  (nothing public tells)
