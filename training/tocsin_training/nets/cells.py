"""Recurrent cells: h(t) from h(t - 1) and the input at t.

Training runs whole sequences through PyTorch's fused kernels. The graph runs one step, written out here as matrix
products of the same weights. Where the state decays between ticks (`decay.py`) no fused kernel applies, and training
steps too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from tocsin_training.nets.decay import StateDecay

Cell = Literal["rnn", "lstm", "gru"]
KERNELS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Recurrence(nn.Module):
    """Layers of plain (Elman), LSTM or GRU cells.

    A cell carries a vector from tick to tick. A plain cell replaces all of it, h = tanh(W x + U h + b). Gated cells
    decide by gates, sigmoids of the input and of h(t - 1), what to keep and what to write. A GRU carries h; an LSTM
    carries h and c, where h is the part of c that the output gate passes.

    Attributes:
        state_size: Floats a stream carries: h of each layer, and for an LSTM c of each layer.
        state_decay: Decay of the state before each tick, or None.
    """

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        width: int,
        layers: int,
        dropout: float = 0.0,
        forget_bias: float = 1.0,
        state_decay: StateDecay | None = None,
    ) -> None:
        """Initialise the weights: orthogonal recurrent matrices, biases 0, the LSTM's forget bias as given."""
        super().__init__()
        self.cell = cell
        self.width = width
        self.layers = layers
        self.state_size = layers * width * vectors(cell)
        self.state_decay = state_decay
        self.between = nn.Dropout(dropout)
        self.fused = KERNELS[cell](inputs, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        for name, parameter in self.fused.named_parameters():
            if name.startswith("weight_hh"):
                for gate in torch.split(parameter.data, width):  # orthogonal: gradients neither explode nor vanish
                    nn.init.orthogonal_(gate)
            elif name.startswith("bias"):
                nn.init.zeros_(parameter)
                if cell == "lstm" and name.startswith("bias_ih"):
                    parameter.data[width : 2 * width] = forget_bias  # gates stand in the order i, f, g, o

    def forward(self, inputs: Tensor, state: Tensor, delta: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run a sequence.

        Args:
            inputs: (B, T, D).
            state: (B, S).
            delta: (B, T, C) in seconds; without it nothing decays.

        Returns:
            h of the last layer at every tick (B, T, H), and the state after the last (B, S).
        """
        if self.state_decay is not None and delta is not None:
            steps = []
            for t in range(inputs.shape[1]):
                h, state = self.step(inputs[:, t], state, delta=delta[:, t])
                steps.append(h)
            return torch.stack(steps, dim=1), state
        parts = state.view(len(state), -1, self.layers, self.width).permute(1, 2, 0, 3).contiguous()  # (1|2, L, B, H)
        if inputs.device.type == "cpu" and not has_bfloat16():
            with torch.autocast("cpu", enabled=False):
                h, after = self._run(inputs.float(), parts.float())
        else:
            h, after = self._run(inputs, parts)
        return h, after.permute(2, 0, 1, 3).reshape(len(state), -1)

    def _run(self, inputs: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Run a sequence (B, T, D) from (1|2, L, B, H) by the fused kernels: (B, T, H), and the last of `past`."""
        if self.cell != "lstm":
            h, last = self.fused(inputs, past[0])
            return h, last[None]
        h, (hidden, cells) = self.fused(inputs, (past[0], past[1]))
        return h, torch.stack([hidden, cells])

    def step(
        self, inputs: Tensor, state: Tensor, owner: Tensor | None = None, delta: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run one tick, as matrix products.

        Args:
            inputs: (M, D); variants of rows.
            state: (N, S); variants of a row share it, so products of the state alone are computed once.
            owner: (M,) the row that each input is a variant of; None if there are no variants.
            delta: (N, C) in seconds; without it nothing decays.

        Returns:
            h (M, H) and the next state (M, S).
        """
        if self.state_decay is not None and delta is not None:
            state = self.state_decay(state, delta)
        past = torch.split(state, self.width, dim=1)  # h of each layer, then c of each
        hidden: list[Tensor] = []
        cells: list[Tensor] = []
        below = inputs
        for layer in range(self.layers):
            if layer:
                below = self.between(below)
            weights = [getattr(self.fused, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh")]
            biases = [getattr(self.fused, f"{name}_l{layer}") for name in ("bias_ih", "bias_hh")]
            from_input = nn.functional.linear(below, weights[0], biases[0])  # (N, gates * H)
            from_past = shared(nn.functional.linear(past[layer], weights[1], biases[1]), owner)
            if self.cell == "rnn":
                below = torch.tanh(from_input + from_past)
            elif self.cell == "gru":
                below = self._gru(from_input, from_past, shared(past[layer], owner))
            else:
                below, c = self._lstm(from_input + from_past, shared(past[self.layers + layer], owner))
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


def vectors(cell: Cell) -> int:
    """Number of state vectors: 1 (h), or 2 (h and c) for an LSTM."""
    return 2 if cell == "lstm" else 1


def shared(rows: Tensor, owner: Tensor | None) -> Tensor:
    """Repeat rows (N, D) for their variants (M, D); the rows themselves if `owner` is None."""
    return rows if owner is None else rows.index_select(0, owner)


def has_bfloat16() -> bool:
    """Whether this processor runs recurrent kernels in bfloat16; oneDNN requires AVX-512.

    Without it, mixed precision applies to everything but the recurrence.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001  (no public API)
