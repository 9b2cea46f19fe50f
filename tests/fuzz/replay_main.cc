// SPDX-License-Identifier: Apache-2.0
//
// Gives every file of the folders (or every file) named on the command line to a fuzz target once, for builds
// without libFuzzer. An input that takes longer than two seconds ends the run with its name; a crash ends it
// anyway, and the name is on the last line.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr unsigned kSecondsEach = 2;

extern "C" void end_slow_input(int /*signal*/) {
  constexpr char kText[] = "replay: the input above takes longer than two seconds\n";
  (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);  // nothing to do about a failure
  ::_exit(1);
}

std::vector<std::string> files_of(int argc, char** argv) {
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> files = files_of(argc, argv);
  if (files.empty()) {
    std::fprintf(stderr, "replay: no inputs\n");
    return 1;
  }
  std::signal(SIGALRM, end_slow_input);
  std::string slowest;
  std::chrono::steady_clock::duration longest{};
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(stream), {}};
    std::fprintf(stderr, "%s (%zu bytes)\n", file.c_str(), input.size());
    const auto begin = std::chrono::steady_clock::now();
    ::alarm(kSecondsEach);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    ::alarm(0);
    const auto took = std::chrono::steady_clock::now() - begin;
    if (took > longest || slowest.empty()) {
      longest = took;
      slowest = file;
    }
  }
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(longest).count();
  std::fprintf(stderr, "replay: %zu inputs, the slowest took %lld us: %s\n", files.size(),
               static_cast<long long>(us), slowest.c_str());
  return 0;
}
