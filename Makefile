# SPDX-License-Identifier: BSD-2-Clause
# The only makefile. `make help` lists what it does; files join by their place and name (see daemon/DESIGN.md).
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

SAN    ?=
BUILD  ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter clang,$(CC)),-clang)
comma  := ,
ifeq ($(origin CC),default)
CC     := gcc
endif
CLANG  ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX ?= /usr/local
DESTDIR ?=
V      ?=
Q      := $(if $(V),,@)
say     = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$@)')

# What must be installed, for building and running, and for the tests.
DEPS_BUILD := gcc make pkg-config libc6-dev linux-libc-dev clang llvm bpftool libbpf-dev libpcap-dev liburing-dev libzstd-dev \
	libssl-dev libsodium-dev libsqlite3-dev libjansson-dev libavcodec-dev libavutil-dev libswresample-dev libseccomp-dev libmicrohttpd-dev tzdata
DEPS_TEST  := libcmocka-dev systemd sip-tester tshark tcpdump iproute2 sox ffmpeg asterisk-core-sounds-en-wav \
	asterisk-core-sounds-es-wav asterisk-core-sounds-fr-wav jq sqlite3 openssl procps python3 curl vim
DEPS_BENCH := flac xz-utils zstd asterisk-core-sounds-it-wav asterisk-core-sounds-ru-wav asterisk-moh-opsound-wav
DEPS_VM    := qemu-system-x86 busybox-static cpio
DEPS_CHECK := clang-tidy cppcheck libclang-rt-14-dev mandoc
PKGS       := libpcap liburing libzstd libcrypto libsodium sqlite3 jansson libavcodec libavutil libswresample libseccomp libmicrohttpd

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wundef -Wvla
CSTD   := -std=gnu11 -D_GNU_SOURCE
CFLAGS ?= -O2 -g
INC    := -Ibpf -Idaemon -I. -Itools
ALL_CFLAGS := $(CSTD) $(WARN) $(if $(WERROR),-Werror) $(CFLAGS) -fno-omit-frame-pointer -fstack-protector-strong \
	-pthread $(INC) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
LDALL  := -pthread $(if $(SAN),-fsanitize=$(SAN))

