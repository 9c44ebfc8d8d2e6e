# mq: the dependency map. One line per library, program and test layer.
#   make              libmq and the tools, into bin/
#   make check        every test of every commit; installs or names the packages it needs
#   make unit lint    one layer of it; the others: share/doc/testing.md, t/run -h
#   make fuzz soak bench interop fresh      the long ones, before a release
#   make install      DESTDIR and PREFIX as usual; make uninstall, make clean
# V: SAN=address,undefined builds with sanitizers, WERROR=1 makes warnings fatal,
# JOBS=N sets how much runs at once; CC, OPT, CPPFLAGS, CFLAGS, LDFLAGS are yours.

PREFIX   ?= /usr/local
BUILD    ?= build/$(if $(SAN),san,$(if $(WERROR),check,out))
BIN      ?= $(if $(SAN),$(BUILD)/bin,bin)
JOBS     ?= $(shell nproc)
CC       ?= cc
OPT      ?= -O2 -g
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib -Isrc -I$(BUILD)/gen
CFLAGS   += -std=gnu11 $(OPT) $(WARN) $(if $(WERROR),-Werror) -pthread \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS  += -Wl,--as-needed -pthread $(if $(SAN),-fsanitize=$(SAN))
LDLIBS   += -lev -lz -llz4 -lzstd -ljansson -lbsd -ldl

# What there is. Sources are found by name, so a new file needs no line here.
sources   = $(wildcard $(addsuffix /*.c,$(1)))
objects   = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))
programs  = $(patsubst %.c,$(BUILD)/%,$(call sources,$(1)))
SCHEMAS  := $(sort $(wildcard lib/wire/schema/*/*.txt))
GENERATED := $(BUILD)/gen/wire_gen.c $(BUILD)/gen/wire_test_gen.c
LIBMQ    := $(call objects,lib/base lib/os lib/wire lib/log lib/store lib/client lib/cli) \
            $(BUILD)/gen/wire_gen.o
LIBMQD   := $(call objects,src/mqd src/mqd/net src/mqd/api src/mqd/replica src/mqd/cluster \
            src/mqd/groups src/mqd/ops)
