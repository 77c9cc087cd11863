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
RUN python -m pip install --no-cache-dir --disable-pip-version-check uv==0.13.9 hatchling==1.33.0
WORKDIR /build

FROM builder AS dependencies
RUN uv venv --python python3 /opt/venv
COPY requirements.lock .
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /opt/venv/bin/python --link-mode copy --compile-bytecode \
      --require-hashes --requirement requirements.lock
# The client of object stores, and Dask, in the versions of requirements-dev.lock.
RUN uv pip install --no-cache --python /opt/venv/bin/python --link-mode copy --compile-bytecode \
      obstore==0.12.1 distributed==2026.8.0 prefect-dask==0.3.7

FROM dependencies AS code
COPY pyproject.toml README.md LICENSE ./
COPY churnlib churnlib
COPY flows flows
RUN uv build --wheel --no-build-isolation --out-dir dist \
    && uv pip install --no-deps --compile-bytecode --python /opt/venv/bin/python --target site dist/*.whl

# hadolint ignore=DL3006
FROM ${PYTHON} AS runtime
RUN groupadd --gid 10001 churn \
    && useradd --uid 10001 --gid churn --create-home churn \
    && install -d -o churn -g churn /app/data /app/data/01_raw /app/results
COPY --from=dependencies /opt/venv /opt/venv
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
COPY --from=code /build/site /opt/churn
COPY pyproject.toml prefect.yaml deployments/healthcheck.py ./
COPY deployments/__init__.py deployments/apply.py deployments/automations.py deployments/generate.py deployments/state.py deployments/
COPY deployments/work-pools deployments/work-pools
COPY games games
VOLUME ["/app/data", "/app/results"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "/app/healthcheck.py"]
CMD ["prefect", "worker", "start", "--pool", "churn", "--type", "process", "--with-healthcheck"]
