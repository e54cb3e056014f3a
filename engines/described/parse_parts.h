// Internal to parse_description: sections of the document, and which placeholders a text may hold.
#pragma once

#include <set>
#include <string>

#include "base/toml_document.h"
#include "description.h"

namespace axle::described {

inline constexpr size_t kMaxItems = 512;  // of any list

class Section : public TomlReader {
 public:
  Section(const TomlValue& table, std::string path, const std::string& origin)
      : TomlReader(table, std::move(path), origin, "a description"), place_(table.place) {}

  std::string text_or(const char* key, std::string fallback = "");
  // Fails when it is missing or empty.
  std::string required(const char* key);
  bool boolean_or(const char* key, bool fallback) { return boolean(key).value_or(fallback); }
  int64_t duration_or(const char* key, int64_t fallback);
  uint64_t size_or(const char* key, uint64_t fallback);
  std::map<std::string, std::string> text_map(const char* key);
  // One of `words`, or `fallback`.
  std::string word_or(const char* key, std::initializer_list<std::string_view> words, std::string fallback);
  // At the value of `key`, or where the section begins; no effect when `status` is OK.
  void fail(const char* key, const Status& status);
  bool ok() const { return status().ok(); }
  std::string below(std::string_view key) const;

  // Calls read(Section&) for the table `key`, when it is there.
  template <typename F>
  void table_at(const char* key, F read) {
    if (const TomlValue* found = table(key); found != nullptr && ok()) read_one(*found, key, read);
  }
  // The same for each table of the array `key`.
  template <typename F>
  void each_at(const char* key, F read) {
    const TomlValue* found = array(key);
    if (found == nullptr || !ok()) return;
    if (found->items.size() > kMaxItems) return fail(key, invalid_argument_error(below(key) + " has too many entries"));
    for (const TomlValue& item : found->items) {
      if (item.kind != TomlValue::Kind::kTable)
        return fail_at(item.place, invalid_argument_error(below(key) + " must hold tables"));
      read_one(item, key, read);
    }
  }

 private:
  template <typename F>
  void read_one(const TomlValue& item, const char* key, F read) {
    Section section(item, below(key), origin());
    read(section);
    adopt(section.finish());
  }
  TomlPlace place_;
};

// What ${...} may be in one kind of text.
class Names {
 public:
  Names() = default;
  Names(std::initializer_list<const char*> names) : names_(names.begin(), names.end()) {}
  void add(std::string name) { names_.insert(std::move(name)); }
  Names with(std::initializer_list<const char*> more) const;
  // input.0 and so on
  Names with_tensors() const;
  Status check(std::string_view text) const;

 private:
  std::set<std::string, std::less<>> names_;
  bool tensors_ = false;
};

bool is_word(std::string_view text);       // [a-z][a-z0-9_]*, at most 32
bool is_file_name(std::string_view text);  // one component, [A-Za-z0-9_.-], no leading dot

// The parts. Each adds to `description` and leaves failures in the section.
void read_tools(Section& document, Description& description);
void read_capability(Section& document, Description& description);
void read_options(Section& document, Description& description);
void read_environment(Section& document, const Names& common, Description& description);
void read_compile(Section& document, const Names& common, Description& description);
void read_artefact(Section& document, const Names& common, Description& description);
void read_failures(Section& document, Description& description);
void read_runtime(Section& document, const Names& common, Description& description);
// argv, config, timeout, memory, success: what a program that is run has.
Step read_step(Section& section, const Names& names);

}  // namespace axle::described
