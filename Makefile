# make app    opens the app              make format     formats the code
# make test   runs lint, types, tests    make benchmark  measures speed and memory
# make lint   runs lint and types        make load       20 people at once, for five minutes
# make evaluation   measures every figure again (needs the data sets: ../shared/data or BRAIN_MRI_DATA)
#
# The first call fills .venv; later calls install again only when a requirements file has changed.

PYTHON ?= $(shell python3.11 --version >/dev/null 2>&1 && echo python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet

.DELETE_ON_ERROR:
.PHONY: app test lint format benchmark load evaluation browser

app: $(VENV)/app.stamp
	$(BIN)/python -m streamlit run app.py

test: lint browser
	@$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

benchmark: $(VENV)/app.stamp
	@$(BIN)/python -m benchmarks.speed.read

load: $(VENV)/app.stamp
	@$(BIN)/python -m benchmarks.speed.load

evaluation: $(VENV)/app.stamp
	@$(BIN)/python -m benchmarks.accuracy.stored_figures

# The browser test uses Debian's chromium; where it cannot be installed, that test is skipped with a reason.
browser: $(VENV)/dev.stamp
	@if command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then :; \
	else \
		echo "Installing chromium for the browser test"; \
		{ apt-get update -qq && \
		  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
		} >/dev/null 2>&1 || echo "chromium could not be installed; the browser test will be skipped"; \
	fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/app.stamp: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/app.stamp
	$(PIP) -r requirements-dev.txt
	@touch $@
