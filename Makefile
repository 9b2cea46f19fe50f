# What a developer types. Everything else is in CMakeLists.txt.
BUILD ?= build
JOBS  ?= $(shell nproc)
# Ports below 1024 are for root; everybody else gets them 7000 higher, echo on 7007.
OFFSET ?= $(if $(filter 0,$(shell id -u)),0,7000)
SUDO  := $(if $(filter 0,$(shell id -u)),,sudo)

PACKAGES = build-essential cmake ninja-build pkg-config ccache \
  libyaml-cpp-dev libspdlog-dev libfmt-dev libboost-program-options-dev libexpected-dev \
  libgtest-dev libgmock-dev libbenchmark-dev
TEST_PACKAGES = clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev strace socat netcat-openbsd curl rsync git tftp-hpa tftpd-hpa \
  inetutils-telnet inetutils-telnetd netbase iproute2 procps util-linux man-db python3
MISSING = $(shell dpkg-query -W -f '$${Package} $${Status}\n' $(PACKAGES) $(TEST_PACKAGES) 2>/dev/null | \
  awk '/install ok installed/{have[$$1]=1} END{n=split("$(PACKAGES) $(TEST_PACKAGES)",want," "); for(i=1;i<=n;i++) if(!(want[i] in have)) print want[i]}')

export CCACHE_BASEDIR = $(CURDIR)
export CCACHE_NOHASHDIR = 1

.PHONY: deps build run test lint bench clean

deps:
	@missing="$(MISSING)"; if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; fi

$(BUILD)/build.ninja: | deps
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache

build: $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS)

# The shipped services, in the foreground: nc 127.0.0.1 7 (or 7007 when not root).
run: $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target xsd
	$(BUILD)/xsd/daemon/xsd --config conf.d --port-offset $(OFFSET) --pid-file $(BUILD)/xsd.pid

test: build
	ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -LE lint

lint: $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) --output-on-failure -L lint
	tests/lint/tidy.sh $(BUILD)

# BENCH_ARGS="--quick echo" for less; see tests/bench/xsd_bench.cc.
bench: build
	$(BUILD)/tests/bench/xsd_bench --xsd $(BUILD)/xsd/daemon/xsd $(BENCH_ARGS)
	$(BUILD)/tests/bench/micro/bench_reactor --benchmark_min_time=0.1

clean:
	rm -rf $(BUILD)
