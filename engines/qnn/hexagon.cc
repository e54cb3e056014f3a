#include "hexagon.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace axle::qnn {
namespace {

struct Soc {
  std::string_view name;  // what it begins with
  const char* generation;
};

// As src/probe knows them; its own test compares.
constexpr Soc kSocs[] = {{"SM8350", "68"},  {"SC8280XP", "68"}, {"SC7280", "68"}, {"QCM6490", "68"}, {"QCS6490", "68"},
                         {"SA8295", "68"},  {"SM8450", "69"},   {"SM8475", "69"}, {"SM8550", "73"},  {"QCM8550", "73"},
                         {"QCS8550", "73"}, {"X1E", "73"},      {"X1P", "73"},    {"SA8255", "73"},  {"SA8775", "73"},
                         {"QCS9100", "73"}, {"SM8650", "75"},   {"SM8750", "79"}, {"SM8850", "81"}};

}  // namespace

const std::vector<std::string>& generations() {
  static const std::vector<std::string> all = {"68", "69", "73", "75", "79", "81"};
  return all;
}

std::string generation_of_soc(std::string_view soc) {
  const auto* const known = std::ranges::find_if(kSocs, [&](const Soc& s) { return soc.starts_with(s.name); });
  return known == std::end(kSocs) ? kUnknownGeneration : known->generation;
}

std::string generation_here(const std::string& soc_file) {
  std::ifstream file(soc_file);
  std::string soc;
  std::getline(file, soc);
  return generation_of_soc(soc);
}

}  // namespace axle::qnn
