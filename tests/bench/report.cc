// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <cstdio>

namespace bench {

void Report::section(const std::string& title) {
  std::printf("\n%s\n", title.c_str());
  std::fflush(stdout);
  table_ = Table::None;
}

void Report::open(Table table) {
  if (table_ == table) return;
  table_ = table;
  if (table == Table::Comparisons) {
    std::printf("  %-34s %12s %9s %7s %15s %6s\n", "operation", "reference us", "xsd us", "ratio",
                "rounds from-to", "bar");
  } else {
    std::printf("  %-46s %11s %-7s %9s\n", "measure", "value", "unit", "bar");
  }
}

const char* Report::judge(double value, double bar) {
  const bool over = value > bar;
  ++(over ? over_ : ok_);
  return over ? "OVER" : "ok";
}

void Report::add(const Comparison& row) {
  open(Table::Comparisons);
  char range[32];
  std::snprintf(range, sizeof range, "%.2f-%.2f", row.lowest, row.highest);
  std::printf("  %-34s %12.2f %9.2f %7.3f %15s %6.2f  %s\n", row.operation.c_str(), row.reference_us,
              row.xsd_us, row.ratio, range, row.bar, judge(row.ratio, row.bar));
  std::fflush(stdout);
}

void Report::add(const Measurement& row) {
  open(Table::Measurements);
  std::printf("  %-46s %11.2f %-7s %9.2f  %-4s %s\n", row.what.c_str(), row.value, row.unit.c_str(), row.bar,
              judge(row.value, row.bar), row.note.c_str());
  std::fflush(stdout);
}

void Report::skip(const std::string& what, const std::string& reason) {
  ++skipped_;
  std::printf("  %s: not run: %s\n", what.c_str(), reason.c_str());
  std::fflush(stdout);
}

void Report::fail(const std::string& what, const std::string& reason) {
  ++failed_;
  std::printf("  %s: FAILED: %s\n", what.c_str(), reason.c_str());
  std::fflush(stdout);
}

void Report::summary() const {
  std::printf("\n%d ok, %d over the bar, %d failed to run, %d not run\n", ok_, over_, failed_, skipped_);
}

}  // namespace bench
