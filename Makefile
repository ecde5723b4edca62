# Signalbox: `make run` starts it, `make test` proves it. Needs Python 3.11 or later and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help setup run test check demo faults bench bench-peers tools protos lock clean

help:
	@echo "make run     start everything on simulated providers, show a completion and a stream, serve until Ctrl-C"
	@echo "make test    make check, then every test"
	@echo "make faults  the fault matrix of providers, bursts, ten thousand calls over flaky targets: what takes long, too"
	@echo "make check   ruff, mypy --strict, buf lint, the import table"
	@echo "make demo    play nine scenarios over real processes and hold what happens against what should"
	@echo "make bench   throughput and latency beside the floors of the same run; writes benchmarks/report.json"
	@echo "make bench-peers  the same load on LiteLLM and Portkey, which it installs into .tools (needs npm)"
	@echo "make tools   the programs of others that some tests use (needs go and npm): grpcurl, aimock"
	@echo "make protos  generate protos/gen anew        make lock   pin the requirements anew"
	@echo "make setup   install what make run needs     make clean  remove what was installed and generated"

setup: $(VENV)/installed

# The trap keeps the shell there until all is stopped; an interrupt is how this is meant to end.
run: setup
	@trap : INT; $(BIN)/signalbox up --simulated || { code=$$?; [ $$code -eq 130 ] || exit $$code; }

test: check
	@$(BIN)/pytest -n 4 --dist worksteal -m "not slow"

faults: $(VENV)/installed-dev
	@$(BIN)/pytest -n 2 -m slow
	@FAULTS=full $(BIN)/pytest -q -m "not slow" tests/faults tests/test_storms.py

check: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python protos/generate.py --check
	@$(BIN)/python protos/generate.py --lint
	@$(BIN)/pytest -q tests/test_architecture.py

demo: setup
	@$(BIN)/signalbox demo --all

bench: $(VENV)/installed-dev
	@$(BIN)/python -m benchmarks $(BENCH_FLAGS)

bench-peers: $(VENV)/installed-dev .tools/litellm/installed .tools/portkey/installed
	@$(BIN)/python -m benchmarks.peers $(BENCH_FLAGS)

protos: $(VENV)/installed-dev
	@$(BIN)/python protos/generate.py

lock: $(VENV)/installed-dev
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade pyproject.toml --group build -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade pyproject.toml --group build --extra dev -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade benchmarks/peers/litellm.in -o benchmarks/peers/litellm.txt

GRPCURL_VERSION := v1.9.4
AIMOCK_VERSION  := 1.43.0

tools: .tools/bin/grpcurl .tools/node_modules/@copilotkit/aimock

.tools/bin/grpcurl:
	@GOBIN=$(CURDIR)/.tools/bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION)

.tools/node_modules/@copilotkit/aimock:
	@npm install --silent --no-save --no-package-lock --prefix .tools @copilotkit/aimock@$(AIMOCK_VERSION)

.tools/litellm/installed: benchmarks/peers/litellm.txt | $(VENV)/bin/python
	@echo "Installing LiteLLM into .tools/litellm ..."
	@$(PYTHON) -m venv --clear .tools/litellm
	@.tools/litellm/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.tools/portkey/installed: benchmarks/peers/portkey/package-lock.json
	@command -v npm >/dev/null || \
		{ echo "make bench-peers needs npm and Node.js 20 or later, for Portkey's gateway"; exit 2; }
	@echo "Installing Portkey's gateway into .tools/portkey ..."
	@mkdir -p $(@D)
	@cp benchmarks/peers/portkey/package.json benchmarks/peers/portkey/package-lock.json $(@D)
	@npm ci --silent --ignore-scripts --prefix $(@D)
	@touch $@

clean:
	@rm -rf $(VENV) .tools .signalbox .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Signalbox needs Python 3.11 or later; name one: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python requirements.txt pyproject.toml
	@echo "Installing what the router and the prober need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
