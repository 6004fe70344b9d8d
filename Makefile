# Everything starts here. `make test` is what the continuous integration runs; `make demo` is the shortest way to a picture.
# Each command installs what it lacks first (deploy/setup.sh), so a clean clone needs Rust and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
ARGS ?=
# One profile for all of it: a second one would compile Pingora twice.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
FOREBAY := $(CARGO_TARGET_DIR)/debug/forebay
TEST_LOG := $(CARGO_TARGET_DIR)/test.log
FUZZ_SECONDS ?= 60
# Properties are looked at with the same inputs in every run, so that a change is judged by what it changed; `proof` looks
# at many others, and at fifty times as many random live shows (FOREBAY_SHOWS).
export PROPTEST_RNG_SEED ?= 1
FUZZ_TARGETS = $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

# step TITLE COMMAND: says how long it took, so that a slow step is seen in every log.
define step
	@echo "== $(1)"; start=$$SECONDS; $(2); echo "== $(1): $$((SECONDS - start)) s"
endef

# The log is long; its last lines say what went wrong.
failures = { echo "== failed:"; grep -E '^test .* FAILED$$|^error' $(TEST_LOG); exit 1; }

.PHONY: help setup demo test proof bench fmt fmt-check lint deny build tests doc stories fuzz clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing for everything
	@deploy/setup.sh test

demo: ## transcode a clip, serve it signed, print the address of a page that plays it (ARGS='--input FILE')
	@deploy/setup.sh demo
	$(CARGO) run --locked -p forebay-origin --bin forebay -- demo $(ARGS)

test: setup fmt-check lint deny build tests doc ## everything that must hold before a change goes in
	@awk '/^test result/ { passed += $$4; failed += $$6; ignored += $$8 } \
		END { printf "forebay: all good: %d tests passed, %d failed, %d ignored\n", passed, failed, ignored }' $(TEST_LOG)

fmt: ## format the code
	@$(CARGO) fmt --all

fmt-check:
	$(call step,format,$(CARGO) fmt --all -- --check)

lint: ## clippy on everything, and the library as an embedder compiles it
	$(call step,clippy,$(CARGO) clippy --locked --workspace --all-targets -- -D warnings)
	$(call step,library without Pingora,$(CARGO) check --locked -p forebay-origin --lib --no-default-features --features tower)

deny: ## licences, bans and sources of the dependencies
	$(call step,cargo deny,$(CURDIR)/.setup/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans sources)

# One invocation for binary, examples and test binaries, so that they share one set of compiled dependencies.
build:
	$(call step,build,$(CARGO) build --locked --workspace --all-targets)

tests: ## unit tests, properties, goldens, fuzz corpora, the end-to-end stories and the layering test
	$(call step,tests,FOREBAY_BIN=$(FOREBAY) $(CARGO) test --locked --workspace --all-targets --no-fail-fast 2>&1 | tee $(TEST_LOG) || $(failures))

doc:
	$(call step,documentation tests,$(CARGO) test --locked --workspace --doc --no-fail-fast 2>&1 | tee -a $(TEST_LOG) || $(failures))

stories: build ## the end-to-end stories alone (ARGS='gate' for one of them)
	$(call step,stories,FOREBAY_BIN=$(FOREBAY) $(CARGO) test --locked --workspace --test stories -- $(ARGS))

proof: setup build ## the long runs: minutes to hours, not part of `test`
	$(call step,properties,PROPTEST_RNG_SEED= PROPTEST_CASES=3000 FOREBAY_SHOWS=50 $(CARGO) test --locked -p forebay-authz -p forebay-packager -p forebay-transcoder --no-fail-fast)
	$(call step,long stories,FOREBAY_BIN=$(FOREBAY) FOREBAY_MUTATIONS=10000 $(CARGO) test --locked --workspace --test stories --no-fail-fast -- --include-ignored)
	@$(MAKE) bench

bench: ## speed and memory beside peers in the same run; writes bench/RESULTS.md
	@$(MAKE) -C bench

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	@deploy/setup.sh fuzz
	for target in $(FUZZ_TARGETS); do
		echo "== $$target"
		mkdir -p "fuzz/corpus/$$target"
		first=$$(ls -d authz/tests/corpus/$$target packager/tests/corpus/$$target transcoder/tests/corpus/$$target 2>/dev/null || true)
		[ "$$target" = mp4 ] && first="$$first packager/tests/fixtures"
		[ "$$target" = live ] && first="$$first packager/tests/fixtures/live"
		env -u CARGO_TARGET_DIR RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/.setup/bin:$$PATH" $(CARGO) fuzz run --fuzz-dir fuzz \
			"$$target" "fuzz/corpus/$$target" $$first -- -max_total_time=$(FUZZ_SECONDS)
	done

clean: ## what was built; what was installed stays (remove .setup/ for that)
	@$(CARGO) clean
	rm -rf fuzz/target fuzz/artifacts bench/work
