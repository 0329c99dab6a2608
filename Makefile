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
.PHONY: app check test lint format benchmark load evaluation debian

app: $(VENV)/app.stamp
	$(BIN)/python -m streamlit run app.py

check: lint
	@$(PYTEST) -q -m "not browser and not data"

test: lint debian
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

# Debian's Chromium for the browser tests; Orthanc (a PACS) and dcmtk for those of the DICOM node; dicom3tools checks DICOM
# objects. Where they cannot be installed these tests are skipped, with a reason.
DEBIAN := chromium orthanc orthanc-dicomweb dcmtk dicom3tools
debian: $(VENV)/dev.stamp
	@if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] || dpkg -s $(DEBIAN) >/dev/null 2>&1; then :; \
	else \
		echo "Installing $(DEBIAN) for the tests"; \
		apt-get update -qq >/dev/null 2>&1; \
		for package in $(DEBIAN); do \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$package >/dev/null 2>&1 \
			|| echo "$$package could not be installed; the tests that need it will be skipped"; \
		done; \
	fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/app.stamp: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements-archive.txt $(VENV)/app.stamp
	$(PIP) -r requirements-dev.txt
	@touch $@
