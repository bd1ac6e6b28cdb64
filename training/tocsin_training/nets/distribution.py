"""What a forecast says of x: a normal, or a Student-t, about a mean and with a scale, channel by channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from tocsin_training.recipe import NetworkRecipe

LEAST_DF = 2.1  # below 2 there is no variance
FIRST_DF = 8.0
SMALLEST_SCALE = 1e-2  # standard deviations; a channel that stood still in training must not ring at its first stir


def spread(raw: Tensor) -> Tensor:
    """A scale from what a head says; 1 standard deviation where it says 0."""
    return nn.functional.softplus(raw + 0.54) + SMALLEST_SCALE


class Normal(nn.Module):
    """-log p = z² / 2 + log σ, without the constant; z = (x - μ) / σ."""

    def df(self) -> Tensor | None:
        """(C,) degrees of freedom, or None for a normal."""
        return None

    def nll(self, z: Tensor, scale: Tensor) -> Tensor:
        """(…, C) the negative log-likelihood of the standardised residuals z (…, C)."""
        return 0.5 * z * z + torch.log(scale)

    def as_normal(self, z: Tensor) -> Tensor:
        """(…, C) the residual of a normal that is as surprising as z: -log p(x) / p(mode) is half its square."""
        return z


class StudentT(Normal):
    """-log p = (ν + 1) / 2 · log(1 + z² / ν) + log σ + a constant of ν; ν by channel, learned or fixed.

    >>> from torch.distributions import StudentT as Reference
    >>> ours, z = StudentT(2, 5.0), torch.tensor([[0.5, -3.0]])
    >>> bool(torch.allclose(ours.nll(z, torch.full((2,), 2.0)), -Reference(5.0, 0.0, 2.0).log_prob(2 * z), atol=1e-5))
    True
    >>> half = 0.5 * ours.as_normal(z) ** 2
    >>> bool(torch.allclose(half, Reference(5.0).log_prob(torch.zeros(1)) - Reference(5.0).log_prob(z), atol=1e-5))
    True
    """

    def __init__(self, channels: int, df: float | None) -> None:
        """Fix ν, or learn it for each of C channels where it is None."""
        super().__init__()
        first = FIRST_DF if df is None else df
        raw = torch.full((channels,), math.log(math.expm1(first - LEAST_DF)))
        self.raw = nn.Parameter(raw, requires_grad=df is None)

    def df(self) -> Tensor:
        """(C,) degrees of freedom."""
        return LEAST_DF + nn.functional.softplus(self.raw)

    def nll(self, z: Tensor, scale: Tensor) -> Tensor:
        """(…, C) the negative log-likelihood of the standardised residuals z (…, C)."""
        df = self.df()
        constant = torch.lgamma(df / 2) - torch.lgamma((df + 1) / 2) + 0.5 * torch.log(math.pi * df)
        return constant + torch.log(scale) + 0.5 * (df + 1) * torch.log1p(z * z / df)

    def as_normal(self, z: Tensor) -> Tensor:
        """(…, C) the residual of a normal that is as surprising as z: -log p(x) / p(mode) is half its square."""
        df = self.df()
        return torch.sign(z) * torch.sqrt((df + 1) * torch.log1p(z * z / df))


def make(recipe: NetworkRecipe, channels: int) -> Normal:
    """The distribution that a recipe's head stands for."""
    return StudentT(channels, recipe.df) if recipe.head == "student_t" else Normal()
