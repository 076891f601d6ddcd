# make demo    everything it takes to see segment changes flow, until Ctrl-C (options: make demo ARGS="...")
# make test    everything it takes to run all checks and all tests
# make check   style and types only
# make clean   remove what the others made: virtual environment, embedded Kafka with its data, caches

VENV := .venv
READY := $(VENV)/.ready

.PHONY: help demo test check java clean
help:
	@sed -n 's/^# //p;/^$$/q' Makefile

demo: $(READY) java
	@$(VENV)/bin/segstream demo $(ARGS)

test: check java
	@$(VENV)/bin/pytest $(ARGS)

check: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

# The stamp is newer than pyproject.toml as long as what is installed is what it asks for.
$(READY): pyproject.toml scripts/make-venv
	@scripts/make-venv $(VENV)
	@touch $@

java:
	@scripts/install-java

clean:
	rm -rf $(VENV) .segstream .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find stream tests -name __pycache__ -type d -prune -exec rm -rf {} +
