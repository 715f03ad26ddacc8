# Everything runs from a bare machine: python3 (3.11 or newer), make and git. What else is needed is got by
# tests/stack, into .venv and the cache folder, once.

PYTHON ?= python3
VENV := .venv/bin
CACHE := $(if $(filter /%,$(XDG_CACHE_HOME)),$(XDG_CACHE_HOME),$(HOME)/.cache)/nix-trinity
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup lint format types prepare test demo bench bench-retrieval fit-retrieval bench-routing bench-redaction bench-grounding bench-training bench-known golden clean distclean-cache

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## make .venv with the project and all that it is tested with
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: name a newer one, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m tests.stack.environment

lint: setup ## check style with ruff
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

format: setup ## let ruff put the files into shape
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .
	$(VENV)/python -m tests.nix.format

types: setup ## check types with mypy
	$(VENV)/python -m mypy

prepare: setup ## get Ollama, a model and the system's programs, and list them
	@$(VENV)/python -m tests.stack prepare

# A part that is missing here fails the tests that need it, with the reason; the others still run.
test: lint types ## all checks and tests, on the real parts
	@$(VENV)/python -m tests.stack prepare --keep-going
	$(VENV)/python -m pytest $(PYTEST_ARGS)

demo: setup ## show what the product does, on the real parts
	@$(VENV)/python -m tests.stack prepare --keep-going
	@$(VENV)/python -m tests.stack.demo

bench: prepare ## measure it, on the real parts
	@$(VENV)/python -m bench

bench-retrieval: prepare ## measure the search on real options (NIX_TRINITY_DATA), without vectors and with
	@$(VENV)/python -m bench.retrieval --vectors
	@$(VENV)/python -m bench.past_answers

fit-retrieval: prepare ## fit the search's weights on our own questions; writes modelfiles/ranking.toml
	@$(VENV)/python -m bench.retrieval --fit --vectors

bench-routing: setup ## measure which role questions are sent to
	@$(VENV)/python -m bench.routing

bench-redaction: setup ## measure the redactor on real options and hostile texts
	@$(VENV)/python -m bench.redaction

bench-grounding: prepare ## measure what grounding makes of a small model, on real options
	@$(VENV)/python -m bench.grounding
	@$(VENV)/python -m bench.prefix

bench-training: setup ## measure what learning costs besides the models' time
	@$(VENV)/python -m bench.training

bench-known: setup ## measure which questions are taken for ones that were answered before
	@$(VENV)/python -m bench.known_answers

golden: setup ## render tests/nix/golden and docs/reference/options.md (NIXPKGS_LIB: a checkout of nix-community/nixpkgs.lib)
	@test -n "$(NIXPKGS_LIB)" || { echo "name a checkout of nix-community/nixpkgs.lib: make golden NIXPKGS_LIB=…" >&2; exit 1; }
	$(VENV)/python -m tests.nix.render --lib "$(NIXPKGS_LIB)"

clean: ## remove what was made in this checkout
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

distclean-cache: ## remove what all checkouts share: dependencies, Ollama, the model
	rm -rf "$(CACHE)"
