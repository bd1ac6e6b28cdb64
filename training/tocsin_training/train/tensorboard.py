"""TensorBoard: losses, learning rate and gradient norms of a run as event files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from tocsin_training.train.loop import Epoch


def curves(folder: Path, stack: ExitStack) -> Callable[[int, Epoch], None]:
    """Return a function that writes a member's epoch to `folder`/member-N; its files close with the stack.

    Raises:
        TrainingError: tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter  # noqa: PLC0415  (optional)
    except ModuleNotFoundError as error:
        raise TrainingError(
            "--log needs tensorboardX; pip install 'tocsin[tensorboard]', or leave --log out"
        ) from error
    writers: dict[int, SummaryWriter] = {}

    def write(member: int, epoch: Epoch) -> None:
        if member not in writers:
            writers[member] = SummaryWriter(str(folder / f"member-{member}"))
            stack.callback(writers[member].close)
        for name, value in (
            ("loss/train", epoch.train),
            ("loss/valid", epoch.valid),
            ("learning rate", epoch.rate),
            ("gradient norm", epoch.norm),
        ):
            writers[member].add_scalar(name, value, epoch.number)

    return write
