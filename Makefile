# Seedbed. `make help` lists what there is to make.

VARIANT ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
OUT := build/$(VARIANT)

# ------------------------------------------------------------------------------------------- flags

OPTIMISE_release := -O3
OPTIMISE_debug := -O0
OPTIMISE_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPTIMISE_msan := -O1 -fsanitize=memory
OPTIMISE_coverage := -O0 --coverage
OPTIMISE_aarch64 := -O3
OPTIMISE := $(OPTIMISE_$(VARIANT))
ifeq ($(VARIANT),msan)
CC := clang
endif
# Another processor, for the determinism matrix: static, so that qemu-aarch64 runs it as it is.
ifeq ($(VARIANT),aarch64)
CC := aarch64-linux-gnu-gcc
endif

HAVE_LIBDW := $(shell printf '\#include <elfutils/libdwfl.h>\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
ifneq ($(filter msan aarch64,$(VARIANT)),)
HAVE_LIBDW :=
endif
ifeq ($(HAVE_LIBDW),yes)
DW_FLAGS := -DSB_HAVE_LIBDW
DW_LIBS := -ldw -lelf
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion
BASE_FLAGS := -std=gnu11 -g -fno-omit-frame-pointer -I. -MMD -MP $(WARNINGS) $(OPTIMISE) $(DW_FLAGS) \
	-ffile-prefix-map=$(CURDIR)=.
# The engine's code must crash where it would crash, show the frames it went through, and never read what it has not written.
ENGINE_FLAGS := -fno-delete-null-pointer-checks -fno-optimize-sibling-calls -ftrivial-auto-var-init=pattern
ifeq ($(VARIANT),asan)
# A nil dereference is a finding of ours, by its signal, in this variant too.
ENGINE_FLAGS += -fno-sanitize=null,nonnull-attribute
endif
LINK_FLAGS := $(OPTIMISE) -rdynamic

# The kernel's hot path crosses its rooms; gcc inlines it across them. The engine is left out: its frames stay its own.
AR := ar
ifeq ($(VARIANT)-$(notdir $(CC)),release-gcc)
SIM_FLAGS := -flto -fomit-frame-pointer
LINK_FLAGS += -flto=auto
AR := gcc-ar
endif
ifeq ($(VARIANT),aarch64)
AR := aarch64-linux-gnu-ar
LINK_FLAGS := $(OPTIMISE) -static
BASE_FLAGS += -idirafter /usr/include # xxhash.h is the same for every processor
endif

# ------------------------------------------------------------------------------------------ sources

SIM := $(sort $(wildcard sim/*/*.c)) sim/kernel/fiber.S
TRACES := $(sort $(wildcard traces/*.c))
ENGINE := $(sort $(wildcard engine/*.c engine/*/*.c))
NODES := $(sort $(filter-out nodes/main.c,$(wildcard nodes/*.c nodes/*/*.c)))

object = $(patsubst %.S,$(OUT)/%.asm.o,$(patsubst %.c,$(OUT)/%.o,$(1))) # fiber.c has its own fiber.o
# The library is linked once, into one object: with link-time optimisation every program would do it again.
LIBRARY := $(OUT)/libseedbed.a
ARCHIVES := $(OUT)/libnodes.a $(OUT)/libengine.a $(LIBRARY)

.PHONY: all
all: build/seedbed

# A link is as new as what it leads to: that it leads to another variant is no reason for make.
build/seedbed: $(OUT)/seedbed always
	@[ "$$(readlink $@)" = $(VARIANT)/seedbed ] || ln -sfn $(VARIANT)/seedbed $@

.PHONY: always
always:

$(OUT)/seedbed: $(OUT)/nodes/main.o $(ARCHIVES)
	$(CC) $(LINK_FLAGS) -o $@ $(OUT)/nodes/main.o $(ARCHIVES) $(DW_LIBS)

LIBRARY_OBJECTS := $(call object,$(SIM) $(TRACES))
RELOCATE := -r -nostdlib $(if $(findstring -flto,$(SIM_FLAGS)),-O3 -flto=auto -flinker-output=nolto-rel)

$(LIBRARY): $(LIBRARY_OBJECTS)
	@rm -f $@
	$(CC) $(RELOCATE) -o $(OUT)/libseedbed.o $(LIBRARY_OBJECTS)
	@ar rcs $@ $(OUT)/libseedbed.o

$(OUT)/libengine.a: $(call object,$(ENGINE))
$(OUT)/libnodes.a: $(call object,$(NODES))
$(OUT)/%.a:
	@rm -f $@
	@$(AR) rcs $@ $^

$(OUT)/engine/%.o: engine/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) $(ENGINE_FLAGS) -c -o $@ $<

$(OUT)/nodes/%.o: nodes/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) $(ENGINE_FLAGS) -c -o $@ $<

$(OUT)/sim/%.o: sim/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) $(SIM_FLAGS) -c -o $@ $<

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) -c -o $@ $<

$(OUT)/%.asm.o: %.S
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) -c -o $@ $<

# The build id is compiled into one object, which is made again when it changes.
BUILD_ID := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)$(shell git diff --quiet HEAD 2>/dev/null || echo -dirty)
$(shell mkdir -p $(OUT) && echo '$(BUILD_ID)' | cmp -s - $(OUT)/build-id || echo '$(BUILD_ID)' > $(OUT)/build-id)
$(OUT)/nodes/main.o: BASE_FLAGS += -DSEEDBED_BUILD='"$(BUILD_ID)"'
$(OUT)/nodes/main.o: $(OUT)/build-id

# ------------------------------------------------------------------------------------------- tests
#
# Every tests/test_*.c is a Check program of its own, every tests/test_*.sh a script that exits 0.

