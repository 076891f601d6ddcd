# make demo    everything it takes to see segment changes flow, until Ctrl-C (options: make demo ARGS="...")
# make test    everything it takes to run all checks and all tests
# make test-deep  the random tests alone, fifty times as far (DEPTH=200: further; ARGS="--hypothesis-seed=7": as then)
# make bench   speed beside other stream processors, in one run of 40 minutes (make bench ARGS="--quick": does it work at all)
# make chaos   faults without mercy on a real Kafka, and whether any change was lost or came twice (ARGS="--quick")
# make fuzz    bytes that reach ever new branches of decoding and folding, until a rule breaks (ARGS="--seconds 60")
# make check   style and types only
# make clean   remove what the others made: virtual environment, embedded Kafka with its data, caches

VENV := .venv
READY := $(VENV)/.ready
PEERS := .venv-bench
PEERS_READY := $(PEERS)/.ready

.PHONY: help demo test test-deep bench chaos fuzz check java prometheus chromium clean
help:
	@sed -n 's/^# //p;/^$$/q' Makefile

demo: $(READY) java
	@$(VENV)/bin/segstream demo $(ARGS)

test: check java prometheus chromium
	@$(VENV)/bin/pytest --numprocesses 2 $(ARGS)

test-deep: $(READY)
	@SEGSTREAM_TEST_DEPTH=$(or $(DEPTH),50) $(VENV)/bin/pytest -m deep tests/unit $(ARGS)

bench: $(READY) $(PEERS_READY) java
	@$(VENV)/bin/python -m tests.benchmarks $(ARGS)

chaos: $(READY) java
	@$(VENV)/bin/python -m tests.chaos $(ARGS)

fuzz: $(READY)
	@$(VENV)/bin/python -m pip install -q --disable-pip-version-check --group fuzz
	@$(VENV)/bin/python -m tests.fuzz $(ARGS)

check: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

# The stamp is newer than pyproject.toml as long as what is installed is what it asks for.
$(READY): pyproject.toml scripts/make-venv
	@scripts/make-venv $(VENV)
	@touch $@

$(PEERS_READY): pyproject.toml $(READY)
	@echo "Installing the peers of the benchmarks into $(PEERS)"
	@$(VENV)/bin/python -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(PEERS)/bin/python -m pip install -q --disable-pip-version-check --group bench
	@touch $@

java:
	@scripts/install-java

prometheus:
	@scripts/install-prometheus

chromium:
	@scripts/install-chromium

clean:
	rm -rf $(VENV) $(PEERS) .segstream .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find stream tests -name __pycache__ -type d -prune -exec rm -rf {} +
