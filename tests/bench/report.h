// SPDX-License-Identifier: Apache-2.0
//
// Report: the tables on standard output, line by line as results come in, and the count of what is over its
// bar.
#pragma once

#include <string>

#include "xsd/base/error.h"

namespace bench {

struct Comparison {
  std::string operation;
  double reference_us = 0;  // medians over the rounds, per operation
  double xsd_us = 0;
  double ratio = 0;  // median of the ratios of the rounds; neighbours in time are compared with each other
  double lowest = 0;
  double highest = 0;
  double bar = 0;
};

struct Measurement {
  std::string what;
  double value = 0;
  std::string unit;
  double bar = 0;
  std::string note;
};

class Report {
 public:
  void section(const std::string& title);
  void add(const Comparison& row);
  void add(const Measurement& row);
  /// It was wanted and cannot be here, which is no failure.
  void skip(const std::string& what, const std::string& reason);
  void fail(const std::string& what, const std::string& reason);
  void summary() const;

  bool has_failures() const { return failed_ > 0; }
  bool has_excess() const { return over_ > 0; }

 private:
  const char* judge(double value, double bar);

  enum class Table { None, Comparisons, Measurements };
  void open(Table table);

  Table table_ = Table::None;
  int ok_ = 0;
  int over_ = 0;
  int failed_ = 0;
  int skipped_ = 0;
};

}  // namespace bench
