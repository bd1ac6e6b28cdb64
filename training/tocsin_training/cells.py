"""The recurrence: h(t) from h(t - 1) and the input at t.

In training a whole sequence goes through PyTorch's fused kernels. In the daemon one step does, and it is written out
here as the matrix products it is: the same weights, two views of them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class Recurrence(nn.Module):
    """Layers of LSTM or GRU cells.

    A cell keeps a vector from tick to tick and decides by gates, each a sigmoid of the input and of h(t - 1), what of
    it to keep and what to write. A GRU keeps h alone; an LSTM keeps c beside it, and shows of c what its output gate
    lets through.

    Attributes:
        state_size: Floats a stream carries: h of each layer, and for an LSTM c of each layer.
    """

    def __init__(
        self,
        cell: Literal["gru", "lstm"],
        inputs: int,
        width: int,
        layers: int,
        dropout: float = 0.0,
        forget_bias: float = 1.0,
    ) -> None:
        """Draw the weights."""
        super().__init__()
        self.cell = cell
        self.width = width
        self.layers = layers
        self.state_size = layers * width * (2 if cell == "lstm" else 1)
        kernel = nn.LSTM if cell == "lstm" else nn.GRU
        self.fused = kernel(inputs, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        for name, parameter in self.fused.named_parameters():
            if name.startswith("weight_hh"):
                for gate in torch.split(parameter.data, width):  # an orthogonal past neither grows nor fades
                    nn.init.orthogonal_(gate)
            elif name.startswith("bias"):
                nn.init.zeros_(parameter)
                if cell == "lstm" and name.startswith("bias_ih"):
                    parameter.data[width : 2 * width] = forget_bias  # gates stand in the order i, f, g, o

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run a sequence.

        Args:
            inputs: (B, T, D).
            state: (B, S).

        Returns:
            h of the last layer at every tick (B, T, H), and the state after the last (B, S).
        """
        parts = state.view(len(state), -1, self.layers, self.width).permute(1, 2, 0, 3).contiguous()  # (1|2, L, B, H)
        past = (parts[0], parts[1]) if self.cell == "lstm" else parts[0]
        h, after = self.fused(inputs, past)  # (B, T, H)
        stacked = torch.stack(after) if self.cell == "lstm" else after[None]  # (1|2, L, B, H)
        return h, stacked.permute(2, 0, 1, 3).reshape(len(state), -1)

    def step(self, inputs: Tensor, state: Tensor, variants: int = 1) -> tuple[Tensor, Tensor]:
        """Run one tick, as Gemms.

        Args:
            inputs: (V N, D); V variants of each row, variant after variant.
            state: (N, S); the variants share it, and what is made of it alone is made once.
            variants: V.

        Returns:
            h (V N, H) and the next state (V N, S).
        """
        past = torch.split(state, self.width, dim=1)  # h of each layer, then c of each
        hidden: list[Tensor] = []
        cells: list[Tensor] = []
        below = inputs
        for layer in range(self.layers):
            weights = [getattr(self.fused, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh")]
            biases = [getattr(self.fused, f"{name}_l{layer}") for name in ("bias_ih", "bias_hh")]
            from_input = nn.functional.linear(below, weights[0], biases[0])  # (N, gates * H)
            from_past = repeated(nn.functional.linear(past[layer], weights[1], biases[1]), variants)
            if self.cell == "gru":
                below = self._gru(from_input, from_past, repeated(past[layer], variants))
            else:
                below, c = self._lstm(from_input + from_past, repeated(past[self.layers + layer], variants))
                cells.append(c)
            hidden.append(below)
        return below, torch.cat(hidden + cells, dim=1)

    def _gru(self, from_input: Tensor, from_past: Tensor, h: Tensor) -> Tensor:
        reset_in, update_in, new_in = torch.split(from_input, self.width, dim=1)  # (N, H) each
        reset_past, update_past, new_past = torch.split(from_past, self.width, dim=1)
        reset = torch.sigmoid(reset_in + reset_past)
        update = torch.sigmoid(update_in + update_past)
        new = torch.tanh(new_in + reset * new_past)
        return new + update * (h - new)

    def _lstm(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        let_in, forget, new, let_out = torch.split(gates, self.width, dim=1)  # (N, H) each
        c = torch.sigmoid(forget) * c + torch.sigmoid(let_in) * torch.tanh(new)
        return torch.sigmoid(let_out) * torch.tanh(c), c


def repeated(rows: Tensor, variants: int) -> Tensor:
    """(N, D) to (V N, D): all the rows, V times over."""
    return rows if variants == 1 else rows.expand(variants, -1, -1).reshape(-1, rows.shape[1])
