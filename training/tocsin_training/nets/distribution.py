"""Forecast distributions: normal or Student-t, with a mean and a scale for each channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from tocsin_training.recipe import NetworkRecipe

MIN_DF = 2.1  # at 2 and below the variance is infinite
INITIAL_DF = 8.0
MIN_SCALE = 1e-2  # standard deviations; a channel constant in training must not raise an alarm at its first change


def positive_scale(raw: Tensor) -> Tensor:
    """Scale from a head's raw output: a softplus, 1 standard deviation at 0."""
    return nn.functional.softplus(raw + 0.54) + MIN_SCALE


class Normal(nn.Module):
    """Normal distribution: -log p = z² / 2 + log σ, without the constant; z = (x - μ) / σ."""

    def df(self) -> Tensor | None:
        """Degrees of freedom (C,), or None for a normal."""
        return None

    def nll(self, z: Tensor, scale: Tensor) -> Tensor:
        """Negative log-likelihood (…, C) of standardised residuals z (…, C)."""
        return 0.5 * z * z + torch.log(scale)

    def as_normal(self, z: Tensor) -> Tensor:
        """Equivalent residual (…, C) of a normal: half its square is -log p(x) / p(mode)."""
        return z


class StudentT(Normal):
    """Student-t distribution: -log p = (ν + 1) / 2 · log(1 + z² / ν) + log σ + a constant of ν.

    ν is learned for each channel, or fixed.

    >>> from torch.distributions import StudentT as Reference
    >>> ours, z = StudentT(2, 5.0), torch.tensor([[0.5, -3.0]])
    >>> bool(torch.allclose(ours.nll(z, torch.full((2,), 2.0)), -Reference(5.0, 0.0, 2.0).log_prob(2 * z), atol=1e-5))
    True
    >>> half = 0.5 * ours.as_normal(z) ** 2
    >>> bool(torch.allclose(half, Reference(5.0).log_prob(torch.zeros(1)) - Reference(5.0).log_prob(z), atol=1e-5))
    True
    """

    def __init__(self, channels: int, df: float | None) -> None:
        """Fix ν to `df`, or learn it for each of C channels if `df` is None."""
        super().__init__()
        first = INITIAL_DF if df is None else df
        raw = torch.full((channels,), math.log(math.expm1(first - MIN_DF)))
        self.raw = nn.Parameter(raw, requires_grad=df is None)

    def df(self) -> Tensor:
        """Degrees of freedom (C,)."""
        return MIN_DF + nn.functional.softplus(self.raw)

    def nll(self, z: Tensor, scale: Tensor) -> Tensor:
        """Negative log-likelihood (…, C) of standardised residuals z (…, C)."""
        df = self.df()
        constant = torch.lgamma(df / 2) - torch.lgamma((df + 1) / 2) + 0.5 * torch.log(math.pi * df)
        return constant + torch.log(scale) + 0.5 * (df + 1) * torch.log1p(z * z / df)

    def as_normal(self, z: Tensor) -> Tensor:
        """Equivalent residual (…, C) of a normal: half its square is -log p(x) / p(mode)."""
        df = self.df()
        return torch.sign(z) * torch.sqrt((df + 1) * torch.log1p(z * z / df))


def distribution_of(recipe: NetworkRecipe, channels: int) -> Normal:
    """Distribution of a recipe's forecasts, for C channels."""
    return StudentT(channels, recipe.df) if recipe.distribution == "student_t" else Normal()
