"""Stage of the build: a folder as its file system, and commands inside it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_FROM_HOST = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SETTINGS = (
    "passwd", "group", "shadow", "gshadow", "login.defs", "default/useradd", "nsswitch.conf", "resolv.conf", "hosts",
    "ld.so.cache", "ssl", "ca-certificates", "pip.conf", "localtime", "alternatives", "python3", "python3.11",
)  # fmt: skip


class CheckError(Exception):
    """A step failed, or the container misbehaved."""


@dataclass
class Stage:
    """One `FROM` and the following instructions.

    Attributes:
        root: Folder of its file system.
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
        """Path outside of a path inside."""
        return self.root / os.path.normpath(os.path.join("/", self.folder, path)).lstrip("/")  # noqa: PTH118  (a path inside)


def make_base(root: Path) -> None:
    """Replace the base image by this machine's programs, read-only, and a separate /etc."""
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
    """Mount in this process's namespace."""
    subprocess.run(["mount", *map(str, words)], check=True)


def into(stage: Stage, command: list[str], environment: dict[str, str], user: str) -> list[str]:
    """Return the command that runs another one in a stage."""
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
        into(stage, command, environment, user), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CheckError(f"exit code {done.returncode} of {shlex.join(command)}:\n{done.stdout}{done.stderr}")