LIBTEST  := $(call objects,t/lib t/sim)
TOOLS    := $(patsubst src/%.c,$(BIN)/%,$(wildcard src/mq-*.c src/mqd.c)) # one program, by its names
UNIT     := $(call programs,t/unit)
FAULT    := $(call programs,t/fault)
FUZZ     := $(call programs,t/fuzz)
BENCH    := $(call programs,t/bench)
IMAGE    := $(call programs,t/fault/image)
SHIMS    := $(if $(SAN),,$(patsubst %.c,$(BUILD)/%.so,$(wildcard t/fault/shim/*.c)))
REPLAY   := $(if $(FUZZER),,$(call objects,t/fuzz/replay))
# What t/lib/fuzz_wrap.c puts itself before.
WRAPPED  := malloc calloc realloc reallocarray strdup strndup realpath write

all: $(TOOLS)

# Libraries and programs.
$(BUILD)/libmq.a:     $(LIBMQ)
$(BUILD)/libmqd.a:    $(LIBMQD)
$(BUILD)/libtest.a:   $(LIBTEST)
$(BUILD)/mq-tools:    $(call objects,src) $(BUILD)/libmqd.a $(BUILD)/libmq.a
$(TOOLS):             $(BUILD)/mq-tools
	@mkdir -p $(@D)
	@ln -f $< $@ 2>/dev/null || cp -f $< $@
$(UNIT):  %:          %.o $(BUILD)/libtest.a $(BUILD)/libmqd.a $(BUILD)/libmq.a
$(FAULT): %:          %.o $(BUILD)/libtest.a $(BUILD)/libmq.a
$(FUZZ):  %:          %.o $(REPLAY) $(BUILD)/libtest.a $(BUILD)/libmqd.a $(BUILD)/libmq.a
$(BENCH): %:          %.o $(BUILD)/libmqd.a $(BUILD)/libmq.a
$(IMAGE): %:          %.o $(BUILD)/libmq.a
tests:                $(UNIT) $(FAULT) $(FUZZ) $(BENCH) $(IMAGE) $(SHIMS)
fuzzers:              $(FUZZ)

# Test layers.
unit: $(UNIT)
	t/run unit@$(BUILD)
lint:
	+$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 all tests
	t/run lint
check: deps
	+$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 all tests
	+$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 SAN=address,undefined all tests
	t/run -j $(JOBS) interop clients@build/san lint project unit@build/check fault@build/check \
	    bats@build/check bats-mqd@build/check unit@build/san fault@build/san fuzz@build/san \
	    bats@build/san bats-mqd@build/san
interop: deps all
	t/run -j $(JOBS) interop clients interop-full
fuzz: deps
	t/run -t 0 -v fuzzing
soak: deps all $(SHIMS) $(IMAGE)
	t/run -t 0 soak
bench: all $(BENCH)
	t/run -t 0 -v -j 1 bench
fresh:
	t/run -t 0 -v fresh
deps:
	@sh share/deps/ensure build check

# Messages: a host program turns the schemas into structs and field tables.
HOSTCC   ?= cc
$(BUILD)/wire-gen: $(wildcard lib/wire/gen/*.[ch])
	@mkdir -p $(@D)
	$(HOSTCC) -D_GNU_SOURCE -std=gnu11 -O1 -g $(WARN) $(if $(WERROR),-Werror) -o $@ $(filter %.c,$^)
$(BUILD)/gen/wire_gen.c: $(SCHEMAS)
$(BUILD)/gen/wire_test_gen.c: $(wildcard t/unit/wire_schema/*.txt)
$(GENERATED): $(BUILD)/gen/%_gen.c: $(BUILD)/wire-gen # and the header beside it
	@mkdir -p $(@D)
	$(BUILD)/wire-gen $* $(@D) $(filter %.txt,$^)
$(BUILD)/t/unit/wire_schemas $(BUILD)/t/unit/wire_language: $(BUILD)/gen/wire_test_gen.o

# How each kind of thing is made. A change of flags makes everything anew.
$(BUILD)/%.o: %.c $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/t/%.o: private CPPFLAGS += -It -It/unit
$(SHIMS): $(BUILD)/%.so: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -fPIC -shared -o $@ $<
%.a:
	@mkdir -p $(@D); rm -f $@
	ar rcs $@ $^
$(filter %/mqd_logs_nomem %/mqd_nomem %/mqd_nomem_life,$(UNIT)): private override LDFLAGS += $(WRAPPED:%=-Wl,--wrap=%)
$(FUZZ): private override LDFLAGS += $(if $(FUZZER),-fsanitize=fuzzer) $(WRAPPED:%=-Wl,--wrap=%)
$(BUILD)/mq-tools $(UNIT) $(FAULT) $(FUZZ) $(BENCH) $(IMAGE):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS)' >$@

# What a package or a person puts where; uninstall removes the same names.
bindir   := $(PREFIX)/bin
mandir   := $(PREFIX)/share/man
docdir   := $(PREFIX)/share/doc/mq
bashdir  := $(PREFIX)/share/bash-completion/completions
zshdir   := $(PREFIX)/share/zsh/site-functions
fishdir  := $(PREFIX)/share/fish/vendor_completions.d
datadir  := $(PREFIX)/share/mq
unitdir  := $(PREFIX)/lib/systemd/system
section   = $(subst .,,$(suffix $(1)))
INSTALL  := $(foreach f,$(firstword $(TOOLS)) $(wildcard bin/mq),755:$(f):$(bindir)) \
            $(foreach f,$(wildcard share/man/*.[1-8]),644:$(f):$(mandir)/man$(call section,$(f))) \
            $(foreach f,README.md LICENSE $(wildcard share/doc/*.md),644:$(f):$(docdir)) \
            $(foreach f,$(wildcard completions/bash/*),644:$(f):$(bashdir)) \
            $(foreach f,$(wildcard completions/zsh/_*),644:$(f):$(zshdir)) \
            $(foreach f,$(wildcard completions/fish/*.fish),644:$(f):$(fishdir)) \
            644:share/mqd.conf:$(datadir) 644:share/systemd/mqd.service:$(unitdir) \
            644:share/systemd/sysusers/mq.conf:$(PREFIX)/lib/sysusers.d \
            644:share/systemd/tmpfiles/mq.conf:$(PREFIX)/lib/tmpfiles.d
install: all
	@set -e; for i in $(INSTALL); do m=$${i%%:*} f=$${i#*:}; d=$(DESTDIR)$${f#*:} f=$${f%%:*}; \
	    echo "$$d/$${f##*/}"; install -d "$$d"; install -m "$$m" "$$f" "$$d"; done
	@sed -i 's,share/doc/,,g' $(DESTDIR)$(docdir)/README.md # its links, to what lies beside it there
	@sed -i 's,@bindir@,$(bindir),' $(DESTDIR)$(unitdir)/mqd.service
	@sed -i 's,@datadir@,$(datadir),' $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/mq.conf
	@set -e; for t in $(notdir $(wordlist 2,99,$(TOOLS))); do d=$(DESTDIR)$(bindir); \
	    echo "$$d/$$t"; ln -f "$$d/$(notdir $(firstword $(TOOLS)))" "$$d/$$t"; done
uninstall:
	@for i in $(INSTALL); do f=$${i#*:}; d=$(DESTDIR)$${f#*:} f=$${f%%:*}; rm -f "$$d/$${f##*/}"; done
	@rm -f $(addprefix $(DESTDIR)$(bindir)/,$(notdir $(TOOLS)))
	-@rmdir $(DESTDIR)$(docdir) 2>/dev/null || :
clean:
	rm -rf build $(TOOLS)

.PHONY: all tests fuzzers unit lint check interop fuzz soak bench fresh deps install uninstall clean FORCE
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
