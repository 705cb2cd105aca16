# homeward: TCP connections that survive anycast route shifts.
#
#   make          builds ./homeward (installs nothing)
#   make demo     installs what is missing, builds, and shows the main job in a lab of namespaces
#   make test     installs what is missing, builds, runs all tests (as root)
#   make fuzz     SECONDS=60, split evenly over the fuzzers (part of make test)
#   make install  DESTDIR= PREFIX=
#   make deps     installs what building and testing need (Debian 12)

PREFIX  ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
B       := build

LIBS    := libbpf libxdp libnl-3.0 libnl-route-3.0 yaml-0.1 libsystemd smartcols json-c
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wvla -Wno-unused-parameter
# recursive on purpose: pkg-config may be installed by `deps` in the same run
LIBCFLAGS = $(shell pkg-config --cflags $(LIBS))
LIBLIBS   = $(shell pkg-config --libs $(LIBS))
ALLCFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -I. -I$(B) $(LIBCFLAGS)
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

BPF_ARCH := $(shell uname -m)-linux-gnu
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
	-Wno-missing-declarations -I. -I/usr/include/$(BPF_ARCH)

SRC     := $(wildcard loader/*.c)
OBJ     := $(SRC:loader/%.c=$(B)/loader/%.o)
SANOBJ  := $(patsubst loader/%.c,$(B)/san/%.o,$(filter-out loader/main.c,$(SRC)))
SANLIB  := $(B)/san/loader.a
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
PACKET  := $(patsubst tests/packet/%.c,$(B)/packet/%,$(wildcard tests/packet/test_*.c))
FUZZERS := $(addprefix $(B)/fuzz/,packet wire conf kernel)
LABTOOLS := $(patsubst tests/lab/%.c,$(B)/%,$(filter-out %.bpf.c,$(wildcard tests/lab/*.c)))
HEADERS := $(wildcard loader/*.h maps-schema/*.h)
BPFOBJ  := $(patsubst bpf/%.bpf.c,$(B)/%.bpf.o,$(wildcard bpf/*.bpf.c))
SKEL    := $(BPFOBJ:.bpf.o=.skel.h)

.PHONY: all deps demo test unit packet fuzz lab install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: homeward

# make V=1 shows the commands.
ifeq ($(V),)
say = @printf '  %-6s %s\n' $(1) $(or $(2),$@);
endif

homeward: $(OBJ)
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ) $(LIBLIBS)

$(B)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h maps-schema/*.h)
	@mkdir -p $(@D)
	$(call say,BPF)$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp && $(BPFTOOL) gen object $@ $@.tmp && rm $@.tmp

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name $* > $@ 2>$@.log || { cat $@.log; exit 1; }

$(B)/loader/%.o: loader/%.c $(HEADERS) $(SKEL)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALLCFLAGS) -c $< -o $@

$(B)/san/%.o: loader/%.c $(HEADERS) $(SKEL)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALLCFLAGS) $(SAN) -c $< -o $@

$(SANLIB): $(SANOBJ)
	$(call say,AR)rm -f $@ && ar rc $@ $(SANOBJ)

$(B)/unit/%: tests/unit/%.c $(SANLIB) $(HEADERS) $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)$(CC) $(ALLCFLAGS) $(SAN) -o $@ $< $(SANLIB) $(LIBLIBS) -lcriterion

$(B)/packet/%: tests/packet/%.c $(wildcard tests/packet/*.h) $(SKEL) $(wildcard maps-schema/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)$(CC) $(ALLCFLAGS) $(SAN) -o $@ $< -lbpf -ljson-c -lcriterion

# --- fuzzing: three libFuzzer targets (clang), one that works on the loaded program

FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O1 -g $(WARN) -Wno-unused-function -I. -I$(B) -Itests/fuzz
# unaligned loads are what BPF programs do; clang knows some attributes for its BPF target only
FUZZ_SAN := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -fno-sanitize=alignment \
	-fno-omit-frame-pointer -Wno-unknown-attributes -Wno-ignored-attributes
FUZZ_OF  = $(wildcard tests/fuzz/*.h tests/fuzz/criterion/*.h tests/packet/*.h bpf/*) $(HEADERS)
FUZZ_LOADER := $(patsubst %,loader/%.c,addr conf conf_schema conf_value diag keys log nearest textfile wire yaml_tree)

$(B)/fuzz/packet: tests/fuzz/fuzz_packet.c $(FUZZ_OF)
	@mkdir -p $(@D)
	$(call say,FUZZ)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -o $@ $<

$(B)/fuzz/wire $(B)/fuzz/conf: $(B)/fuzz/%: tests/fuzz/fuzz_%.c $(FUZZ_LOADER) $(FUZZ_OF)
	@mkdir -p $(@D)
	$(call say,FUZZ)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -o $@ $< $(FUZZ_LOADER) $(LIBLIBS)

$(B)/fuzz/kernel: tests/fuzz/kernel.c $(FUZZ_OF) $(SKEL)
	@mkdir -p $(@D)
	$(call say,FUZZ)$(CC) $(FUZZ_CFLAGS) -O2 -o $@ $< -lbpf -ljson-c

$(B)/fuzz/seed: tests/fuzz/corpus.c $(FUZZ_OF) tests/packet/edge.jsonl loader/homeward.yaml
	@mkdir -p $(@D)
	$(call say,FUZZ)$(CC) $(FUZZ_CFLAGS) -o $@ $< -ljson-c && $@ $(B)/fuzz/seeds

# The lab's tools, among them talk: thousands of connections that check every byte.
$(LABTOOLS): $(B)/%: tests/lab/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -o $@ $<

# --- what people type; each installs what it needs first

deps:
	@./tests/deps

demo: deps
	@$(MAKE) --no-print-directory -s -j2 all $(LABTOOLS)
	@tests/lab/demo.sh

test: deps
	$(MAKE) --no-print-directory -j2 all $(UNIT) $(PACKET) $(FUZZERS) $(B)/fuzz/seed $(LABTOOLS)
	$(MAKE) --no-print-directory unit packet fuzz lab

# --- the tests, one by one

unit: all $(UNIT)
	@set -e; for t in $(UNIT); do echo "== $$t"; $$t; done
	@echo "== tests/cli.bats"; bats tests/cli.bats

packet: $(PACKET)
	@set -e; for t in $(PACKET); do echo "== $$t"; $$t; done

# What reached something new is kept in build/fuzz/found, where the next run goes on.
fuzz: deps
	@$(MAKE) --no-print-directory -j2 $(FUZZERS) $(B)/fuzz/seed
	@tests/fuzz/run $(B)/fuzz $(SECONDS)

lab: all $(LABTOOLS)
	bats tests/lab

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/homeward \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/doc/homeward/maps-schema
	install -m 755 homeward $(DESTDIR)$(PREFIX)/sbin/homeward
	install -m 644 $(B)/ingress.bpf.o $(DESTDIR)$(PREFIX)/lib/homeward/ingress.bpf.o
	sed 's,@PREFIX@,$(PREFIX),' loader/homeward.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/homeward.service
	install -m 644 README.md LICENSE loader/homeward.yaml $(DESTDIR)$(PREFIX)/share/doc/homeward/
	install -m 644 maps-schema/README.md maps-schema/*.h $(DESTDIR)$(PREFIX)/share/doc/homeward/maps-schema/

clean:
	rm -rf $(B) homeward
