// A machine's /proc, /sys and /dev as one text file (testdata/*.tree), unpacked into a scratch folder for a test.
//
//   # comment
//   @architecture aarch64           given to ProbeSurroundings; also @affinity 0-3 and @cuda_visible_devices 1,0
//   /sys/path: value                a file of one line ("/sys/path:" alone makes an empty one)
//   /sys/path <<                    a file of several lines, ended by a line that holds only a dot
//   /sys/path -> target             a symbolic link
//   /sys/path/                      an empty folder
//   @for i 0..7                     repeats the lines up to @end; {i}, {i/2}, {i%4+1} are replaced, operators left to right
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "probe/discover.h"

namespace axle::testing {

class FixtureTree {
 public:
  // `name` without folder and ".tree".
  explicit FixtureTree(const std::string& name) : FixtureTree() {
    const std::string path = std::string(AXLE_SOURCE_DIR) + "/src/probe/testdata/" + name + ".tree";
    const Result<std::string> text = read_file(path, 1u << 20);
    if (!text) ADD_FAILURE() << text.status().to_string();
    unpack(text.value_or(""));
  }
  // An empty tree.
  FixtureTree()
      : scratch_(ScratchDir::create(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "").value()) {
  }  // thousands of small files

  FixtureTree& file(const std::string& path, const std::string& content) {
    const std::filesystem::path target = full(path);
    std::filesystem::create_directories(target.parent_path());
    std::ofstream(target, std::ios::binary) << content;
    return *this;
  }
  FixtureTree& link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(full(path).parent_path());
    std::filesystem::create_symlink(target, full(path));
    return *this;
  }
  FixtureTree& folder(const std::string& path) {
    std::filesystem::create_directories(full(path));
    return *this;
  }
  FixtureTree& remove(const std::string& path) {
    EXPECT_GT(std::filesystem::remove_all(full(path)), 0u) << path;
    return *this;
  }

  std::filesystem::path full(const std::string& path) const { return scratch_.path() + path; }
  SystemFiles files() const { return SystemFiles(scratch_.path()); }
  const ProbeSurroundings& surroundings() const { return surroundings_; }
  ProbeSurroundings& surroundings() { return surroundings_; }
  Result<Machine> discover() const { return axle::discover(files(), surroundings_); }

 private:
  static std::string trim(std::string text) {
    text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
    return text.erase(text.find_last_not_of(" \t") + 1);
  }

  // "i%4+1" for i = 7 -> 4
  static int64_t evaluate(const std::string& expression, int64_t variable) {
    size_t at = 1;
    while (at < expression.size()) {
      const char op = expression[at++];
      char* end = nullptr;
      const int64_t operand = std::strtoll(expression.c_str() + at, &end, 10);
      at = static_cast<size_t>(end - expression.c_str());
      if (op == '+') variable += operand;
      if (op == '-') variable -= operand;
      if (op == '*') variable *= operand;
      if (op == '/') variable /= operand;
      if (op == '%') variable %= operand;
    }
    return variable;
  }

  static std::string expand(const std::string& line, char name, int64_t value) {
    std::string out;
    for (size_t at = 0; at < line.size();) {
      const size_t close = line.find('}', at);
      if (line[at] == '{' && at + 1 < line.size() && line[at + 1] == name && close != std::string::npos) {
        out += std::to_string(evaluate(line.substr(at + 1, close - at - 1), value));
        at = close + 1;
      } else {
        out += line[at++];
      }
    }
    return out;
  }

  void unpack(const std::string& text) {
    std::vector<std::string> lines;
    for (const std::string_view line : split_lines(text)) lines.emplace_back(line);
    unpack_lines(lines);
  }

  void unpack_lines(const std::vector<std::string>& lines) {
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string& line = lines[i];
      if (line.empty() || line[0] == '#') continue;
      if (line.starts_with("@for ")) {
        const size_t end = std::find(lines.begin() + static_cast<std::ptrdiff_t>(i), lines.end(), "@end") - lines.begin();
        repeat(line, {lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, lines.begin() + static_cast<std::ptrdiff_t>(end)});
        i = end;
      } else if (line.ends_with(" <<")) {
        std::string content;
        for (++i; i < lines.size() && lines[i] != "."; ++i) content += lines[i] + "\n";
        file(line.substr(0, line.size() - 3), content);
      } else {
        unpack_line(line);
      }
    }
  }

  void repeat(const std::string& header, const std::vector<std::string>& body) {
    const char name = header[5];
    const size_t dots = header.find("..");
    const int64_t first = std::strtoll(header.c_str() + 7, nullptr, 10);
    const int64_t last = std::strtoll(header.c_str() + dots + 2, nullptr, 10);
    for (int64_t value = first; value <= last; ++value) {
      std::vector<std::string> lines;
      for (const std::string& line : body) lines.push_back(expand(line, name, value));
      unpack_lines(lines);
    }
  }

  void unpack_line(const std::string& line) {
    if (line.starts_with("@architecture "))
      surroundings_.architecture = line.substr(14);
    else if (line.starts_with("@affinity "))
      surroundings_.affinity = parse_cpu_list(line.substr(10));
    else if (line.starts_with("@cuda_visible_devices "))
      surroundings_.cuda_visible_devices = line.substr(22);
    else if (const size_t arrow = line.find(" -> "); arrow != std::string::npos)
      link(line.substr(0, arrow), line.substr(arrow + 4));
    else if (const size_t colon = line.find(": "); colon != std::string::npos)
      file(line.substr(0, colon), trim(line.substr(colon + 2)) + "\n");
    else if (line.ends_with(":"))
      file(line.substr(0, line.size() - 1), "");
    else if (line.ends_with("/"))
      folder(line);
    else
      ADD_FAILURE() << "not a line of a fixture tree: " << line;
  }

  ScratchDir scratch_;
  ProbeSurroundings surroundings_;
};

}  // namespace axle::testing
