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
// Columns to write in: COLUMNS where it is set, but no more than the terminal has; else the terminal's, 140 when stdout is not one.
int32_t terminal_width();
// Of what is printed on it.
TextStyle text_style(bool verbose);
// Rows of the terminal, 24 when stdout is not one.
int32_t terminal_rows();
// The first `rows` lines of `text`, each cut after `columns` columns; colours are kept.
std::string fit_screen(std::string_view text, int32_t columns, int32_t rows);
size_t edit_distance(std::string_view a, std::string_view b);

// Prints the error (stderr, or {"error": ...} on stdout with json) and returns its exit code.
int report_failure(const Status& status, bool json);
// Of a command line that was not understood: the same document, or "see: <help>"; returns 2.
int report_usage(const std::string& message, const std::string& help, bool json);
// Whether --json is among the words, also of a command line that is not understood.
bool wants_json(int argc, char** argv);

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
