"""Container check: runs the steps of the Dockerfile without Docker, then starts the daemon as the image does.

It shows that the steps succeed on a bare Python, that the build context has all that they need, and that the daemon
runs as an unprivileged user on a read-only tree. It doesn't check the base image: in its place it uses this machine's
Debian and Python, read-only, in a mount namespace.

`make container-check` runs it. It needs root (for mounts, a user of its own and chroot), Debian's python3 with
python3-venv, and a package index.
"""
