# SPDX-License-Identifier: Apache-2.0
#
# pydumpd. "make demo" and "make check" are all that a new user needs;
# "make help" lists the rest.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
# Out-of-tree objects: make O=DIR
O ?= build

CC ?= cc
CLANG ?= clang
# The C library of msgpack changed its pkg-config name in version 6.
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && \
	echo msgpack-c || echo msgpack)
PKGS := $(MSGPACK) libzstd liblz4 liblzma zlib libelf libdw \
	libunwind-generic json-c libpcre2-8 libseccomp
WARN := -Wall -Wextra -Wshadow -Wconversion -Werror
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARN) -pthread
override CPPFLAGS += -D_GNU_SOURCE -DPYD_VERSION='"$(VERSION)"' \
	-Iinclude -Isrc -I$(O) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# Demangling, which has no pkg-config file: binutils-dev or libiberty-dev.
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -liberty -lm -pthread

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

LIB_SRCS := $(sort $(wildcard src/base/*.c src/target/*.c src/native/*.c \
	src/layout/*.c src/read/*.c src/runtime/*.c src/secrets/*.c \
	src/walk/*.c src/dump/*.c src/watch/*.c))
CMD_SRCS := $(sort $(wildcard src/cmd/*.c))
UNIT_SRCS := $(sort $(wildcard tests/unit/*.c))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
TABLES := $(sort $(wildcard offsets/*.offsets))
TYPES := $(sort $(wildcard offsets/types/*.types))
LIB_OBJS := $(LIB_SRCS:%.c=$(O)/%.o) $(O)/tables.o $(O)/types.o \
	$(O)/redact-conf.o
CMD_OBJS := $(CMD_SRCS:%.c=$(O)/%.o)
UNIT_OBJS := $(UNIT_SRCS:%.c=$(O)/%.o)
# A header that stands beside the fuzz targets makes no program.
FUZZ_BINS := $(FUZZ_SRCS:tests/fuzz/%.c=$(O)/%)

# Small programs that tests drive.
TEST_TOOLS := $(patsubst tests/tools/%.c,$(O)/%,$(sort \
	$(wildcard tests/tools/*.c)))

DEPS := tools/deps.sh
VENV := $(O)/venv
PY := $(VENV)/bin/python
JOBS := $(shell nproc 2>/dev/null || echo 2)
# Anything but a dash option: "make check TESTS=tests/e2e/test_truth.py"
TESTS ?=
PYTEST ?=
FUZZ_TIME ?= 20
SAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer

.PHONY: all unit test-tools demo check types deps interpreters install uninstall lint asan \
	fuzz fuzz-bins bench bench-quick clean help FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

all: $(O)/pydumpd

help:
	@echo 'make demo           dump a hanging program and look at it'
	@echo 'make check          everything that is needed, then all tests'
	@echo 'make                build $(O)/pydumpd (O=DIR: elsewhere; V=1)'
	@echo 'make deps           install packages that are missing'
	@echo 'make interpreters   get further Python versions to test with'
	@echo 'make install        PREFIX=$(PREFIX) DESTDIR=; also uninstall'
	@echo 'make types          write doc/TYPES.md from what is seen'
	@echo 'make lint asan fuzz bench bench-quick clean'

# -- objects ---------------------------------------------------------------

# Changes when the compiler or its flags do, so that no object stays behind.
BUILT_WITH := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(O)/.flags: FORCE
	@mkdir -p $(O)
	@printf '%s\n' '$(subst ','\'',$(BUILT_WITH))' | \
		cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(BUILT_WITH))' >$@

$(O)/pydumpd: $(CMD_OBJS) $(O)/libpydumpd.a | $(O)/loader
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CMD_OBJS) $(O)/libpydumpd.a \
		$(LDLIBS)

# "pydumpd load" finds the Python package beside the binary.
$(O)/loader:
	$(Q)mkdir -p $(O) && ln -sfn '$(CURDIR)/tools/loader' $@

$(O)/libpydumpd.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJS)

unit: $(O)/unit
$(O)/unit: $(UNIT_OBJS) $(O)/libpydumpd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(UNIT_OBJS) $(O)/libpydumpd.a \
		$(LDLIBS) -lcriterion

# The tables and the descriptions of types, as C.
$(O)/.texts: FORCE
	@mkdir -p $(O)
	@echo '$(TABLES) $(TYPES)' | cmp -s - $@ || \
		echo '$(TABLES) $(TYPES)' >$@
$(O)/tables.c: $(TABLES) tools/offsets/embed.sh $(O)/.texts
	$(call say,GEN,$@)
	$(Q)tools/offsets/embed.sh table $(TABLES) >$@
$(O)/types.c: $(TYPES) tools/offsets/embed.sh $(O)/.texts
	$(call say,GEN,$@)
	$(Q)tools/offsets/embed.sh type $(TYPES) >$@
$(O)/tables.o $(O)/types.o: $(O)/%.o: $(O)/%.c $(O)/.flags
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The rules about secrets, as C.
$(O)/redact-conf.c: src/secrets/redact.conf tools/embed-text.sh
	$(call say,GEN,$@)
	$(Q)mkdir -p $(O)
	$(Q)tools/embed-text.sh $< pyd_rules_builtin secrets/rules.h >$@
$(O)/redact-conf.o: $(O)/redact-conf.c $(O)/.flags
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

test-tools: $(TEST_TOOLS)
$(TEST_TOOLS): $(O)/%: $(O)/tests/tools/%.o $(O)/libpydumpd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(O)/%.o: %.c $(O)/.flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Loops over columns: as vectors.
$(O)/src/dump/column.o: override CFLAGS += -O3

# -- set-up ----------------------------------------------------------------

deps:
	$(Q)$(DEPS) $(O) all

interpreters:
	$(Q)$(DEPS) $(O) check
	$(Q)tools/interpreters.sh

# -- showing and testing ---------------------------------------------------

demo:
	$(Q)$(DEPS) $(O) build
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)tools/demo/demo.sh $(O)

check:
	$(Q)$(DEPS) $(O) check
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all unit test-tools
	$(Q)tests/run.sh $(O) $(TESTS) -- $(PYTEST)

# doc/TYPES.md, as every interpreter here has it.
types:
	$(Q)$(DEPS) $(O) check
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)PYDUMPD_UPDATE=1 PYDUMPD_BUILD=$(O) $(PY) -m pytest -q \
		-p no:cacheprovider tests/e2e/test_catalogue.py

lint:
	$(Q)$(DEPS) $(O) lint
	$(Q)tools/lint/lint.sh $(O)

# Sanitizers make gcc see what is not there: warnings are no errors here.
# The address sanitizer does not live with ptrace'd children of its own leak
# checker; everything else of it stays on.
asan:
	$(Q)$(DEPS) $(O) check
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) O=$(O)/asan \
		CFLAGS='$(SAN)' WARN='$(WARN) -Wno-error' all unit test-tools
	$(Q)tests/asan.sh $(O)

fuzz-bins: $(FUZZ_BINS)
$(O)/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/libpydumpd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

fuzz:
	$(Q)$(DEPS) $(O) lint
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) O=$(O)/fuzz CC=$(CLANG) \
		CFLAGS='$(SAN) -fsanitize=fuzzer-no-link' fuzz-bins
	$(Q)tests/fuzz.sh $(O) $(FUZZ_TIME)

bench bench-quick:
	$(Q)$(DEPS) $(O) check
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all test-tools
	$(Q)$(PY) tests/bench/run.py --pydumpd $(O)/pydumpd \
		$(if $(filter %-quick,$@),--quick) $(BENCH)

# -- installing ------------------------------------------------------------

LIBDIR := $(DESTDIR)$(PREFIX)/lib
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(LIBDIR)/pydumpd/pydumpd \
		$(DESTDIR)$(PREFIX)/include/pydumpd \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(LIBDIR)/systemd/system
	install -m 755 $(O)/pydumpd $(DESTDIR)$(PREFIX)/bin/pydumpd
	install -m 644 $(O)/libpydumpd.a $(LIBDIR)/libpydumpd.a
	install -m 644 include/pydumpd/*.h $(DESTDIR)$(PREFIX)/include/pydumpd/
	install -m 644 doc/pydumpd.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	sed 's|@BINDIR@|$(PREFIX)/bin|' tools/systemd/pydumpd-handler.service \
		>$(LIBDIR)/systemd/system/pydumpd-handler.service
	cd tools/loader && find pydumpd -name '*.py' -o -name py.typed | \
		while read -r f; do \
			install -D -m 644 "$$f" '$(abspath $(LIBDIR))/pydumpd/'"$$f"; \
		done
	@# Whoever may not write there would compile the loader at each start.
	-python3 -m compileall -q -d '$(PREFIX)/lib/pydumpd/pydumpd' \
		'$(LIBDIR)/pydumpd/pydumpd'

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/pydumpd $(LIBDIR)/libpydumpd.a \
		$(DESTDIR)$(PREFIX)/share/man/man1/pydumpd.1 \
		$(LIBDIR)/systemd/system/pydumpd-handler.service
	rm -rf $(DESTDIR)$(PREFIX)/include/pydumpd $(LIBDIR)/pydumpd

clean:
	rm -rf $(O)

-include $(LIB_OBJS:.o=.d) $(CMD_OBJS:.o=.d) $(UNIT_OBJS:.o=.d)
-include $(FUZZ_SRCS:%.c=$(O)/%.d)
-include $(TEST_TOOLS:$(O)/%=$(O)/tests/tools/%.d)
