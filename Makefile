# The commands of the project, for people, hooks and CI.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
GAME ?= game1
MONTHLY ?= game3
TWO = --numprocesses=2 --dist=loadgroup
THOROUGH = --hypothesis-profile=thorough --cov
PRODUCTION = tests/flows/production

# Python keeps compiled modules, with which the tests start a third faster.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run server test test-all mutants torture check audit sbom bench format lock schema docs deployments wheel clean

run: $(VENV)/ready  ## take a game, then one with monthly lists, from raw data to predictions
	$(BIN)/python -m flows run --game $(GAME)
	$(BIN)/python -m flows run --game $(MONTHLY)

server: $(VENV)/ready  ## start a permanent Prefect server with its UI
	$(BIN)/python -m flows server

test: $(VENV)/ready-dev  ## run the tests, on two processes
	$(BIN)/python -m pytest -m "not slow" $(TWO)

test-all: $(VENV)/ready-dev  ## run all tests, those of production one by one, with coverage
	$(BIN)/python -m pytest -m "not slow" $(TWO) $(THOROUGH) --cov-report= --durations=15
	$(BIN)/python -m pytest -m slow $(TWO) $(THOROUGH) --cov-append --cov-report= --durations=30 --ignore=$(PRODUCTION)
	$(BIN)/python -m pytest -m slow $(THOROUGH) --cov-append --cov-fail-under=95 --durations=10 $(PRODUCTION)

mutants: $(VENV)/ready-dev  ## run mutation tests, and show the surviving mutants
	$(BIN)/python -m tests.mutants $(MUTANTS)

torture: $(VENV)/ready-dev  ## kill runs anywhere, and check what is left; takes an hour
	$(BIN)/python -m tests.torture $(TORTURE)

check: $(VENV)/ready-dev  ## run linters and type checker
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

audit: $(VENV)/ready  ## look the locked packages up in a database of known vulnerabilities
	$(BIN)/python -m deployments.audit requirements-image.lock

sbom: $(VENV)/ready  ## list what the image installs, as CycloneDX, into dist/sbom.cdx.json
	mkdir -p dist
	$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file dist/sbom.cdx.json requirements-image.lock

bench: $(VENV)/ready-dev  ## measure how the work scales with the data; takes hours
	DO_NOT_TRACK=1 $(BIN)/python -m benchmarks.growth $(BENCH)
	$(BIN)/python -m benchmarks.events

format: $(VENV)/ready-dev  ## format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

schema: $(VENV)/ready  ## write the JSON schema of the games' files
	$(BIN)/python -m flows schema > games/schema.json

docs: $(VENV)/ready  ## generate the pages in docs/
	$(BIN)/python -m docs.generate

deployments: $(VENV)/ready-dev  ## generate prefect.yaml and the templates of work pools
	$(BIN)/python -m deployments.generate
	$(BIN)/python -m deployments.work_pools

lock: $(VENV)/ready-dev  ## update the versions of all dependencies
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --extra image -c requirements-dev.lock pyproject.toml -o requirements-image.lock

wheel: $(VENV)/ready-dev  ## build the wheel, into dist/
	$(BIN)/python -m hatchling build --target wheel

clean:  ## remove the outputs of runs, but not the raw data
	rm -rf data/0[2-8]_*

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

$(VENV)/ready-dev: requirements-dev.lock $(VENV)/ready
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	touch $@
