# Every command of this project; `make help` lists them. The first run brings what it needs into the checkout
# (.uv, .venv); later runs start at once and need no network until a lock file changes.

PYTHON ?= python3
CHROMIUM ?= chromium
# Answers that a real shop gave, imported by the demo as well, where a folder beside the checkout has some.
CAPTURED ?= $(firstword $(wildcard ../*/reference/captured))

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

# Each tool is called by its path: nothing here depends on what is installed beside the checkout.
UV := .uv/bin/uv
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
unexport VIRTUAL_ENV
# Compiling every module at every start would make each command seconds slower.
unexport PYTHONDONTWRITEBYTECODE

COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

# Measuring costs half as much time again with Python 3.11's tracer, so `make test` alone does without it. From 3.12 on
# Python counts lines by itself.
CORE := $(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")'

# Half of the time a test waits for a process, a page or a deadline, so there are three for two processors.
WORKERS := $(shell processors=$$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2); \
	echo $$((processors > 4 ? 6 : (3 * processors + 1) / 2)))
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile
# Hundreds of seeded days run through the same lines: they are lived without the tracer.
SEEDED := tests/conformance/test_kills.py tests/simulation

# $(call brings,PROGRAM,PACKAGE): installs Debian's PACKAGE where PROGRAM is missing and apt may be used.
define brings
command -v $(1) > /dev/null && exit 0; \
if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2> /dev/null; then as='sudo -n'; else as=no; fi; \
if [ "$$as" = no ] || ! command -v apt-get > /dev/null; then \
	echo 'The browser tests need $(2); on Debian: sudo apt install $(2)'; exit 1; fi; \
echo 'Installing $(2) for the browser tests …'; \
$$as apt-get update -qq; \
DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq --no-install-recommends $(2) > /dev/null
endef

.PHONY: help setup demo play test soak attack docs screenshots check audit bench fix image wheel lock clean chromium browsers

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## install everything into .venv, from the lock files, every download checked by its hash

demo: .venv/.ready ## a shop's whole day against simulated systems, compared to the last piece; exit 0 if all is there
	@$(BIN)/upbridge demo $(addprefix --captured ,$(CAPTURED))

play: .venv/.ready ## the same, but it stays up for you to click through; Ctrl-C ends it
	@$(BIN)/upbridge play

test: .venv/.ready chromium ## every test, the browser's included (ARGS="-k word" for some; COVERAGE=1 measures)
	@$(if $(COVERAGE),COVERAGE_CORE=$$($(CORE)) $(PYTEST) --cov --cov-report=term:skip-covered $(SEEDED:%=--ignore=%) $(ARGS))
	@$(PYTEST) $(if $(COVERAGE),$(SEEDED)) $(ARGS)

attack: .venv/.ready ## bounded attacks on a real instance, a genuine shop beside it (ARGS="--short", --only, --keep FILE)
	@$(BIN)/python -m tests.attack $(ARGS)

browsers: .venv/.ready ## a merchant's way in Debian's Firefox and WebKit, which are installed for it as root
	@$(call brings,firefox-esr,firefox-esr)
	@$(call brings,WebKitWebDriver,webkit2gtk-driver)
	@$(call brings,Xvfb,xvfb)
	@$(BIN)/python -m pytest -n 0 tests/browser/test_other_browsers.py $(ARGS)

soak: .venv/.ready ## the seeded simulation, with all faults at once (SEEDS=200; ARGS="--first 17", --json)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),200) $(ARGS)

docs: .venv/.ready ## what is made from the code: docs/reference and the tables of other pages, the dashboard
	@$(BIN)/python -m tests.project.reference
	@$(BIN)/python -m tests.project.review
	@$(BIN)/python -m tests.project.matrix
	@$(BIN)/python -m tests.project.monitoring
	@$(BIN)/python -m tests.project.bounds
	@$(BIN)/python -m tests.project.attacks

screenshots: .venv/.ready chromium ## pictures of every page for the documents, into docs/screenshots
	@$(BIN)/python -m tests.browser.screenshots

check: .venv/.ready ## format, lint, types, schema against models, translations, documents
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted; try: make fix'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m tests.project.check

audit: .venv/.ready .audit/.ready ## bill of materials and known vulnerabilities of what is locked, into dist/audit (STRICT=1)
	@$(BIN)/python -m tests.project.audit $(if $(STRICT),--strict) $(ARGS)

bench: .venv/.ready ## how fast it is, against goals and bare baselines (ARGS="--only pages" for a part)
	@$(BIN)/python -m bench $(ARGS)

fix: .venv/.ready ## format, and cure what the linter can cure by itself
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .

# Podman and Buildah write images without a health check by default.
image: ## build the image upbridge:VERSION with docker, podman or buildah (IMAGE=name:tag, BUILDER=podman)
	@builder='$(or $(BUILDER),$(firstword $(notdir $(shell command -v docker podman buildah 2> /dev/null))))'; \
	if [ -z "$$builder" ]; then \
		echo 'Building an image needs docker, podman or buildah; on Debian: sudo apt install podman'; exit 1; fi; \
	case "$$builder" in *docker) format= ;; *) format='--format docker' ;; esac; \
	version=$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/upbridge/__init__.py); \
	revision=$$(git rev-parse --short HEAD 2> /dev/null || echo unknown); \
	$$builder build $$format --build-arg "VERSION=$$version" --build-arg "REVISION=$$revision" \
		--tag "$(or $(IMAGE),upbridge:$$version)" .

wheel: .venv/.ready ## build the package into dist/
	@rm -rf dist
	@$(BIN)/hatchling build --target wheel --directory dist

lock: .uv/.ready ## resolve pyproject.toml again (ARGS=--upgrade for newer versions)
	@$(COMPILE) $(ARGS) pyproject.toml -o requirements.lock
	@$(COMPILE) $(ARGS) --all-extras --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@$(COMPILE) $(ARGS) --group bootstrap -o bootstrap.lock
	@$(COMPILE) $(ARGS) --group audit -o audit.lock

clean: ## remove what was built or measured; var/ (data) and .venv stay
	@rm -rf dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets stand on --------------------------------------------------------------------------------

# pip's --target needs neither the venv module (a package of its own on Debian) nor a writable system.
.uv/.ready: bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Upbridge needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	@$(PYTHON) -m pip --version > /dev/null 2>&1 \
		|| { echo 'pip is missing; on Debian and Ubuntu: apt install python3-pip'; exit 1; }
	@echo 'Bringing the installer (uv) into .uv …'
	@rm -rf .uv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target .uv \
		--require-hashes --only-binary :all: --requirement bootstrap.lock
	@touch $@

.venv/.ready: .uv/.ready requirements-dev.lock pyproject.toml
	@echo 'Installing into .venv …'
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.audit/.ready: .uv/.ready audit.lock
	@echo 'Installing the tools of the audit into .audit …'
	@test -x .audit/bin/python || $(UV) venv --quiet --python $(PYTHON) .audit
	@$(UV) pip sync --quiet --python .audit/bin/python --require-hashes audit.lock
	@touch $@

# Browser tests fail where there is no Chromium, so bring it where that is possible, else say how.
chromium:
	@$(call brings,$(CHROMIUM),chromium)