# ---- libraries, one per layer; the link line below is the layer check ----
LIBNAMES := base store sip media capture call policy twin decode cli core
DIR_base := daemon/base
DIR_store := daemon/store
DIR_sip := daemon/sip
DIR_media := daemon/media
DIR_capture := daemon/capture
DIR_call := daemon/call
DIR_policy := policy
src = $(sort $(wildcard $(1)/*.c))
SRC_core := $(filter-out daemon/main.c,$(call src,daemon))
SRC_cli := $(sort $(wildcard tools/cli*.c))
# The JSON twin is optag-policy's; as a library it is there for the tests.
SRC_twin := $(sort $(wildcard tools/policy_json*.c)) tools/policy_schema.c
# optag-decode without libavcodec: its messages, which optag-export has too, and what it gives up.
SRC_decode := tools/decode_wire.c tools/decode_amr.c tools/decode_jail.c
$(foreach l,base store sip media capture call policy,$(eval SRC_$(l) := $(call src,$(DIR_$(l)))))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
lib = $(patsubst %,$(BUILD)/lib/lib%.a,$(1))
$(foreach l,$(LIBNAMES),$(eval $(BUILD)/lib/lib$(l).a: $(call obj,$(SRC_$(l)))))

SYS_base :=
SYS_store := -luring -lzstd -lcrypto -lsodium -lsqlite3
SYS_policy := -lsodium
SYS_capture := -lbpf -lpcap
SYS_cli := -ljansson
SYS_core := -lseccomp -lmicrohttpd -ljansson
SYS_all := -lbpf -lpcap $(SYS_store) $(SYS_core) -lm

# ---- programs: tools/NAME.c and its tools/NAME_*.c; what each may link ----
PROGS := $(patsubst tools/%.c,%,$(filter-out $(SRC_cli),$(foreach f,$(wildcard tools/*.c),$(if $(findstring _,$(notdir $(f))),,$(f)))))
LIBS_optag := cli base
LIBS_policy := cli policy media base
LIBS_announcement := cli policy base
LIBS_replay := cli core call media sip capture store policy base
LIBS_init := cli store base
LIBS_find := cli store base
LIBS_fsck := cli store base
LIBS_reap := cli store base
LIBS_erase := cli store base
LIBS_withdraw := cli store base
LIBS_report := cli store base
LIBS_hold := cli store base
LIBS_export := cli decode store base
LIBS_decode := cli base
LIBS_status := cli base
LIBS_set := cli base
LIBS_call := cli base
LIBS_capture := cli base
LIBS_rule := cli base
LIBS_use := cli base
LIBS_top := cli base
LIBS_audit := cli call store base
LIBS_why := cli core call policy store base
LIBS_simulate := cli core call media sip capture store policy base
LIBS_doctor := cli core policy store base
SYSX_export := -lpcap
SYSX_decode := -lavcodec -lswresample -lavutil -lseccomp
SYSX_replay := -lpcap
SYSX_simulate := -lpcap
progname = $(BUILD)/bin/$(if $(filter optag,$(1)),optag,optag-$(1))
BINS := $(foreach p,$(PROGS),$(call progname,$(p)))

define prog_rule
$(call progname,$(1)): $(call obj,tools/$(1).c $(sort $(wildcard tools/$(1)_*.c)) $(if $(SAN),tests/san.c)) $(call lib,$(LIBS_$(1)))
	$$(call say,LD)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDALL) $(LDFLAGS) -o $$@ $$^ $(if $(filter policy,$(LIBS_$(1))),$(SYS_policy)) $(if $(filter store,$(LIBS_$(1))),$(SYS_store)) $(SYSX_$(1)) $(SYS_cli) -lm
endef

all: deps-check $(BINS) $(BUILD)/bin/optagd
$(BUILD)/bin/optagd: $(call obj,daemon/main.c $(if $(SAN),tests/san.c tests/san_optagd.c)) $(call lib,core call media sip capture store policy base)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDALL) $(LDFLAGS) -o $@ $^ $(SYS_all) $(SYS_policy) -ljansson
$(foreach p,$(PROGS),$(eval $(call prog_rule,$(p))))

$(BUILD)/lib/lib%.a:
	$(call say,AR)
	@mkdir -p $(@D)
	$(Q)rm -f $@; $(if $(filter %.o,$^),ar rcs $@ $^,ar rcs $@)

# The encoder's floating point must come out the same everywhere: each operation rounded, nothing fused (lpc.h).
$(call obj,$(wildcard daemon/store/lpc*.c)): ALL_CFLAGS += -O3 -ffp-contract=off
# Loops over whole chunks.
$(call obj,$(wildcard daemon/store/rice*.c)): ALL_CFLAGS += -O3
$(BUILD)/obj/%.o: %.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# ---- tests ----
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY := $(patsubst %,$(BUILD)/tests/fuzz/replay_%,$(FUZZ))
GEN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/gen/*.c tests/bench/*.c))
ALLLIBS := $(call lib,twin decode core call media sip capture store policy base)

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(ALLLIBS)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDALL) $(WRAP_$*) -o $@ $< $(ALLLIBS) -lcmocka $(SYS_all)
# Tests in which system calls fail on purpose (tests/unit/faults.h).
WRAP_FAULTS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=fallocate,--wrap=fdatasync,--wrap=fsync \
	-Wl,--wrap=renameat,--wrap=pwrite,--wrap=ftruncate,--wrap=beneath_openat,--wrap=io_uring_submit
WRAP_test_store_err := $(WRAP_FAULTS)
WRAP_test_store_told := $(WRAP_FAULTS)
WRAP_test_store_slow := -Wl,--wrap=fdatasync,--wrap=fsync
WRAP_test_rebuild := -Wl,--wrap=pread
WRAP_test_store_resume := -Wl,--wrap=pread
# A codec and locked memory are made once, not for each call that is read (tests/unit/pool.h).
WRAP_POOL := -Wl,--wrap=codec_new,--wrap=codec_free,--wrap=sodium_malloc,--wrap=sodium_allocarray,--wrap=sodium_free
WRAP_test_cuts := $(WRAP_POOL)
WRAP_test_store_damage := $(WRAP_POOL)
WRAP_test_kills := $(WRAP_FAULTS) $(WRAP_POOL)
WRAP_test_priv := -Wl,--wrap=io_uring_queue_init_params
WRAP_test_evlog_err := $(WRAP_FAULTS)
WRAP_test_sample_log_err := $(WRAP_FAULTS)
# Targets for which leaks are sought behind locked memory (tests/fuzz/locked.h).
WRAP_fuzz_segment := -Wl,--wrap=sodium_malloc
WRAP_fuzz_lpc := $(WRAP_fuzz_segment)
# The capture program: object, then a skeleton that xdp.c includes, so the daemon needs no file beside it.
BPFARCH := $(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m)))
BPFFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -D__TARGET_ARCH_$(BPFARCH) -Ibpf -idirafter /usr/include/$(shell uname -m)-linux-gnu
$(BUILD)/bpf/optag.bpf.o: bpf/optag.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c -o $@ $<
$(BUILD)/gen/optag.skel.h: $(BUILD)/bpf/optag.bpf.o
	$(call say,SKEL)
	@mkdir -p $(@D)
	$(Q){ echo '/* NOLINTBEGIN */' && $(BPFTOOL) gen skeleton $< name optag_bpf && echo '/* NOLINTEND */'; } >$@
$(BUILD)/obj/daemon/capture/xdp.o: $(BUILD)/gen/optag.skel.h
$(BUILD)/obj/daemon/capture/xdp.o: ALL_CFLAGS += -isystem $(BUILD)/gen

# BPF objects; a test program finds the one it loads beside itself.
BPFOBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bpf/*.bpf.c))
BPFTEST := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bpf/test_*.c))
$(BUILD)/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c $(wildcard bpf/*.h tests/bpf/*.h)
	$(call say,BPF)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -Itests/bpf -c -o $@ $<
$(BUILD)/tests/bpf/test_%: $(BUILD)/obj/tests/bpf/test_%.o $(ALLLIBS)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDALL) -o $@ $< $(ALLLIBS) $(SYS_all)
$(BUILD)/tests/fuzz/replay_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(ALLLIBS)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDALL) $(WRAP_fuzz_$*) -o $@ $(BUILD)/obj/tests/fuzz/fuzz_$*.o $(BUILD)/obj/tests/fuzz/replay.o $(ALLLIBS) $(SYS_all)
$(BUILD)/tests/gen/% $(BUILD)/tests/bench/%: $(ALLLIBS)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDALL) -o $@ $(filter %.o,$^) $(ALLLIBS) $(SYS_all)
$(foreach g,$(GEN),$(eval $(g): $(patsubst $(BUILD)/%,$(BUILD)/obj/%.o,$(g))))
.SECONDARY:

testprogs: all $(UNIT) $(BPFOBJ) $(BPFTEST) $(FUZZ_REPLAY) $(GEN)

# For the builds that `make test` and the like begin: as many compilers as processors, unless make was told how many.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(or $(JOBS),$(shell nproc)))

# As root the packages are installed first, so that this is the only command a newcomer needs.
test: deps-auto
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) testprogs
	$(Q)BUILD='$(abspath $(BUILD))' SAN='$(SAN)' tests/run.sh $(T)

# On another kernel, in a machine of its own: Debian's 6.1, or KERNEL=vmlinuz MODULES=directory.
test-vm: all
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) testprogs
	$(Q)BUILD='$(abspath $(BUILD))' vm/run.sh $(if $(KERNEL),-k '$(KERNEL)' -m '$(MODULES)') $(T)
deps-vm:
	$(Q)tests/deps.sh install $(DEPS_VM)

demo: deps-auto
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	$(Q)BIN='$(abspath $(BUILD))/bin' tools/demo.sh

bench: deps-auto
	$(Q)if [ "$$(id -u)" = 0 ]; then tests/deps.sh auto $(DEPS_BENCH); else tests/deps.sh check $(DEPS_BENCH); fi
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) testprogs
	$(Q)BUILD='$(abspath $(BUILD))' tests/bench/run.sh

golden: testprogs
	$(Q)BUILD='$(abspath $(BUILD))' GOLDEN=1 tests/run.sh cli/

# ---- fuzzing: libFuzzer, FUZZ_SECONDS each; F=name for one ----
FUZZ_SECONDS ?= 60
F ?= $(FUZZ)
LIBSRC := $(SRC_base) $(SRC_store) $(SRC_sip) $(SRC_media) $(SRC_capture) $(SRC_call) $(SRC_policy) $(SRC_core)
fuzz:
	$(Q)$(MAKE) --no-print-directory CC=$(CLANG) SAN=fuzzer-no-link,address,undefined BUILD=build-fuzz fuzzers
	$(Q)for f in $(F); do mkdir -p build-fuzz/corpus/$$f tests/fuzz/corpus/$$f; \
	  echo "== $$f"; build-fuzz/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	  -artifact_prefix=build-fuzz/crash-$$f- $$(test -f tests/fuzz/dict/$$f && echo -dict=tests/fuzz/dict/$$f) \
	  build-fuzz/corpus/$$f tests/fuzz/corpus/$$f >build-fuzz/$$f.log 2>&1 \
	  || { tail -40 build-fuzz/$$f.log; exit 1; }; grep -E 'stat::number_of_executed|stat::new_units' build-fuzz/$$f.log; done
	$(Q)$(MAKE) --no-print-directory fuzz-model
# Calls at random against the reference model, and whether it would notice faults (guidance 10, T-invariant).
fuzz-model: $(BUILD)/tests/unit/test_model $(BUILD)/tests/unit/test_model_talk
	$(Q)MODEL_SEQUENCES=$${MODEL_SEQUENCES:-1000000} $(BUILD)/tests/unit/test_model
	$(Q)MODEL_SEQUENCES=$${MODEL_SEQUENCES:-1000000} $(BUILD)/tests/unit/test_model_talk
	$(Q)BUILD='$(abspath $(BUILD))' tests/mutants.sh
# Every byte of every file of a small store cut or wrong, every write and sync failing, and a recorder killed 1,000 times. Hours; CUTS_SECONDS= ends it before.
cuts: $(patsubst %,$(BUILD)/tests/unit/test_%,cuts kills store_damage store_told)
	$(Q)OPTAG_FULL=1 $(BUILD)/tests/unit/test_store_damage
	$(Q)OPTAG_FULL=1 $(BUILD)/tests/unit/test_store_told
	$(Q)OPTAG_FULL=1 $(BUILD)/tests/unit/test_cuts
	$(Q)KILLS=$${KILLS:-1000} $(BUILD)/tests/unit/test_kills
fuzzers: $(patsubst %,$(BUILD)/fuzz/%,$(FUZZ))
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(ALLLIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) -fsanitize=fuzzer,address,undefined -pthread $(WRAP_fuzz_$*) -o $@ $< $(ALLLIBS) $(SYS_all)

# ---- checks ----
check:
	$(Q)tests/check.sh

check-layers:
	$(Q)tests/check-layers.sh

# ---- packages ----
deps:
	$(Q)tests/deps.sh install $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_CHECK)
deps-auto:
	$(Q)if [ "$$(id -u)" = 0 ]; then tests/deps.sh auto $(DEPS_BUILD) $(DEPS_TEST); else tests/deps.sh check $(DEPS_BUILD) $(DEPS_TEST); fi
deps-check:
	$(Q)$(if $(OPTAG_DEPS_OK),:,tests/deps.sh pkg "$(PKGS)" $(DEPS_BUILD))

# What is installed, under PREFIX; the unit is made for this PREFIX. Settings in /etc are the administrator's.
MAN := $(wildcard tools/*.[158] daemon/*.[158] policy/*.[158])
INST_BIN := $(BINS) $(BUILD)/bin/optagd
INST_EX := $(wildcard policy/examples/*.policy) daemon/optagd.conf
INST_DATA := policy/optag-policy.schema.json
INST_ED := $(sort $(wildcard policy/editors/vim/*/*.vim policy/editors/vscode/*.json policy/editors/vscode/*/*.json))
INST_UNIT := optagd.service optagd-release.service optagd-release.timer optag-reap.service optag-reap.timer
UNITDIR := lib/systemd/system
INSTALLED = $(addprefix bin/,$(notdir $(INST_BIN))) $(addprefix share/optag/examples/,$(notdir $(INST_EX))) \
	$(addprefix share/optag/,$(notdir $(INST_DATA)) truth.tsv) $(patsubst policy/%,share/optag/%,$(INST_ED)) \
	$(foreach m,$(MAN),share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) $(addprefix $(UNITDIR)/,$(INST_UNIT))
