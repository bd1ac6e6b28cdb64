"""Child processes that never outlive the demonstration."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
LOG_LINES = 12  # of a log's tail


class DemoError(Exception):
    """A child process that did not start, or ended by itself; the text names it and quotes the end of its log."""


class ChildProcess:
    """One child process, with its log in a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> ChildProcess:
        """Start a process.

        Raises:
            DemoError: It can't be started.
        """
        with log.open("wb") as sink:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    env=dict(environment),
                    start_new_session=True,  # Ctrl-C in the terminal is for the demonstration, which ends its children
                    preexec_fn=_die_with_parent,
                )
            except OSError as error:
                raise DemoError(f"{name} cannot be started: {command[0]}: {error.strerror}") from error
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def check(self) -> None:
        """Check that it is running.

        Raises:
            DemoError: It has ended.
        """
        if self._process.returncode is not None:
            raise self.failure(f"ended with exit code {self._process.returncode}")

    def failure(self, what: str) -> DemoError:
        """Error with the end of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return DemoError(f"{self.name} {what}; the end of its log:\n" + ("\n".join(lines) or "(empty)"))

    async def ended(self) -> None:
        """Wait until it ends by itself.

        Raises:
            DemoError: It has ended.
        """
        await self._process.wait()
        self.check()

    async def stop(self, within_s: float) -> None:
        """Terminate it, and kill it after `within_s`."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def _die_with_parent() -> None:
    """Have the kernel end this process when its parent dies; runs between fork and exec (PR_SET_PDEATHSIG)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
