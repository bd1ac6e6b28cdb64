"""The recurrence: h(t) from h(t - 1) and the input at t.

In training a whole sequence goes through PyTorch's fused kernels. In the daemon one step does, and it is written out
here as the matrix products it is: the same weights, two views of them. Where the state fades between ticks
(`decay.py`) no fused kernel serves, and training steps too.
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

    A cell keeps a vector from tick to tick. A plain one writes all of it anew, h = tanh(W x + U h + b); the others
    decide by gates, each a sigmoid of the input and of h(t - 1), what of it to keep and what to write. A GRU keeps h
    alone; an LSTM keeps c beside it, and shows of c what its output gate lets through.

    Attributes:
        state_size: Floats a stream carries: h of each layer, and for an LSTM c of each layer.
        fading: What the state loses before each tick, or None.
    """

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        width: int,
        layers: int,
        dropout: float = 0.0,
        forget_bias: float = 1.0,
        fading: StateDecay | None = None,
    ) -> None:
        """Draw the weights."""
        super().__init__()
        self.cell = cell
        self.width = width
        self.layers = layers
        self.state_size = layers * width * vectors(cell)
        self.fading = fading
        self.between = nn.Dropout(dropout)
        self.fused = KERNELS[cell](inputs, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        for name, parameter in self.fused.named_parameters():
            if name.startswith("weight_hh"):
                for gate in torch.split(parameter.data, width):  # an orthogonal past neither grows nor fades
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
            delta: (B, T, C) in seconds; without it nothing fades.

        Returns:
            h of the last layer at every tick (B, T, H), and the state after the last (B, S).
        """
        if self.fading is not None and delta is not None:
            shown = []
            for t in range(inputs.shape[1]):
                h, state = self.step(inputs[:, t], state, delta=delta[:, t])
                shown.append(h)
            return torch.stack(shown, dim=1), state
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
        """Run one tick, as Gemms.

        Args:
            inputs: (M, D); variants of rows.
            state: (N, S); a row's variants share it, and what is made of it alone is made once.
            owner: (M,) which row each is a variant of; None where each row is asked of once, as it is.
            delta: (N, C) in seconds; without it nothing fades.

        Returns:
            h (M, H) and the next state (M, S).
        """
        if self.fading is not None and delta is not None:
            state = self.fading(state, delta)
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
    """How many vectors a cell of this kind carries: h, or h and c."""
    return 2 if cell == "lstm" else 1


def shared(rows: Tensor, owner: Tensor | None) -> Tensor:
    """(N, D) to (M, D): to each variant of a row what it has in common with that row."""
    return rows if owner is None else rows.index_select(0, owner)


def has_bfloat16() -> bool:
    """Whether this processor computes recurrent networks in bfloat16: oneDNN asks for AVX-512 at least.

    Where it doesn't, `mixed` mixes in everything else.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001  (nothing public tells)
