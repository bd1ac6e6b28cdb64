# The daemon alone: no PyTorch, no compiler, no root. For x86-64 and arm64: every dependency is a wheel on both.
#
#     docker build --tag tocsin .
#     docker run --read-only --tmpfs /tmp --volume ./tocsin.yaml:/etc/tocsin/tocsin.yaml:ro tocsin
#
# `make container-check` carries these steps out without Docker; docs/container.md says how to use the image.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/tocsin

# What changes seldom comes first, so that a change of code installs no dependency anew.
COPY pyproject.toml constraints.txt scripts/run-time-dependencies ./
RUN python3 run-time-dependencies pyproject.toml > requirements.txt \
    && /opt/tocsin/bin/pip install --only-binary :all: --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE ./
COPY daemon daemon
COPY training/tocsin_training training/tocsin_training
COPY models models
RUN /opt/tocsin/bin/pip install --no-deps . && /opt/tocsin/bin/pip check && /opt/tocsin/bin/pip uninstall --yes pip setuptools

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="Tocsin" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 tocsin \
    && useradd --system --uid 10001 --gid tocsin --home-dir /var/lib/tocsin --shell /usr/sbin/nologin tocsin \
    && mkdir --parents /etc/tocsin /var/lib/tocsin \
    && chown tocsin:tocsin /var/lib/tocsin
COPY --from=build /opt/tocsin /opt/tocsin
COPY config/tocsin.yaml /etc/tocsin/tocsin.yaml

# The environment wins over the file: inside, the port has to be open to whoever maps it, and one place is writable.
ENV PATH=/opt/tocsin/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    TOCSIN_HTTP__HOST=0.0.0.0 TOCSIN_HTTP__PORT=9464 TOCSIN_STORE__FOLDER=/var/lib/tocsin/store
USER 10001:10001
WORKDIR /var/lib/tocsin
VOLUME /var/lib/tocsin
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['TOCSIN_HTTP__PORT'] + '/-/healthy', timeout=4)"]
ENTRYPOINT ["tocsin"]
CMD ["run", "/etc/tocsin/tocsin.yaml"]
