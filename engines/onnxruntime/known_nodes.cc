#include "known_nodes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace axle::ort {
namespace {

constexpr const char* kFile = "known-nodes";
constexpr std::string_view kFirstLine = "axle-onnxruntime-known-nodes 1";
constexpr std::size_t kMostFileBytes = std::size_t{1} << 20;  // what the host keeps
constexpr std::size_t kMostKeyBytes = 2048;
constexpr std::size_t kMostEntries = 16384;
constexpr char kMark = '\x01';  // stands before and after the number of a name

// Words of a line: blanks, line ends and what is no printable ASCII become %XX.
std::string escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (text.size() - i < 3) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

constexpr std::array<std::pair<char, char>, 4> kQuotes = {{{'\'', '\''}, {'"', '"'}, {'(', ')'}, {'[', ']'}}};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::string place_of(std::size_t number) { return kMark + std::to_string(number) + kMark; }

// Where the vendor quotes a name, its number instead.
std::string without_names(std::string text, const std::vector<std::string>& names) {
  std::erase(text, kMark);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    for (const auto& [open, close] : kQuotes) replace_all(text, open + names[i] + close, open + place_of(i) + close);
  }
  return text;
}

std::string with_names(std::string text, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) replace_all(text, place_of(i), names[i]);
  return text;
}

bool holds_everywhere(const kit::Verdict& verdict) {
  if (verdict.kind == kit::VerdictKind::kYes) return true;
  constexpr std::array<std::string_view, 4> kCodes = {"UNSUPPORTED_OP", "DOMAIN", "OPSET", "DTYPE"};
  return verdict.kind == kit::VerdictKind::kNo && std::ranges::find(kCodes, verdict.code) != kCodes.end();
}

std::string line_of(const std::string& key, const kit::Verdict& verdict) {
  std::string line = escaped(key);
  if (verdict.kind == kit::VerdictKind::kYes) return line + " yes\n";
  return line + " no " + escaped(verdict.code) + ' ' + escaped(verdict.text) + '\n';
}

// Key and verdict; nothing for a line that is none.
std::optional<std::pair<std::string, kit::Verdict>> parse_line(const std::string& line) {
  std::istringstream words(line);
  std::string key, kind, code, text, more;
  words >> key >> kind;
  const bool yes = kind == "yes";
  if (!yes && (kind != "no" || !(words >> code >> text))) return std::nullopt;
  const auto plain_key = unescaped(key), plain_code = unescaped(code), plain_text = unescaped(text);
  if (words >> more || !plain_key || plain_key->empty() || !plain_code || !plain_text) return std::nullopt;
  const kit::Verdict verdict{yes ? kit::VerdictKind::kYes : kit::VerdictKind::kNo, *plain_code, *plain_text, -1};
  if (!holds_everywhere(verdict)) return std::nullopt;
  return std::pair(*plain_key, verdict);
}

}  // namespace

std::vector<std::string> quoted_names(const kit::Node& node) {
  std::vector<std::string> names = {std::string(node.name())};
  for (std::uint32_t i = 0; i < node.input_count(); ++i) names.emplace_back(node.input(i).value_name());
  for (std::uint32_t i = 0; i < node.output_count(); ++i) names.emplace_back(node.output(i).value_name());
  return names;
}

std::optional<kit::Verdict> KnownNodes::find(const std::string& key, const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  kit::Verdict verdict = found->second.verdict;
  verdict.text = with_names(std::move(verdict.text), names);
  return verdict;
}

void KnownNodes::add(const std::string& key, kit::Verdict verdict, const std::vector<std::string>& names) {
  if (!holds_everywhere(verdict) || key.size() > kMostKeyBytes) return;
  verdict.text = without_names(std::move(verdict.text), names);
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMostEntries) return;
  more_than_file_ |= entries_.insert_or_assign(key, Entry{std::move(verdict), next_age_++}).second;
}

void KnownNodes::read(const std::string& folder, std::string_view prefix) {
  if (folder.empty()) return;
  std::ifstream in(folder + "/" + kFile, std::ios::binary);
  std::string line;
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  std::vector<std::pair<std::string, kit::Verdict>> held;
  if (std::getline(in, line) && line == kFirstLine) {
    while (held.size() < kMostEntries && bytes < kMostFileBytes && std::getline(in, line)) {
      bytes += line.size();
      auto entry = parse_line(line);
      if (entry && entry->first.starts_with(prefix)) held.push_back(std::move(*entry));
    }
  }
  // The newest stand first.
  for (auto entry = held.rbegin(); entry != held.rend() && entries_.size() < kMostEntries; ++entry)
    entries_.emplace(entry->first, Entry{entry->second, next_age_++});
  const auto wanted = [&](const auto& entry) { return entry.first.starts_with(prefix); };
  more_than_file_ = static_cast<std::size_t>(std::ranges::count_if(entries_, wanted)) > held.size();
}

void KnownNodes::write(const std::string& folder, std::string_view prefix) {
  if (folder.empty()) return;
  std::vector<std::pair<std::uint64_t, std::string>> lines;
  {
    const std::lock_guard lock(mutex_);
    if (!more_than_file_) return;
    for (const auto& [key, entry] : entries_) {
      if (key.starts_with(prefix)) lines.emplace_back(entry.age, line_of(key, entry.verdict));
    }
  }
  std::ranges::sort(lines, std::greater<>());
  std::string text = std::string(kFirstLine) + '\n';
  for (const auto& [age, line] : lines) {
    if (text.size() + line.size() > kMostFileBytes) break;
    text += line;
  }
  const std::string path = folder + "/" + kFile;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) return;
  std::error_code ignored;
  std::filesystem::remove(path, ignored);  // half a file is worse than none
}

}  // namespace axle::ort
