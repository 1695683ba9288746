# SPDX-License-Identifier: Apache-2.0
# The front door: each target does everything that it needs, dependencies included. meson and ninja do the work.

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
LANES ?=
BENCH_PULL ?=
SETUP = meson setup --prefix=$(PREFIX)

all: deps-build
	@[ -f $(BUILD)/build.ninja ] || $(SETUP) $(BUILD)
	@ninja -j$(JOBS) -C $(BUILD)

# A real image, as an ordinary user, behind all walls; tells what it does.
demo: deps-build deps-run deps-demo all
	@demo/run.sh $(BUILD)

# All tests, as root (when make is) and as an ordinary user; ends with "N passed, N failed, N skipped".
check: deps-build deps-run deps-test all
	@tests/run.sh $(BUILD)

# The tests that take another kernel (cgroup v2 alone, AppArmor, SELinux, Linux 6.1), in QEMU; as root.
check-vm: deps-build deps-run deps-test deps-vm all
	@tests/vm/run.sh $(BUILD)

install: all
	@meson configure $(BUILD) --prefix=$(PREFIX) >/dev/null
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

# make install with another prefix and a DESTDIR, and what stands there then.
check-install: deps-build deps-run deps-test
	@$(MAKE) --no-print-directory install BUILD=$(BUILD)-usr PREFIX=/usr DESTDIR=$(abspath $(BUILD)-usr/stage) >/dev/null
	@[ -x $(BUILD)-usr/stage/usr/bin/brig ]
	@tests/run.sh --only install $(BUILD)-usr

# Beside the engines that are installed; BENCH_PULL=--large: with a pull of 1 GB as well.
bench: deps-build deps-run deps-bench all
	@tests/bench/run.py $(BUILD); a=$$?; tests/bench/oci.py $(BUILD) || a=1; \
		tests/bench/pull.py $(BENCH_PULL) $(BUILD) && exit $$a

# brig vet against clean images and poisoned twins of them; writes docs/vet-quality.md. DESKTOP=--desktop: a desktop as well.
vet-quality: deps-build deps-run deps-test all
	@tests/vet/quality $(BUILD)/programs/brig --long $(DESKTOP) --write docs/vet-quality.md

# The attack probes alone, with their positive controls.
attack: deps-build deps-run deps-test all
	@tests/run.sh --only attacks $(BUILD)

lint: deps-build deps-lint
	@tests/lint.sh

# Unit tests and a selection of the others under AddressSanitizer and UndefinedBehaviorSanitizer; LANES=--user for one lane.
sanitize: deps-build deps-run deps-test
	@[ -f $(BUILD)-asan/build.ninja ] || $(SETUP) -Db_sanitize=address,undefined -Dbuildtype=debugoptimized $(BUILD)-asan
	@ninja -j$(JOBS) -C $(BUILD)-asan
	@tests/run.sh --sanitize $(LANES) $(BUILD)-asan

# Each target for FUZZ_SECONDS; fails when nothing is covered or a planted bug is not found.
fuzz: deps-build deps-fuzz
	@[ -f $(BUILD)-fuzz/build.ninja ] || CC=clang $(SETUP) -Dfuzz=true -Db_sanitize=address,undefined \
		-Dc_args=-fsanitize=fuzzer-no-link $(BUILD)-fuzz
	@ninja -j$(JOBS) -C $(BUILD)-fuzz fuzz-targets
	@tests/fuzz/run.sh $(abspath $(BUILD)-fuzz) $(FUZZ_SECONDS)

# Installs missing Debian packages when root, says the command when not.
deps: deps-build deps-run deps-test deps-demo deps-lint deps-fuzz deps-bench
deps-%:
	@.ci/deps $*

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz $(BUILD)-clang $(BUILD)-usr

DESKTOP ?=

.PHONY: all demo check check-install check-vm install bench vet-quality attack lint sanitize fuzz deps clean
