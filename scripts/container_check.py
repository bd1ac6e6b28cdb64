#!/usr/bin/env python3
"""Carry out the Dockerfile's own steps without Docker, then start the daemon as the image would.

What it proves: the steps succeed on a bare Python, nothing that they need is missing from the build context, and the
daemon runs as a stranger on a tree that it can't write to. What it doesn't: the base image is this machine's Debian
and its Python, seen read-only through a mount namespace, and not the one that FROM names.

    sudo scripts/container_check.py [--broker PORT]

Needs root (for mounts, a user of its own and chroot), Debian's python3 with python3-venv, and a package index.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 30.0
_FROM_HOST = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SETTINGS = (
    "passwd", "group", "shadow", "gshadow", "login.defs", "default/useradd", "nsswitch.conf", "resolv.conf", "hosts",
    "ld.so.cache", "ssl", "ca-certificates", "pip.conf", "localtime", "alternatives", "python3", "python3.11",
)  # fmt: skip
_HANDED_ON = re.compile(r"(PIP|SSL|REQUESTS)_\w+|\w+_proxy", re.IGNORECASE)  # how to reach the index, from here


class CheckError(Exception):
    """A step failed, or the container does not behave."""


@dataclass
class Stage:
    """One `FROM` and what follows.

    Attributes:
        root: The folder that stands for its file system.
        environment: Set by `ENV`.
        folder: The `WORKDIR`.
        user: The `USER`, as uid:gid.
        volumes: Each `VOLUME`.
        start: `ENTRYPOINT` and `CMD`.
        health: The `HEALTHCHECK`'s command.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": os.defpath + ":/usr/sbin:/sbin"})
    folder: str = "/"
    user: str = "0:0"
    volumes: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """Where a path inside lies outside."""
        return self.root / os.path.normpath(os.path.join("/", self.folder, path)).lstrip("/")  # noqa: PTH118  (a path inside)


