#include "engine/engine_names.h"

#include <algorithm>

namespace axle {
namespace {

constexpr std::string_view kPrefix = "libaxle_engine_";
constexpr std::string_view kSuffix = ".so";

}  // namespace

bool is_engine_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::string engine_of_file(const std::string& file) {
  if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix) || file.size() <= kPrefix.size() + kSuffix.size()) return "";
  std::string name = file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size());
  return is_engine_name(name) ? name : "";
}

std::string library_variable(const std::string& engine) {
  std::string name = "AXLE_" + engine + "_LIBRARY";
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

}  // namespace axle
