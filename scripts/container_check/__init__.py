"""Carry out the Dockerfile's own steps without Docker, then start the daemon as the image would.

What it proves: the steps succeed on a bare Python, nothing that they need is missing from the build context, and the
daemon runs as a stranger on a tree that it can't write to. What it doesn't: the base image is this machine's Debian
and its Python, seen read-only through a mount namespace, and not the one that FROM names.

`make container-check` runs it. It needs root (for mounts, a user of its own and chroot), Debian's python3 with
python3-venv, and a package index.
"""
