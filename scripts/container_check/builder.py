"""Execution of a Dockerfile, step by step."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

from container_check.dockerfile import Ignored, steps
from container_check.stage import CheckError, Stage, inside, make_base

_HANDED_ON = re.compile(r"(PIP|SSL|REQUESTS)_\w+|\w+_proxy", re.IGNORECASE)  # access to the package index


class Builder:
    """Executes one Dockerfile."""

    def __init__(self, dockerfile: Path, context: Path, room: Path) -> None:
        """Prepare.

        Args:
            dockerfile: Text of the Dockerfile.
            context: Source folder of COPY.
            room: Folder for the stages' file systems.
        """
        self._steps = steps(dockerfile.read_text(encoding="utf-8"))
        self._ignored = Ignored((context / ".dockerignore").read_text(encoding="utf-8"))
        self._context = context
        self._room = room
        self._arguments: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._stage: Stage | None = None

    def build(self) -> Stage:
        """Execute every step; returns the last stage."""
        for name, rest in self._steps:
            print(f"{name} {rest[:110]}", flush=True)
            step = getattr(self, f"_{name.lower()}", None)
            if step is None:
                raise CheckError(f"no idea how to carry out {name}")
            step(rest)
        return self._here

    @property
    def _here(self) -> Stage:
        if self._stage is None:
            raise CheckError("the first step must be FROM")
        return self._stage

    def _filled(self, text: str) -> str:
        known = self._arguments | (self._stage.environment if self._stage else {})
        return re.sub(r"\$\{?(\w+)\}?", lambda m: known.get(m[1], ""), text)

    def _arg(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self._arguments[name] = value

    def _from(self, rest: str) -> None:
        image, *named = re.split(r"\s+AS\s+", self._filled(rest), flags=re.IGNORECASE)
        if not re.fullmatch(r"python:3\.\d+-slim-\w+", image):
            raise CheckError(f"FROM {image}: this check can stand in for python:3.N-slim-SUITE alone")
        self._stage = Stage(self._room / f"stage-{len(self._stages)}")
        make_base(self._stage.root)
        self._stages[named[0] if named else str(len(self._stages))] = self._stage

    def _run(self, rest: str) -> None:
        handed = {name: value for name, value in os.environ.items() if _HANDED_ON.fullmatch(name)}
        inside(self._here, ["/bin/sh", "-ec", rest], environment=handed, user="0:0")

    def _copy(self, rest: str) -> None:
        words = shlex.split(rest)
        flags, words = [w for w in words if w.startswith("--")], [w for w in words if not w.startswith("--")]
        origin = self._context
        for flag in flags:
            name, _, value = flag.partition("=")
            if name != "--from":
                raise CheckError(f"no idea how to carry out COPY {name}")
            origin = self._stages[value].root
        *sources, target = words
        for source in sources:
            self._copy_one(origin, origin / source.lstrip("/"), target, into=target.endswith("/"))

    def _copy_one(self, origin: Path, source: Path, target: str, *, into: bool) -> None:
        of_context = origin == self._context
        if not source.exists() or (of_context and self._is_ignored(source) and not source.is_dir()):
            raise CheckError(f"COPY: {source} is not there, or .dockerignore leaves it out")
        to = self._here.at(target)
        if source.is_dir():
            left_out = (lambda folder, names: self._left_out(Path(folder), names)) if of_context else None
            shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True, ignore=left_out)
            return
        to = to / source.name if into else to
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, to)

    def _is_ignored(self, file: Path) -> bool:
        return file.relative_to(self._context).as_posix() in self._ignored

    def _left_out(self, folder: Path, names: list[str]) -> list[str]:
        return [name for name in names if not (folder / name).is_dir() and self._is_ignored(folder / name)]

    def _env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            self._here.environment[name] = self._filled(value)

    def _workdir(self, rest: str) -> None:
        self._here.folder = os.path.normpath(os.path.join(self._here.folder, rest))  # noqa: PTH118  (a path inside)
        self._here.at(".").mkdir(parents=True, exist_ok=True)

    def _user(self, rest: str) -> None:
        self._here.user = rest

    def _volume(self, rest: str) -> None:
        self._here.volumes.append(rest)

    def _healthcheck(self, rest: str) -> None:
        self._here.health = _words(rest.partition("CMD ")[2])

    def _entrypoint(self, rest: str) -> None:
        self._here.entrypoint = _words(rest)

    def _cmd(self, rest: str) -> None:
        self._here.command = _words(rest)

    def _label(self, rest: str) -> None:
        """Does nothing."""

    def _expose(self, rest: str) -> None:
        """Does nothing."""


def _words(text: str) -> list[str]:
    words: list[str] = json.loads(text)
    return words
