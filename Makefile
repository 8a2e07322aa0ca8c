# The commands a person needs. Each sets up what it needs first; nothing asks a question.
# Everything is built with the release profile, so that FAISS (three minutes) is built once.

.DEFAULT_GOAL := help
.NOTPARALLEL:
# rustup's default place, for shells that have not read it into their PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin

CARGO_FLAGS := --workspace --release --locked
BIN := $(or $(CARGO_TARGET_DIR),target)/release
CONTAINER ?= docker

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

# --- set-up ------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: ## Install what is missing: system packages, CMake, ONNX Runtime
	@scripts/setup/run

.PHONY: setup-cuda
setup-cuda: ## Fetch ONNX Runtime with CUDA, too, into .native/onnxruntime-gpu
	@scripts/setup/run cuda

# --- build and run -----------------------------------------------------------------------------------------------

.PHONY: build
build: setup ## Build sdd-server and drift-index into target/release
	cargo build $(CARGO_FLAGS) --bins

# The server alone: a newcomer waits for nothing else. The same units as of the whole, so that nothing is built twice.
.PHONY: build-server
build-server: setup
	cargo build $(CARGO_FLAGS) --bin sdd-server

.PHONY: serve
serve: build-server ## Serve the shipped model on http://127.0.0.1:8000 (SDD_PORT=9000, ARGS="--help", ...)
	SDD_ONNXRUNTIME="$${SDD_ONNXRUNTIME:-$(CURDIR)/.native/onnxruntime/libonnxruntime.so}" \
	OMP_WAIT_POLICY="$${OMP_WAIT_POLICY:-PASSIVE}" \
	exec "$(BIN)/sdd-server" $(ARGS)

# All but the one that needs a Python service beside it and the one that verifies instead of timing.
BENCHES := $(filter-out serve verify_drift,$(basename $(notdir $(wildcard benches/benches/*.rs))))

.PHONY: bench
bench: setup ## Run the benchmarks (BENCH=name for one)
	cargo bench --workspace --locked $(addprefix --bench ,$(or $(BENCH),$(BENCHES)))

.PHONY: bench-serve
bench-serve: build ## Compare with FastAPI, 12 minutes on idle cores (MODE=memory, IMAGES=folder, ARGS="--dry-run")
	@scripts/setup/run peer
	cargo bench --workspace --locked --bench serve -- $(if $(MODE),--mode $(MODE)) \
		$(if $(IMAGES),--images "$(abspath $(IMAGES))") $(ARGS)

.PHONY: verify-drift
verify-drift: setup ## Rerun the simulations behind docs/drift-figures.md (ARGS="--figure 3 --dry-run")
	cargo bench --workspace --locked --bench verify_drift -- $(ARGS)

# Before the build, which takes minutes.
.PHONY: train-data
train-data:
	@test -n "$(DATA)" || { echo "usage: make train DATA=path/to/KolektorSDD [RUN=folder]; see scripts/train/README.md"; exit 2; }
	@test -d "$(DATA)" || { echo "make train: $(DATA) is not a folder"; exit 2; }

.PHONY: train
train: train-data build ## Train, measure, export and index a model (DATA=KolektorSDD RUN=folder SEEDS="7 8" TRAIN_OPTIONS=...)
	scripts/train/run "$(DATA)" "$(or $(RUN),run)" "$(BIN)/drift-index"

# --- checks ------------------------------------------------------------------------------------------------------

.PHONY: test
test: fmt-check deny lint doc test-python test-rust ## Run every check: format, dependencies, lints, docs, Python comparisons, tests

.PHONY: fmt
fmt: setup ## Format the code
	cargo fmt --all

.PHONY: fmt-check
fmt-check: setup
	cargo fmt --all --check

.PHONY: lint
lint: setup ## Run clippy, warnings being errors
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

.PHONY: doc
doc: setup ## Build the API documentation, warnings being errors
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

.PHONY: test-rust
test-rust: setup ## Run the Rust tests, doctests included; with Chromium (CHROMIUM names one) and PostgreSQL
	@scripts/setup/run browser postgres
	cargo test $(CARGO_FLAGS)

.PHONY: test-python
test-python: build ## Compare the real programs with Pillow, ONNX Runtime and FAISS in Python
	@scripts/setup/run tests
	.native/python/bin/python -B -m pytest -p no:cacheprovider scripts/tests
	.native/python/bin/python -B -m pytest -p no:cacheprovider scripts/train/tests

.PHONY: deny
deny: setup ## Check licenses, bans and sources of the dependencies
	@scripts/setup/run deny
	.native/cargo/bin/cargo-deny --log-level error check bans licenses sources

.PHONY: fuzz
fuzz: setup ## Fuzz what strangers send and files hold, MINUTES each (default 1); TARGET=name for one
	@scripts/setup/run fuzz
	scripts/fuzz "$(or $(MINUTES),1)" $(TARGET)

# --- ship --------------------------------------------------------------------------------------------------------

.PHONY: docker-build
docker-build: ## Build the container image sdd-server (CONTAINER=podman for another engine)
	$(CONTAINER) build -f docker/Dockerfile -t sdd-server .

.PHONY: clean
clean: ## Remove everything that was built or fetched
	rm -rf "$(or $(CARGO_TARGET_DIR),target)" .native
