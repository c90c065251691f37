# Everything that is done with this project. `make` lists it.
#
# A fresh clone needs cargo, make, gcc and python3. `make test` installs what else it needs: as root on Debian by
# itself, otherwise it says which commands to run.

CARGO   ?= cargo
PYTHON  ?= python3
ARGS    ?=
SEEDS   ?= 1000
MINUTES ?= 25
IMAGE   ?= aliyun-task-exporter

BINARY := target/debug/aliyun-task-exporter
VENV   := target/venv
PYTEST := $(VENV)/bin/pytest --color=no
E2E    := tests/e2e
BENCH  := benches/side_by_side
PYDIRS := $(E2E) $(BENCH)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PYTHONPYCACHEPREFIX := $(CURDIR)/target/pycache

.PHONY: help demo test fmt lint unit soak endurance doc docs docs-check promtool e2e bench bench-smoke bench-tools image tools build

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: build ## a simulated Alibaba Cloud and an exporter on it; ARGS=... is passed on
	@exec $(BINARY) demo $(ARGS)

test: tools fmt lint unit doc docs-check e2e ## set up what is missing and run every check

fmt: $(VENV)/.stamp ## formatting of Rust and Python
	@$(E2E)/tools component rustfmt
	$(CARGO) fmt --check
	$(VENV)/bin/ruff format --check --no-cache --quiet --config $(E2E)/pyproject.toml $(PYDIRS)

lint: $(VENV)/.stamp ## clippy for Rust, hadolint for the Dockerfile, ruff and mypy for Python
	@$(E2E)/tools component clippy
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(VENV)/bin/ruff check --no-cache --quiet --config $(E2E)/pyproject.toml --config "src=['$(E2E)','$(BENCH)']" $(PYDIRS)
	for folder in $(PYDIRS); do $(VENV)/bin/mypy --no-error-summary --cache-dir target/mypy --config-file $(E2E)/pyproject.toml $$folder || exit 1; done
	$(VENV)/bin/hadolint Dockerfile

unit: ## cargo test: unit and integration tests
	$(CARGO) test --locked

soak: ## simulated days at random, as many as SEEDS=1000; unit has 200 of them
	SEEDS=$(SEEDS) $(CARGO) test --locked --test integration each_end_of_a_day -- --nocapture

endurance: $(VENV)/.stamp ## a compressed day with storms, kills and full disks, of MINUTES=25; whether anything grows or is miscounted
	$(CARGO) build --locked --release --bins
	ALIYUN_TASK_EXPORTER=target/release/aliyun-task-exporter $(VENV)/bin/python $(E2E)/endurance.py --minutes $(MINUTES) $(ARGS)

doc: ## cargo doc, private items too, without warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

docs: build ## write docs/metrics.md
	$(BINARY) catalog > target/metrics.md
	mv target/metrics.md docs/metrics.md

docs-check: build ## docs/metrics.md is what the program says
	@$(BINARY) catalog | diff -u docs/metrics.md - || { echo 'docs/metrics.md is out of date: run make docs' >&2; exit 1; }

promtool: build tools ## the lint of exposition and alerts alone; a part of e2e
	$(PYTEST) $(E2E)/test_promtool.py

e2e: build tools ## the real program with a real Prometheus, the vendor's SDKs and strict parsers
	$(PYTEST) $(E2E)

bench: bench-tools ## speed and memory beside other exporters, to docs/performance.md; about twenty minutes
	$(VENV)/bin/python $(BENCH)/main.py $(ARGS)

bench-smoke: bench-tools ## the same on a small scale, to target/bench-smoke: whether it runs, not how fast
	$(VENV)/bin/python $(BENCH)/main.py --sizes 1000 --growth 10 20 30 --rounds 1 --seconds 0.1 --sweep 100 --start 100 \
		--patience 2 --out target/bench-smoke $(ARGS)

bench-tools: $(VENV)/.stamp
	@case "$(ARGS)" in *--skip*) ;; *) $(E2E)/tools peers ;; esac
	$(CARGO) build --locked --release --bins --example bench

image: ## build the container image with docker, podman or buildah
	@$(E2E)/tools image $(IMAGE)

tools: $(VENV)/.stamp ## what the tests need: Prometheus with promtool, and Python packages in target/venv
	@$(E2E)/tools packages

build:
	$(CARGO) build --locked

$(VENV)/.stamp: $(E2E)/requirements.txt
	@$(E2E)/tools packages
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --use-pep517 --no-deps -r $<
	@touch $@
