# Everything runs in a virtual environment of the checkout's own (.venv, or .venv-demo for the demo).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo demo-keep demo-compose release docs-site test setup parts check unit real node manifests bench bench-check clean

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv-demo/.done ## the main job on this machine, nothing but Python needed; ends within two minutes
	.venv-demo/bin/python -m autoscaler.demo

demo-keep: .venv-demo/.done ## the same, and then on with the dashboard until Ctrl-C
	.venv-demo/bin/python -m autoscaler.demo --keep

demo-compose: setup ## the same with containers: a real Docker engine, HAProxy and Prometheus (make parts)
	$(BIN)/python -m tests.demo_compose

test: setup parts check unit real ## everything: checks, unit tests, and the suites on real parts

setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

.venv-demo/.done: pyproject.toml
	@echo "once: an environment in .venv-demo with what the demo needs, a minute or so"
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/pip install --quiet --disable-pip-version-check -e .
	touch $@

parts: setup ## install the real parts the tests need (Debian, root); what is there is left alone
	$(BIN)/python -m tests.parts install

check: setup ## lint, types and arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup ## the fast tests, no real parts
	$(BIN)/pytest -n 2 -m "not (docker or kubernetes or prometheus or e2e or node or simulation)"

real: setup ## the suites on a real Docker engine, Prometheus and Kubernetes API, and the simulated world
	$(BIN)/python -m tests.suites

node: setup parts ## the proof on a real Kubernetes node (Debian, root; minutes, alone on the machine)
	$(BIN)/pytest -ra -s -m node tests/e2e

manifests: ## helm/plain again, for those without Helm (needs helm)
	for name in everywhere namespaced; do \
	  helm template autoscaler helm/autoscaler --kube-version 1.31.0 --namespace autoscaler \
	    -f helm/plain/$$name.values.yaml > helm/plain/$$name.yaml || exit 1; done

bench: setup ## timings and ratios
	$(BIN)/python -m benchmarks

bench-check: setup ## the timings that need no real parts: fails where a ratio is 1.5 times the one on record
	$(BIN)/python -m benchmarks --check benchmarks/results.json

.venv-release/.done: pyproject.toml
	@echo "once: an environment in .venv-release with the tools of a release, a minute or so"
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/pip install --quiet --disable-pip-version-check -e '.[release]'
	touch $@

release: .venv-release/.done ## sdist, wheel, man pages, SBOM and checksums of HEAD, tried in a clean environment, into dist/
	PYTHON=.venv-release/bin/python packaging/release

.venv-docs/.done: pyproject.toml
	@echo "once: an environment in .venv-docs with the tools of the site, a minute or so"
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

docs-site: .venv-docs/.done ## the documentation as a site, into site/; a link that leads nowhere fails it
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet

clean: ## what the checkout made
	rm -rf .venv .venv-demo .venv-release .venv-docs site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