install: all
	$(Q)install -d -m 755 $(addprefix '$(DESTDIR)$(PREFIX)'/,$(sort $(dir $(INSTALLED))))
	$(Q)install -m 755 $(INST_BIN) '$(DESTDIR)$(PREFIX)/bin'
	$(Q)install -m 644 $(INST_EX) '$(DESTDIR)$(PREFIX)/share/optag/examples'
	$(Q)install -m 644 $(INST_DATA) '$(DESTDIR)$(PREFIX)/share/optag'
	$(Q)install -m 644 tests/golden/truth/table.tsv '$(DESTDIR)$(PREFIX)/share/optag/truth.tsv'
	$(Q)for f in $(patsubst policy/%,%,$(INST_ED)); do install -m 644 policy/$$f "$(DESTDIR)$(PREFIX)/share/optag/$$f" || exit 1; done
	$(Q)for m in $(MAN); do install -m 644 $$m "$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}" || exit 1; done
	$(Q)for f in $(INST_UNIT); do sed 's|/usr/local/bin/|$(PREFIX)/bin/|g' daemon/$$f >$(BUILD)/$$f || exit 1; done
	$(Q)install -m 644 $(addprefix $(BUILD)/,$(INST_UNIT)) '$(DESTDIR)$(PREFIX)/$(UNITDIR)'
	@echo 'installed under $(DESTDIR)$(PREFIX); enabled and started is nothing'

