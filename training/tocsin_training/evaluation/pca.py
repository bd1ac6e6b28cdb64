"""PCA for process monitoring: Hotelling's T² inside the model's plane, Q (squared prediction error) outside it.

Jackson and Mudholkar (1979); Kourti and MacGregor (1996). Rows are independent. T² rises when the process goes further
along its usual directions, Q when its channels decorrelate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING = 1e-12  # variance; what lies below it is rounding


@dataclass(frozen=True, slots=True)
class PcaModel:
    """Principal components of standardised rows, C channels, k components kept.

    Attributes:
        centre: (C,) in the channels' units.
        scale: (C,) likewise.
        axes: (k, C) orthonormal.
        variance: (k,) along the axes kept.
        residual: Variances along the axes left out; may be empty.
        rows: How many rows it was fitted on.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    axes: NDArray[np.float64]
    variance: NDArray[np.float64]
    residual: NDArray[np.float64]
    rows: int

    @classmethod
    def fit(cls, x: NDArray[np.floating], *, share: float = 0.9, deviation_epsilon: float = 0.0) -> Self:
        """Fit on rows x (R, C) of normal operation.

        Args:
            x: Without gaps.
            share: Of the variance that the components kept explain at least.
            deviation_epsilon: Added to every standard deviation, so that the first change of a constant channel has no
                infinite z-score; for channels scaled to 0 … 1 a thousandth.
        """
        x = x.astype(np.float64)
        if len(x) < 3 or not np.isfinite(x).all():  # noqa: PLR2004  (two rows span no more than a line)
            raise TrainingError(f"PCA needs at least 3 rows without gaps, found {len(x)}; fill the gaps or give more")
        centre, scale = x.mean(axis=0), x.std(axis=0) + deviation_epsilon
        scale = np.where(scale < NOTHING, 1.0, scale)
        found = PCA(svd_solver="covariance_eigh").fit((x - centre) / scale)
        variance = found.explained_variance_
        components = 1 + int((np.cumsum(variance) < share * variance.sum()).sum())
        return cls(centre, scale, found.components_[:components], variance[:components], variance[components:], len(x))

    def t2(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Hotelling's T² (R,) of rows x (R, C): Σ tᵢ² / λᵢ over the components kept."""
        along = self._standard(x) @ self.axes.T  # (R, k)
        whole: NDArray[np.float64] = (along * along / np.maximum(self.variance, NOTHING)).sum(axis=1)
        return whole

    def q(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Squared distance (R,) of rows x (R, C) from the plane."""
        whole: NDArray[np.float64] = self.q_contribution(x).sum(axis=1)
        return whole

    def q_contribution(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Squared residual (R, C) of each channel; they sum to Q."""
        z = self._standard(x)
        off: NDArray[np.float64] = z - (z @ self.axes.T) @ self.axes
        return off * off

    def t2_contribution(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Part (R, C) of each channel in T²: z · (z M) with M = Σ vᵢ vᵢᵀ / λᵢ; they sum to T², one may be below 0."""
        z = self._standard(x)
        form = (self.axes.T / np.maximum(self.variance, NOTHING)) @ self.axes  # (C, C)
        parts: NDArray[np.float64] = z * (z @ form)
        return parts

    def t2_limit(self, confidence: float = 0.99) -> float:
        """Quantile of T² of a new row of the normal process (F distribution)."""
        k, n = len(self.variance), self.rows
        return float(k * (n - 1) * (n + 1) / (n * (n - k)) * stats.f.ppf(confidence, k, n - k))

    def q_limit(self, confidence: float = 0.99) -> float:
        """Quantile of Q of the normal process (Jackson and Mudholkar 1979); 0 if no component is left out."""
        first, second, third = (float((self.residual**power).sum()) for power in (1, 2, 3))
        if first < NOTHING:
            return 0.0
        h = 1.0 - 2.0 * first * third / (3.0 * second * second)
        deviate = float(stats.norm.ppf(confidence))
        root = 1.0 + deviate * np.sqrt(2.0 * second * h * h) / first + second * h * (h - 1.0) / first**2
        return float(first * root ** (1.0 / h))

    def _standard(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        standard: NDArray[np.float64] = (x - self.centre) / self.scale
        return standard
