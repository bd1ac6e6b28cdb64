"""`make container-check`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import container_check
from container_check.behaviour import behave
from container_check.builder import Builder
from container_check.stage import CheckError

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Build and run in a separate mount and process namespace."""
    parser = argparse.ArgumentParser(description=(container_check.__doc__ or "").splitlines()[0])
    parser.add_argument("--broker", type=int, metavar="PORT", help="of a broker on this machine, to get ready with")
    parser.add_argument("--dockerfile", type=Path, default=ROOT / "Dockerfile")
    parser.add_argument("--room", type=Path, help=argparse.SUPPRESS)  # set for the inner process
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("the container check needs root. Remedy: sudo make container-check", file=sys.stderr)
        return 2
    if options.room is None:
        # Mounts are not visible outside the namespace: only files of the stages are removed here.
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
            words = [sys.executable, "-m", "container_check", *sys.argv[1:], "--room", room]
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
