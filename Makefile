# One stop for everything: `make help`. Needs make, git and a Python from 3.11 on; what else it takes, it gets itself.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PORT ?= 8000
export DEPLOYER_HOME ?= .deployer

# What pip has to say, shortened to a line per package; its exit status is not lost in the pipe.
define pip_install
	@echo "Installing $(1) …"
	@rm -f $(VENV)/.failed
	@{ $(PIP) install $(2) 2>&1 || touch $(VENV)/.failed; } | awk '\
		/^Collecting/ { print "  " $$2; fflush(); next } \
		/ERROR|[Ee]rror:/ { bad = 1 } \
		bad { print; fflush() }'
	@test ! -e $(VENV)/.failed || { echo "The installation failed. Is the package index reachable?" >&2; exit 1; }
endef

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/.installed ## Make the virtual environment .venv from the lock file
	@echo "Deployer is installed in $(VENV)."

.PHONY: demo
demo: $(VENV)/.installed ## Run the console with a demo fleet on port 8000 (PORT=… for another); Ctrl-C stops it
	@exec $(BIN)/deployer demo --port $(PORT) --no-json

.PHONY: test
test: $(VENV)/.installed-dev machine ## Run all tests; installs Chromium, PostgreSQL, sshd and tcsh first where it may
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)
# Whole files go to three processes, in their order: so each process makes what a folder shares at most once. One more
# than there are cores on a small machine, because a third of the time is spent waiting.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: model
model: $(VENV)/.installed-dev ## Look for runs of bad luck that break the protocol, in simulated time (EXAMPLES=… of them)
	@MODEL_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/model/test_model.py $(ARGS)
EXAMPLES ?= 2000

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check format, style, types and who imports whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.installed-dev ## Format the code and mend what can be mended automatically
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

# Apart from `make test`, because it asks somebody else: it fails when nothing could be looked up.
.PHONY: audit
audit: $(VENV)/.installed-dev ## Look for known vulnerabilities in what the lock files name (needs the network)
	@for lock in requirements.lock requirements-dev.lock; do \
		if $(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock >$(VENV)/audit.log 2>&1; then \
			echo "$$lock: nothing is known."; \
		elif grep -q '^Traceback\|^ERROR' $(VENV)/audit.log; then \
			tail -n 1 $(VENV)/audit.log; \
			echo "$$lock was NOT looked up: the vulnerability service did not answer. Try again with a network." >&2; exit 1; \
		else \
			cat $(VENV)/audit.log; exit 1; \
		fi; \
	done

.PHONY: bench
bench: $(VENV)/.installed-dev ## Measure the claim of instances against a bare UPDATE
	@$(BIN)/python -m bench.claim $(ARGS)

.PHONY: bench-engine
bench-engine: $(VENV)/.installed-dev ## Measure 1,000 hosts through one worker, two, and a job per host (ARGS=--quick for less)
	@$(BIN)/python -m bench.engine $(ARGS)

.PHONY: bench-ssh
bench-ssh: $(VENV)/.installed-dev machine ## Measure 200 hosts by SSH: beside ansible-core and OpenSSH, and in whole rollouts (ARGS=--quick for less)
	@$(BIN)/python -m bench.ssh_fanout $(ARGS)

.PHONY: bench-live
bench-live: $(VENV)/.installed-dev machine ## Measure open pages: 100 to 1,000 viewers, changes 10 times a second (ARGS=--quick for less)
	@$(BIN)/python -m bench.live $(ARGS)

.PHONY: bench-pages
bench-pages: $(VENV)/.installed-dev ## Measure every page at 10, 1,000 and 10,000 instances (ARGS=--quick for less)
	@$(BIN)/python -m bench.pages $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.installed-dev machine ## Kill, stop and cut off what a console consists of while it works; takes a good half hour
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: wheel
wheel: $(VENV)/.installed-dev ## Build dist/deployer-….whl, which carries templates, static files and migrations
	@$(BIN)/python -m build --wheel --no-isolation

.PHONY: screenshots
screenshots: $(VENV)/.installed-dev machine ## Write every page into screenshots/ and the README's pictures into docs/images/
	@$(BIN)/python -m tests.browser.screenshots

.PHONY: messages
messages: $(VENV)/.installed-dev ## Bring the message catalogues up to date with code and templates
	@$(BIN)/pybabel -q extract -F pyproject.toml -k N_ -k _l -k lazy_gettext -k call --sort-output --no-location --no-wrap -o $(VENV)/messages.pot .
	@$(BIN)/pybabel -q update -i $(VENV)/messages.pot -d deployer/translations --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -d deployer/translations

.PHONY: lock
lock: $(VENV)/.installed-dev ## Write the lock files anew from pyproject.toml
	@test -x $(BIN)/uv || $(PIP) install --quiet uv
	@$(BIN)/uv pip compile $(LOCK) --group build --output-file requirements.lock
	@$(BIN)/uv pip compile $(LOCK) --group build --group dev --output-file requirements-dev.lock
LOCK := pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: clean
clean: ## Remove everything that can be made again; the data in .deployer stays
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache screenshots
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the tests use beside Python. Where it cannot be installed, the tests that need it are skipped (in CI they fail).
.PHONY: machine
machine:
	@missing=; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| missing="$$missing chromium"; \
	command -v pg_ctl >/dev/null || ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v tcsh >/dev/null || missing="$$missing tcsh"; \
	test -x /usr/sbin/sshd || command -v sshd >/dev/null || missing="$$missing openssh-server"; \
	test -n "$$missing" || exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Not on this machine:$$missing. Install it to run the tests that need it."; exit 0; \
	fi; \
	echo "Installing$$missing …"; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get update -qq && apt-get install -qq --no-install-recommends $$missing; } >$(VENV)/apt.log 2>&1 \
		|| echo "Could not install$$missing; see $(VENV)/apt.log."

$(VENV)/.installed: requirements.lock pyproject.toml $(BIN)/python
	$(call pip_install,what Deployer needs into $(VENV),--require-hashes -r requirements.lock)
	$(call pip_install,Deployer itself,--no-deps --no-build-isolation -e .)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(call pip_install,what the tests need into $(VENV),--require-hashes -r requirements-dev.lock)
	@touch $@

$(BIN)/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version) …"; \
			$$python -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "Deployer needs Python 3.11 or newer, and none was found. Install one, then run make again." >&2; \
	exit 1
