# make app          starts the app
# make check        lint, types and unit tests without browser and data sets: before every commit
# make test         lint, types and all tests
# make lint         lint, types and import contracts
# make format       formats the code
# make benchmark    measures speed and memory
# make load         simulates 20 concurrent users for five minutes
# make evaluation   measures every stored figure again (needs the data sets: ../shared/data or $BRAIN_MRI_DATA)
#
# The first call creates .venv; later calls install only when a requirements file has changed.
# WORKERS sets the number of test processes: make test WORKERS=4

PYTHON ?= $(shell python3.11 --version >/dev/null 2>&1 && echo python3.11 || echo python3)
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.DELETE_ON_ERROR:
.PHONY: app check test lint format benchmark load evaluation browser

app: $(VENV)/app.stamp
	$(BIN)/python -m streamlit run app.py

check: lint
	@$(PYTEST) -q -m "not browser and not data"

test: lint browser
	@$(PYTEST)

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy -n $(WORKERS)

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

benchmark: $(VENV)/app.stamp
	@$(BIN)/python -m benchmarks.speed.read

load: $(VENV)/app.stamp
	@$(BIN)/python -m benchmarks.speed.load

evaluation: $(VENV)/app.stamp
	@$(BIN)/python -m benchmarks.accuracy.stored_figures

# The browser tests use Debian's Chromium. Where it cannot be installed they are skipped, with a reason.
browser: $(VENV)/dev.stamp
	@if command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then :; \
	else \
		echo "Installing chromium for the browser tests"; \
		{ apt-get update -qq && \
		  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
		} >/dev/null 2>&1 || echo "chromium could not be installed; the browser tests will be skipped"; \
	fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/app.stamp: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/app.stamp
	$(PIP) -r requirements-dev.txt
	@touch $@
