# SPDX-License-Identifier: Apache-2.0
#
# pydumpd. "make demo" and "make check" are all that a new user needs.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
# Out-of-tree objects: make O=DIR
O ?= build

CC ?= cc
CLANG ?= clang
PKGS := msgpack libzstd libelf libdw libunwind-generic json-c
WARN := -Wall -Wextra -Wshadow -Wconversion -Werror
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARN) -pthread
override CPPFLAGS += -D_GNU_SOURCE -DPYD_VERSION='"$(VERSION)"' \
	-Iinclude -Isrc -I$(O) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -pthread

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

LIB_SRCS := $(sort $(wildcard src/base/*.c src/target/*.c src/native/*.c \
	src/layout/*.c src/read/*.c src/runtime/*.c src/walk/*.c src/dump/*.c))
CMD_SRCS := $(sort $(wildcard src/cmd/*.c))
UNIT_SRCS := $(sort $(wildcard tests/unit/*.c))
LIB_OBJS := $(LIB_SRCS:%.c=$(O)/%.o)
CMD_OBJS := $(CMD_SRCS:%.c=$(O)/%.o)
UNIT_OBJS := $(UNIT_SRCS:%.c=$(O)/%.o)

.PHONY: all clean
.DELETE_ON_ERROR:

all: $(O)/pydumpd

$(O)/pydumpd: $(CMD_OBJS) $(O)/libpydumpd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(O)/libpydumpd.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/unit: $(UNIT_OBJS) $(O)/libpydumpd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion

$(O)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(O)

-include $(LIB_OBJS:.o=.d) $(CMD_OBJS:.o=.d) $(UNIT_OBJS:.o=.d)
