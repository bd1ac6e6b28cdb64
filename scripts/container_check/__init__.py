"""Container check: runs the steps of the Dockerfile without Docker, then starts the daemon as the image does.

It shows that the steps succeed on a bare Python, that the build context is complete, and that the daemon
runs as an unprivileged user on a read-only tree. It does not check the base image and uses instead this machine's
Debian and Python, read-only, in a mount namespace.

`make container-check` runs it. It needs root (for mounts, a user of its own and chroot), Debian's python3 with
python3-venv, and a package index.
"""
