#!/usr/bin/env python3
"""Check that every run-time dependency is pinned and a wheel for x86-64 and arm64, so that nothing is compiled.

Asks pip what it would install on either, with the Dockerfile's Python and Debian, and downloads nothing but metadata.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MACHINES = ("x86_64", "aarch64")
GLIBC_MINOR = 36  # of Debian 12, as in the image
_OFFLINE = re.compile(
    r"Temporary failure in name resolution|Name or service not known|Failed to establish a new connection"
    r"|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout|ProxyError|No address associated"
)


class OfflineError(Exception):
    """No package index is reachable."""


class WheelError(Exception):
    """Pip finds no set of wheels."""


def dockerfile_python() -> str:
    """Python version of the image."""
    found = re.search(r"^ARG PYTHON=(3\.\d+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise WheelError("the Dockerfile has no line ARG PYTHON=3.N")
    return found[1]


def requirements() -> list[str]:
    """Run-time dependencies of the daemon."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def pins() -> dict[str, str]:
    """Versions by name, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def normal(name: str) -> str:
    """Normalise a distribution's name.

    >>> normal("Ruamel.YAML_x")
    'ruamel-yaml-x'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def resolved(machine: str, python: str, wanted: list[str]) -> dict[str, tuple[str, str]]:
    """Resolve requirements with pip: name → version and file.

    Raises:
        OfflineError: No package index is reachable.
        WheelError: Wheels alone do not suffice.
    """
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR, 16, -1)] + [
        f"manylinux2014_{machine}"
    ]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
                *("--retries", "1", "--timeout", "10", "--no-input", "--disable-pip-version-check"),
                *("--report", str(report), "--target", folder, "--only-binary", ":all:", "--python-version", python),
                *("--constraint", str(ROOT / "constraints.txt")),
                *(word for platform in platforms for word in ("--platform", platform)),
                *wanted,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            kind = OfflineError if _OFFLINE.search(done.stderr) else WheelError
            raise kind(f"{machine}, Python {python}: {done.stderr.strip()}")
        entries = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        normal(entry["metadata"]["name"]): (
            entry["metadata"]["version"],
            entry["download_info"]["url"].rpartition("/")[2],
        )
        for entry in entries
    }


def faults() -> list[str]:
    """Return the faults.

    Raises:
        OfflineError: No package index is reachable.
    """
    pinned, python, found = pins(), dockerfile_python(), []
    for machine in MACHINES:
        try:
            chosen = resolved(machine, python, requirements())
        except WheelError as error:
            found.append(str(error))
            continue
        for name, (version, file) in chosen.items():
            if pinned.get(name) != version:
                found.append(f"{machine}: {name} {version} is not pinned in constraints.txt")
            if not re.search(rf"(-any|{machine})\.whl$", file):
                found.append(f"{machine}: {file} is no wheel for it")
        print(f"{machine}, Python {python}: {len(chosen)} wheels")
    return found


def main() -> int:
    """Run the check; exit status 0: no fault, 1: faults, 3: no index."""
    try:
        found = faults()
    except OfflineError as error:
        print(f"no package index can be reached: {error}", file=sys.stderr)
        return 3
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
