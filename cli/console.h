// What commands share: the clock, colour when stdout is a terminal, errors of three lines or as JSON, a progress line.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "axle/cancel.h"
#include "axle/explain.h"
#include "axle/status.h"

namespace axle::cli {

// Nanoseconds of the steady clock.
int64_t steady_now_ns();
// True when stdout is a terminal and NO_COLOR is not set.
bool use_color();
// Columns of the terminal, 140 when stdout is not one.
int32_t terminal_width();
// Of what is printed on it.
TextStyle text_style(bool verbose);
size_t edit_distance(std::string_view a, std::string_view b);

// Prints the error (stderr, or {"error": ...} on stdout with json) and returns its exit code.
int report_failure(const Status& status, bool json);

// Small text files; the write is complete or absent. NOT_FOUND, RESOURCE_EXHAUSTED, PERMISSION_DENIED.
Result<std::string> read_text_file(const std::string& path);
Status write_text_file(const std::string& path, const std::string& text);

// A token that Ctrl-C cancels; the second Ctrl-C ends the process. One for the whole process.
CancelToken interrupt_token();

// A line on stderr that is rewritten in place, also while nothing is reported; silent unless stderr is a terminal. Shown only
// after a second.
class ProgressLine {
 public:
  // `wanted` false: never shown.
  explicit ProgressLine(bool wanted = true) : wanted_(wanted) {}
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(const std::string& what, double fraction);
  void clear();

 private:
  void draw();  // mutex_ is held

  const bool wanted_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string what_;
  double fraction_ = -1;
  int64_t started_ns_ = 0;  // of the whole line, and of `what_`
  int64_t stage_ns_ = 0;
  bool visible_ = false;
  std::jthread drawing_;
};

}  // namespace axle::cli
