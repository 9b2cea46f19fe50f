# What a developer types. Everything else is in CMakeLists.txt.
BUILD ?= build
JOBS  ?= $(shell nproc)
# Ports below 1024 are for root; everybody else gets them 7000 higher, echo on 7007.
OFFSET ?= $(if $(filter 0,$(shell id -u)),0,7000)
SUDO  := $(if $(filter 0,$(shell id -u)),,sudo)

PACKAGES = build-essential cmake ninja-build pkg-config ccache \
  libyaml-cpp-dev libspdlog-dev libfmt-dev libboost-program-options-dev libexpected-dev libseccomp-dev libcap-dev libwrap0-dev \
  libgtest-dev libgmock-dev libbenchmark-dev
TEST_PACKAGES = clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev strace socat netcat-openbsd curl rsync git tftp-hpa tftpd-hpa \
  inetutils-telnet inetutils-telnetd netbase iproute2 procps util-linux man-db python3 \
  python3-jsonschema python3-yaml mandoc zsh
# The super-servers that tests compare us with, and what these link to.
REFERENCES = xinetd openbsd-inetd inetutils-inetd
REFERENCE_LIBRARIES = libwrap0 libselinux1 libtirpc3 libnsl2 libevent-2.1-7 libbsd0 libsystemd0
# What the plugin httpd is compared with. Debian starts it at once, on port 80.
BENCH_PACKAGES = nginx
# For the Debian package and its tests. Debian starts nothing of these.
DEB_PACKAGES = debhelper dpkg-dev git lintian blhc devscripts debootstrap systemd systemd-container iproute2 util-linux
# $(call install,PACKAGES): those of them that are not there yet.
define install
missing=$$(for p in $(1); do dpkg-query -W -f '$${Status}' "$$p" 2>/dev/null | grep -q 'ok installed' || echo "$$p"; done); \
[ -z "$$missing" ] || { $(SUDO) apt-get update -qq && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; }
endef

export CCACHE_BASEDIR = $(CURDIR)
export CCACHE_NOHASHDIR = 1

.PHONY: deps deps-build build run test lint fuzz bench deb test-deb reproducible clean

# Everything: to build, to test, to lint. Building and running alone needs less.
deps: deps-build $(REFERENCES:%=$(BUILD)/%)
	@$(call install,$(TEST_PACKAGES))

# Unpacked, not installed, since Debian would start them. Where one cannot be had its tests are skipped.
$(REFERENCES:%=$(BUILD)/%):
	@{ $(call install,$(REFERENCE_LIBRARIES)); } && mkdir -p $@.part && cd $@.part && \
	apt-get download -qq $(@F) && dpkg -x $(@F)_*.deb . && rm $(@F)_*.deb && mv ../$(@F).part ../$(@F) || \
	echo "no $(@F) to compare with"

deps-build:
	@$(call install,$(PACKAGES))

$(BUILD)/build.ninja: | deps-build
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DXSD_REFERENCES=$(abspath $(BUILD))

build: $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS)

# The shipped services, in the foreground: nc 127.0.0.1 7 (or 7007 when not root). Who owns the main file is
# trusted with the others, also when root tries somebody else's.
run: $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target xsd chat httpd logd
	printf '%s\n' 'daemon: {plugin_dirs: ["$(abspath $(BUILD))/plugins"]}' 'include: ["$(CURDIR)/conf.d/*.yaml"]' >$(BUILD)/run.yaml
	$(if $(SUDO),,chown --reference=Makefile $(BUILD)/run.yaml)
	$(BUILD)/xsd/daemon/xsd --config $(BUILD)/run.yaml --port-offset $(OFFSET) --pid-file $(BUILD)/xsd.pid

test: deps build
	ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -LE lint $(CTEST_ARGS)

lint: deps $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) --output-on-failure -L lint
	tests/lint/tidy.sh $(BUILD)

# Each fuzz target for FUZZ_SECONDS, JOBS of them at a time; FUZZ="yaml config" for these two. See tests/fuzz/run.sh.
FUZZ_BUILD   ?= build-fuzz
FUZZ_SECONDS ?= 120

$(FUZZ_BUILD)/build.ninja: | deps
	cmake -S . -B $(FUZZ_BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g1" -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" \
	  -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
	  -DXSD_FUZZ=ON -DXSD_SANITIZE=address,undefined -DXSD_BENCH=OFF

fuzz: $(FUZZ_BUILD)/build.ninja
	cmake --build $(FUZZ_BUILD) -j $(JOBS) --target fuzz
	tests/fuzz/run.sh $(FUZZ_BUILD) $(FUZZ_SECONDS) $(JOBS) $(FUZZ)

# BENCH_ARGS="--quick echo" for less; see tests/bench/xsd_bench.cc.
# A comparison whose reference cannot be installed is reported as not run.
bench: build
	-@$(call install,$(BENCH_PACKAGES))
	$(BUILD)/tests/bench/xsd_bench --xsd $(BUILD)/xsd/daemon/xsd $(BENCH_ARGS)
	$(BUILD)/tests/bench/micro/bench_reactor --benchmark_min_time=0.1
	$(BUILD)/tests/bench/micro/bench_access --benchmark_min_time=0.1
	$(BUILD)/tests/bench/micro/bench_policy --benchmark_min_time=0.1
	$(BUILD)/tests/bench/micro/bench_decision --benchmark_min_time=0.1

# The packages, of what is committed, and the log of their build: $(BUILD)/deb.
deb: deps-build
	@$(call install,$(DEB_PACKAGES))
	packaging/build-deb.sh $(BUILD)/deb
	@ls -l $(BUILD)/deb/*.deb

# Most of it wants root, for systems of its own in $(BUILD)/deb-roots.
test-deb: deb
	packaging/tests/run.sh $(BUILD)/deb $(BUILD)/deb-roots

# Built once more, elsewhere and from nothing; the same bytes must come of it.
reproducible:
	packaging/tests/reproducible.sh $(BUILD)/deb

clean:
	rm -rf $(BUILD) $(FUZZ_BUILD)