def steps(text: str) -> list[tuple[str, str]]:
    r"""Cut a Dockerfile into instructions and their arguments.

    >>> steps("FROM a AS b\n# no step\nRUN c \\\n    && d\n")
    [('FROM', 'a AS b'), ('RUN', 'c && d')]
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    cut = (line.partition(" ") for line in joined.splitlines())
    return [(name.upper(), rest.strip()) for name, _, rest in cut]


class Ignored:
    """.dockerignore: the last pattern that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        r"""Read the patterns.

        >>> ignored = Ignored("*\n!models\n**/*.pyc")
        >>> [path in ignored for path in ("secret", "models/a/model.onnx", "models/a/b.pyc")]
        [True, False, True]
        """
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [
            (line.startswith("!"), re.compile(_as_expression(line.removeprefix("!").strip("/"))))
            for line in lines
            if line and not line.startswith("#")
        ]

    def __contains__(self, path: str) -> bool:
        """Whether a path stays out of the build."""
        parts = path.split("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        decided = [kept for kept, rule in self._rules if any(rule.fullmatch(one) for one in above)]
        return bool(decided) and not decided[-1]


def _as_expression(pattern: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.sub(r"\*\*/|\*\*|\*|\?|[^*?]+", lambda m: known.get(m[0], re.escape(m[0])), pattern)


class Builder:
    """Carries out one Dockerfile."""

    def __init__(self, dockerfile: Path, context: Path, room: Path) -> None:
        """Prepare.

        Args:
            dockerfile: What to carry out.
            context: The folder that COPY copies from.
            room: For the stages' file systems.
        """
        self._steps = steps(dockerfile.read_text(encoding="utf-8"))
        self._ignored = Ignored((context / ".dockerignore").read_text(encoding="utf-8"))
        self._context = context
        self._room = room
        self._arguments: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._stage: Stage | None = None

    def build(self) -> Stage:
        """Carry out every step; the last stage."""
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
        _make_base(self._stage.root)
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
        """Nothing to carry out."""

    def _expose(self, rest: str) -> None:
        """Nothing to carry out."""


def _words(text: str) -> list[str]:
    words: list[str] = json.loads(text)
    return words


def _make_base(root: Path) -> None:
    """Stand in for the base image: this machine's programs, read-only, and an /etc of its own."""
    root.mkdir()
    mount("--bind", root, root)
    for name in _FROM_HOST:
        host = Path("/") / name
        if host.is_symlink():
            (root / name).symlink_to(host.readlink())
        elif host.is_dir():
            (root / name).mkdir()
            mount("--bind", host, root / name)
            mount("-o", "remount,bind,ro", root / name)
    for name in ("dev", "proc", "tmp", "root", "var/tmp", "etc"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name in _SETTINGS:
        host, own = Path("/etc") / name, root / "etc" / name
        own.parent.mkdir(parents=True, exist_ok=True)
        if host.is_dir():
            shutil.copytree(host, own, symlinks=True, ignore=shutil.ignore_patterns("private"))
        elif host.exists():
            shutil.copy(host, own)
    mount("--rbind", "/dev", root / "dev")
    mount("-t", "proc", "proc", root / "proc")
    for variable in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        file = Path(os.environ.get(variable, ""))
        own = root / file.relative_to("/") if file.is_absolute() else file
        if file.is_absolute() and file.is_file() and not own.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, own)


def mount(*words: str | Path) -> None:
    """Mount something; in this process's own namespace."""
    subprocess.run(["mount", *map(str, words)], check=True)


def _into(stage: Stage, command: list[str], environment: dict[str, str], user: str) -> list[str]:
    """Make the command that runs another one in a stage."""
    variables = [f"{name}={value}" for name, value in (stage.environment | environment).items()]
    in_folder = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', stage.folder, *command]
    chroot = ["chroot", f"--userspec={user}", "--groups=", str(stage.root)]
    return [*chroot, "/usr/bin/env", "-i", *variables, *in_folder]


def inside(stage: Stage, command: list[str], *, environment: dict[str, str], user: str) -> None:
    """Run a command in a stage.

    Raises:
        CheckError: It fails.
    """
    done = subprocess.run(
        _into(stage, command, environment, user), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CheckError(f"exit code {done.returncode} of {shlex.join(command)}:\n{done.stdout}{done.stderr}")


class Container:
    """The last stage at work: its tree read-only, but for its volumes and /tmp."""

    def __init__(self, stage: Stage, environment: dict[str, str]) -> None:
        """Close the tree, and start what the image starts."""
        self._stage = stage
        self._environment = environment
        for folder in stage.volumes:
            mount("--bind", stage.at(folder), stage.at(folder))
        mount("-o", "remount,bind,ro", stage.root)
        mount("-t", "tmpfs", "tmpfs", stage.at("/tmp"))  # noqa: S108  (as --tmpfs /tmp)
        command = [*stage.entrypoint, *stage.command]
        print(f"starting {shlex.join(command)} as {stage.user}", flush=True)
        self.process = subprocess.Popen(
            _into(stage, command, environment, stage.user), stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )

    def succeeds(self, *command: str) -> bool:
        """Whether a command inside, by the image's user, does what it should."""
        try:
            inside(self._stage, list(command), environment=self._environment, user=self._stage.user)
        except CheckError:
            return False
        return True

    def is_healthy(self) -> bool:
        """What the image's own check says."""
        return self.succeeds(*self._stage.health)


def behave(stage: Stage, broker: int | None) -> None:
    """Start the daemon and look at it from outside.

    Raises:
        CheckError: Something is not as docs/container.md says.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"TOCSIN_HTTP__PORT": str(port)}
    if broker is not None:
        environment |= {"TOCSIN_BROKER__HOST": "127.0.0.1", "TOCSIN_BROKER__PORT": str(broker)}
    container = Container(stage, environment)
    try:
        _until("healthy", lambda: container.process.poll() is not None or container.is_healthy())
        _must("runs on", holds=container.process.poll() is None)
        _look(container, stage, port)
        if broker is not None:
            _until("ready", lambda: _status(port, "/-/ready") == 200)  # noqa: PLR2004  (HTTP's own)
        container.process.send_signal(signal.SIGTERM)
        code = container.process.wait(timeout=WAIT_S)
        _must(f"ends with 0 and not {code}", holds=code == 0)
        _must("the health check notices that it ended", holds=not container.is_healthy())
    except CheckError as error:
        container.process.kill()
        said = container.process.stderr.read() if container.process.stderr else ""
        raise CheckError(f"{error}\n{said}") from error


def _look(container: Container, stage: Stage, port: int) -> None:
    user = Path(f"/proc/{container.process.pid}/status").read_text(encoding="utf-8")
    _must("runs as nobody in particular", holds=re.search(r"^Uid:\s+10001\s+10001", user, re.MULTILINE) is not None)
    _must("has no capability", holds=re.search(r"^CapEff:\s+0+$", user, re.MULTILINE) is not None)
    _must("serves metrics", holds=_status(port, "/metrics") == 200)  # noqa: PLR2004  (HTTP's own)
    for folder in ("/", "/etc/tocsin", "/opt/tocsin/bin", "/usr/bin", "/src", "/root"):
        _must(f"can't write to {folder}", holds=not container.succeeds("touch", f"{folder}/x"))
    for folder in (*stage.volumes, "/tmp"):  # noqa: S108  (a path inside)
        _must(f"can write to {folder}", holds=container.succeeds("touch", f"{folder}/x"))
    for module in ("torch", "pip", "setuptools", "onnx", "polars"):
        _must(f"has no {module}", holds=not container.succeeds("/opt/tocsin/bin/python3", "-c", f"import {module}"))
    _must("its configuration has no faults", holds=container.succeeds("tocsin", "check", stage.command[-1]))


def _must(what: str, *, holds: bool) -> None:
    if not holds:
        raise CheckError(f"not so: {what}")
    print(f"  {what}", flush=True)


def _until(what: str, holds: object) -> None:
    deadline = time.monotonic() + WAIT_S
    while not (callable(holds) and holds()):
        if time.monotonic() > deadline:
            raise CheckError(f"not {what} within {WAIT_S:g} s")
        time.sleep(0.1)
    print(f"  {what}", flush=True)


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def main() -> int:
    """Build and run; in a mount and process namespace of its own, which ends with everything in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--broker", type=int, metavar="PORT", help="of a broker on this machine, to get ready with")
    parser.add_argument("--dockerfile", type=Path, default=ROOT / "Dockerfile")
    parser.add_argument("--room", type=Path, help=argparse.SUPPRESS)  # set for the inner process
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("container_check.py needs root. Remedy: sudo scripts/container_check.py", file=sys.stderr)
        return 2
    if options.room is None:
        # Outside, no mount is ever seen: what is removed here is the stages' own.
        with tempfile.TemporaryDirectory(prefix="tocsin-container-") as room:
            Path(room).chmod(0o755)
            namespaces = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ]
            words = [sys.executable, __file__, *sys.argv[1:], "--room", room]
            return subprocess.run([*namespaces, *words], check=False).returncode
    began = time.monotonic()
    try:
        stage = Builder(options.dockerfile, ROOT, options.room).build()
        size = sum(file.lstat().st_size for file in stage.at("/opt/tocsin").rglob("*"))
        print(f"/opt/tocsin: {size / 1e6:.0f} MB, built in {time.monotonic() - began:.0f} s", flush=True)
        behave(stage, options.broker)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("the container is as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