TEST_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/test_*.c)))
ENGINE_TESTS := $(filter $(OUT)/tests/test_engine% $(OUT)/tests/test_oracle%,$(TEST_PROGRAMS))
SIM_TESTS := $(filter-out $(ENGINE_TESTS),$(TEST_PROGRAMS))
TEST_SCRIPTS := $(sort $(wildcard tests/test_*.sh))
TEST_PARTS := $(OUT)/tests/parts.a
# Programs against the doors alone: a bench, digests and plants for the determinism checks, examples.
DOOR_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(filter-out tests/workload.c tests/bench_sorter.c tests/test_%, \
	$(wildcard tests/*.c tests/examples/*.c)))
ENGINE_PROGRAMS := $(OUT)/tests/bench_sorter

$(OUT)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) $(ENGINE_FLAGS) -c -o $@ $<

$(OUT)/tests/parts.a: $(OUT)/tests/workload.o

$(OUT)/tests/bench.o: ENGINE_FLAGS := # both sides of it as fast as they can be

$(SIM_TESTS): $(OUT)/tests/%: $(OUT)/tests/%.o $(TEST_PARTS) $(LIBRARY)
	$(CC) $(LINK_FLAGS) -o $@ $< $(TEST_PARTS) $(LIBRARY) $(DW_LIBS) $(CHECK_LIBS)

$(ENGINE_TESTS): $(OUT)/tests/%: $(OUT)/tests/%.o $(ARCHIVES)
	$(CC) $(LINK_FLAGS) -o $@ $< $(ARCHIVES) $(DW_LIBS) $(CHECK_LIBS)

$(ENGINE_PROGRAMS): $(OUT)/%: $(OUT)/%.o $(ARCHIVES)
	$(CC) $(LINK_FLAGS) -o $@ $< $(ARCHIVES) $(DW_LIBS)

$(DOOR_PROGRAMS): $(OUT)/%: $(OUT)/%.o $(TEST_PARTS) $(LIBRARY)
	$(CC) $(LINK_FLAGS) -o $@ $< $(TEST_PARTS) $(LIBRARY) $(DW_LIBS)

CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck -lsubunit -lrt -lm -lpthread)

.PHONY: suites programs
suites: $(TEST_PROGRAMS)
programs: $(DOOR_PROGRAMS) $(ENGINE_PROGRAMS)

# The two that start from a fresh machine install what is missing first, and then look again at what there is.
.PHONY: deps-run deps-check deps-all
deps-run:
	@tests/install_missing.sh run
deps-check:
	@tests/install_missing.sh check
deps-all:
	@tests/install_missing.sh all

# All processors, unless the user has said how many.
PARALLEL = $(if $(findstring j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: check check-here
check: deps-check
	@$(MAKE) --no-print-directory $(PARALLEL) check-here
check-here: all suites programs
	@tests/run_suites.sh $(TEST_PROGRAMS) -- $(TEST_SCRIPTS)

.PHONY: sweep
sweep: deps-run
	@$(MAKE) --no-print-directory $(PARALLEL) all
	build/seedbed sweep rolling-restart --seeds 1..1000

.PHONY: seeds
seeds: all
	@tests/kept_seeds.sh

.PHONY: bench
bench: $(OUT)/tests/bench $(OUT)/tests/bench_sorter
	$(OUT)/tests/bench
	$(OUT)/tests/bench_sorter

.PHONY: lint
lint: deps-all
	@tests/lint.sh

.PHONY: matrix
matrix: deps-all
	@tests/matrix.sh

# ----------------------------------------------------------------------------------------- install

DOORS := sim/node.h sim/world.h sim/tool.h sim/status.def sim/record/record.h sim/record/events.def \
	sim/fault/faults.def sim/fault/moments.def sim/fault/exhaust.def sim/fault/absences.def sim/chance/streams.def sim/verdict/kinds.def
VERSION := $(shell cat VERSION 2>/dev/null || echo 0.1)

.PHONY: install
install: all $(LIBRARY)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pkgconfig share/man/man1)
	install -m 755 $(OUT)/seedbed $(DESTDIR)$(PREFIX)/bin/seedbed
	install -m 644 $(LIBRARY) $(DESTDIR)$(PREFIX)/lib/libseedbed.a
	@for door in $(DOORS); do \
		install -D -m 644 $$door $(DESTDIR)$(PREFIX)/include/seedbed/$$door || exit 1; done
	@printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include/seedbed' 'libdir=$${prefix}/lib' '' \
		'Name: seedbed' 'Description: deterministic simulation testing for programs written in C' \
		'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lseedbed $(DW_LIBS)' \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/seedbed.pc
	@test ! -f docs/seedbed.1 || install -m 644 docs/seedbed.1 $(DESTDIR)$(PREFIX)/share/man/man1/seedbed.1

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf build

.PHONY: help
help:
	@printf '%-10s %s\n' \
		all 'build/seedbed (the default)' \
		sweep 'the main job: a thousand seeds of rolling-restart; installs what is missing' \
		check 'all tests; installs what is missing' \
		seeds 'replay every kept seed in seeds/' \
		bench 'the kernel beside a bare loop, the sorter beside sort' \
		matrix 'the same seeds under other compilers, levels, sanitizers, addresses, locales' \
		lint 'layers, symbols, statics, floats, format' \
		install 'command, library, headers, manual under DESTDIR and PREFIX ($(PREFIX))' \
		clean 'remove build/' \
		' ' ' ' \
		VARIANT= 'release (default), debug, asan, msan, coverage, aarch64 (static, for qemu-aarch64)' \
		CC= 'gcc (default), clang'
