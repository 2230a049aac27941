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
OPTIMISE := $(OPTIMISE_$(VARIANT))
ifeq ($(VARIANT),msan)
CC := clang
endif

HAVE_LIBDW := $(shell printf '\#include <elfutils/libdwfl.h>\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
ifeq ($(VARIANT),msan)
HAVE_LIBDW :=
endif
ifeq ($(HAVE_LIBDW),yes)
DW_FLAGS := -DSB_HAVE_LIBDW
DW_LIBS := -ldw -lelf
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion
BASE_FLAGS := -std=gnu11 -g -fno-omit-frame-pointer -I. -MMD -MP $(WARNINGS) $(OPTIMISE) $(DW_FLAGS) \
	-ffile-prefix-map=$(CURDIR)/=
# The engine's code must crash where it would crash, show the frames it went through, and never read what it has not written.
ENGINE_FLAGS := -fno-delete-null-pointer-checks -fno-optimize-sibling-calls -ftrivial-auto-var-init=pattern
LINK_FLAGS := $(OPTIMISE) -rdynamic

# The kernel's hot path crosses its rooms; gcc inlines it across them. The engine is left out: its frames stay its own.
AR := ar
ifeq ($(VARIANT)-$(notdir $(CC)),release-gcc)
SIM_FLAGS := -flto -fomit-frame-pointer
LINK_FLAGS += -flto=auto
AR := gcc-ar
endif

# ------------------------------------------------------------------------------------------ sources

SIM := $(sort $(wildcard sim/*/*.c)) sim/kernel/fiber.S
TRACES := $(sort $(wildcard traces/*.c))
ENGINE := $(sort $(wildcard engine/*.c engine/*/*.c))
NODES := $(sort $(filter-out nodes/main.c,$(wildcard nodes/*.c nodes/*/*.c)))

object = $(patsubst %.S,$(OUT)/%.o,$(patsubst %.c,$(OUT)/%.o,$(1)))
ARCHIVES := $(OUT)/libnodes.a $(OUT)/libengine.a $(OUT)/libsim.a $(OUT)/libtraces.a $(OUT)/libsim.a

.PHONY: all
all: build/seedbed

build/seedbed: $(OUT)/seedbed
	@ln -sf $(VARIANT)/seedbed $@

$(OUT)/seedbed: $(OUT)/nodes/main.o $(ARCHIVES)
	$(CC) $(LINK_FLAGS) -o $@ $(OUT)/nodes/main.o $(ARCHIVES) $(DW_LIBS)

$(OUT)/libsim.a: $(call object,$(SIM))
$(OUT)/libtraces.a: $(call object,$(TRACES))
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

$(OUT)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) -c -o $@ $<

# The build id is compiled into one object, which is made again when it changes.
BUILD_ID := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)$(shell git diff --quiet HEAD 2>/dev/null || echo -dirty)
$(shell mkdir -p $(OUT) && echo '$(BUILD_ID)' | cmp -s - $(OUT)/build-id || echo '$(BUILD_ID)' > $(OUT)/build-id)
$(OUT)/nodes/main.o: BASE_FLAGS += -DSEEDBED_BUILD='"$(BUILD_ID)"'
$(OUT)/nodes/main.o: $(OUT)/build-id

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf build