# Directories that others use stay, empty or not.
uninstall:
	$(Q)rm -f $(addprefix '$(DESTDIR)$(PREFIX)'/,$(INSTALLED))
	$(Q)find '$(DESTDIR)$(PREFIX)/share/optag' -depth -type d -exec rmdir {} \; 2>/dev/null || :

clean:
	rm -rf build build-*

help:
	@echo 'make            build the programs into $(BUILD)/bin'
	@echo 'make demo       record real calls and show them (as root: installs what it needs)'
	@echo 'make test       run all tests (as root: installs what it needs); T=unit/test_sip for one'
	@echo 'make test-vm    the tests that need a kernel, on Debian 6.1 in qemu (make deps-vm); T=, KERNEL=, MODULES='
	@echo 'make deps       install the Debian packages for building, testing and checking'
	@echo 'make check      both compilers, static analysis, layers, tests under ASan and UBSan'
	@echo 'make fuzz       fuzz every reader, FUZZ_SECONDS=60 each; F=sip for one; a million random calls against the model'
	@echo 'make cuts       every byte of every file of a store cut, 1,000 kills of a recorder; CUTS_SECONDS=, CUTS_FILE=, KILLS='
	@echo 'make bench      figures of this machine, beside other programs on the same work'
	@echo 'make install    to PREFIX=/usr/local, under DESTDIR; enables and starts nothing; make uninstall takes it away'
	@echo 'make clean      remove build directories'
	@echo 'V=1 full command lines; SAN=address,undefined sanitizer build; CC=clang; JOBS=2 tests (and compilers) at once'

.PHONY: all test test-vm deps-vm testprogs demo bench golden cuts fuzz fuzzers fuzz-model check check-layers deps deps-auto deps-check install uninstall clean help
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
