"""Synthetic streams with known answers."""

from __future__ import annotations

import torch
from torch import Tensor

TRIVIAL_ADDING = 1.0 / 6.0  # the variance of a sum of two uniform numbers: the error of the constant answer 1
SYMBOLS, ALPHABET = 5, 8  # of the copy task
PULSES = 0.1  # how often a channel of `held` gets the command to store


def adding(streams: int, ticks: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Adding problem (Hochreiter and Schmidhuber 1997).

    Two of the numbers are marked, one in each half; the target is their sum after the last tick.

    Returns:
        x (B, T, 2), a uniform number and its mark, and the sums (B,).
    """
    numbers = torch.rand(streams, ticks, generator=generator)
    marks = torch.zeros(streams, ticks)
    rows, half = torch.arange(streams), ticks // 2
    first = torch.randint(0, half, (streams,), generator=generator)
    second = torch.randint(half, ticks, (streams,), generator=generator)
    marks[rows, first] = 1.0
    marks[rows, second] = 1.0
    return torch.stack([numbers, marks], dim=2), numbers[rows, first] + numbers[rows, second]


def copying(streams: int, delay: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Copy task: five of eight letters, `delay` blanks, a cue; then the letters are the targets, in order.

    Returns:
        x (B, 5 + delay + 5, 10), one-hot letters, blank and cue, and the letters (B, 5).
    """
    letters = torch.randint(0, ALPHABET, (streams, SYMBOLS), generator=generator)
    symbols = torch.full((streams, SYMBOLS + delay + SYMBOLS), ALPHABET)  # blanks
    symbols[:, :SYMBOLS] = letters
    symbols[:, SYMBOLS + delay - 1] = ALPHABET + 1  # the bell
    return torch.nn.functional.one_hot(symbols, ALPHABET + 2).float(), letters


def latch(streams: int, ticks: int, lag: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latch task: a coin, `lag` ticks of noise, then its query, repeated without an end.

    Returns:
        x (B, T, 3), coin (±1 or 0), query (1 or 0) and noise; the target (B, T), ±1; whether there is a query (B, T).
    """
    cycle = lag + 3
    at = (torch.arange(ticks) + torch.randint(0, cycle, (streams, 1), generator=generator)) % cycle  # (B, T)
    coins = torch.randint(0, 2, (streams, ticks // cycle + 2), generator=generator) * 2.0 - 1.0
    number = ((at == 0).cumsum(1)).clamp(max=coins.shape[1] - 1)  # which coin was the last
    coin = coins.gather(1, number)
    query = (at == lag).float() * (number > 0)
    noise = torch.randn(streams, ticks, generator=generator) * 0.3
    return torch.stack([coin * (at == 0), query, noise], dim=2), coin, query


def held(streams: int, ticks: int, channels: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sample and hold: readings change all the time; the target is each channel's last marked value.

    Returns:
        x (B, T, 2 C), readings and marks, and the last marked value of each channel (B, T, C), 0 before.
    """
    readings = torch.rand(streams, ticks, channels, generator=generator) * 2.0 - 1.0
    marks = (torch.rand(streams, ticks, channels, generator=generator) < PULSES).float()
    target, last = [], torch.zeros(streams, channels)
    for t in range(ticks):
        last = last + marks[:, t] * (readings[:, t] - last)
        target.append(last)
    return torch.cat([readings, marks], dim=2), torch.stack(target, dim=1)
