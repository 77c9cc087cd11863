# syntax=docker/dockerfile:1
# The image of the flows, for commands, for the jobs of Docker and Kubernetes pools, and for workers.
#
#   docker build --tag churn .
#   docker run --rm --volume churn-data:/app/data churn churn train --game game1 --from-raw
#   docker run --rm --env PREFECT_API_URL=... churn        # a worker of the pool "churn"

# To update it, set the newest 3.11 tag and the digest that this prints:
#   docker buildx imagetools inspect python:<tag> --format '{{.Manifest.Digest}}'
ARG PYTHON=python:3.11.15-slim-trixie@sha256:db3ff2e1800a8581e2c48a27c3995339d47bdf046da21c7627accd3d51053a93

# hadolint ignore=DL3006
FROM ${PYTHON} AS builder
WORKDIR /build
# All that is installed comes from this lock: the dependencies, and the tools that build the wheel.
COPY requirements-image.lock .
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
      --no-deps --require-hashes --requirement requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY churnlib churnlib
COPY flows flows
RUN /opt/venv/bin/python -m hatchling build --target wheel --directory dist \
    && /opt/venv/bin/uv pip install --offline --no-deps --compile-bytecode \
      --python /opt/venv/bin/python --target /opt/churn dist/*.whl \
    && /opt/venv/bin/uv pip uninstall --python /opt/venv/bin/python hatchling uv

# hadolint ignore=DL3006
FROM ${PYTHON} AS runtime
# Root owns all but the user's home and the two volumes; nothing in it installs or becomes root.
RUN groupadd --gid 10001 churn \
    && useradd --uid 10001 --gid churn --create-home churn \
    && install -d -o churn -g churn /app/data /app/data/01_raw /app/results \
    && install -d -o churn -g churn /home/churn/.prefect \
    && python -m pip uninstall --yes --root-user-action ignore setuptools wheel pip \
    && rm -rf /usr/local/lib/python3*/ensurepip \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /opt/churn /opt/churn
ENV PATH=/opt/venv/bin:/opt/churn/bin:$PATH \
    PYTHONPATH=/opt/churn \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_HOME=/home/churn/.prefect \
    # The server writes the files of its UI at each start.
    PREFECT_UI_STATIC_DIRECTORY=/home/churn/.prefect/ui \
    # The cache of finished tasks. Not in the data folder, where others write tables and read reports.
    PREFECT_RESULTS_LOCAL_STORAGE_PATH=/app/results \
    # Otherwise idle threads of one fit keep spinning on cores that another needs.
    GOMP_SPINCOUNT=1000 \
    # Threads share freed memory: a third less memory on large data.
    MALLOC_ARENA_MAX=1 \
    CHURN_GAMES_DIR=/app/games \
    CHURN_DATA_DIR=/app/data
WORKDIR /app
USER 10001:10001
# Creates the database, which takes long, for runs that start their own server.
RUN prefect server database upgrade --yes
COPY pyproject.toml prefect.yaml deployments/healthcheck.py deployments/supervise.py ./
COPY deployments/*.py deployments/
COPY deployments/work-pools deployments/work-pools
COPY games games
VOLUME ["/app/data", "/app/results"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "/app/healthcheck.py"]
CMD ["python", "/app/supervise.py", "prefect", "worker", "start", "--pool", "churn", "--type", "process", "--with-healthcheck"]
