#include "spec/batching_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace axle {

std::string batching_text(const Batching& batching) {
  if (!batching.on()) return "";
  std::string text = fmt::format("up to {} rows of axis {}, {} run{} at a time", batching.rows, printable(batching.axis, 80),
                                 batching.runs, batching.runs == 1 ? "" : "s");
  if (batching.wait_ns > 0) text += fmt::format(", the first waiting {} for others", format_duration_ns(batching.wait_ns));
  return text;
}

}  // namespace axle
