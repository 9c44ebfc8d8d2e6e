# mq: the dependency map. One line per library, program and test layer.
#   make            build libmq and the tools into bin/
#   make unit       the unit tests
# V: BUILD names the build directory, SAN=address,undefined a sanitized build,
# WERROR=1 makes warnings fatal.

PREFIX   ?= /usr/local
BUILD    ?= build/$(if $(SAN),san,out)
BIN      ?= $(if $(SAN),$(BUILD)/bin,bin)
CC       ?= cc
OPT      ?= -O2 -g
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 \
            -Wno-gnu-zero-variadic-macro-arguments
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib -I$(BUILD)/gen -It/unit
CFLAGS   += -std=gnu11 $(OPT) $(WARN) $(if $(WERROR),-Werror) -MMD -MP -pthread \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS  += -pthread $(if $(SAN),-fsanitize=$(SAN))
LDLIBS   += -lev -lz -llz4 -lzstd -ljansson -lbsd

LIBS     := base os wire log store client cli
LIBSRC   := $(wildcard $(foreach l,$(LIBS),lib/$(l)/*.c))
LIBOBJ   := $(LIBSRC:%.c=$(BUILD)/%.o)
TOOLSRC  := $(wildcard src/mq-*.c)
TOOLS    := $(TOOLSRC:src/%.c=$(BIN)/%)
UNITSRC  := $(wildcard t/unit/*.c)
UNITS    := $(UNITSRC:t/unit/%.c=$(BUILD)/t/unit/%)

all: $(TOOLS)

$(BUILD)/libmq.a: $(LIBOBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BIN)/%: $(BUILD)/src/%.o $(BUILD)/libmq.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/t/unit/%: $(BUILD)/t/unit/%.o $(BUILD)/libmq.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(UNITS)
	@for u in $(UNITS); do echo "# $$u"; $$u || exit 1; done

clean:
	rm -rf build bin/mq-*

.PHONY: all unit clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
