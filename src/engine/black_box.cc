#include "axle/black_box.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace axle {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostNameBytes = 32;
constexpr const char* kConfigFile = "${work}/compiler.cfg";

// A TOML basic string.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\u{:04x}", byte);
    else
      out += c;
  }
  return out + "\"";
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + toml_text(text);
  return "[" + out + "]";
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

// What a description takes as it stands: a dollar sign begins a placeholder there.
std::string literal(std::string text) {
  replace_all(text, "$", "$$");
  return text;
}

// The caller's {words} as the description's placeholders and the flags' values.
std::string filled(const BlackBox& box, const std::string& text) {
  std::string out = literal(text);
  for (const auto& [name, value] : box.flags) replace_all(out, "{" + name + "}", literal(value));
  replace_all(out, "{input}", "${model}");
  replace_all(out, "{output}", "${out}/" + literal(box.output));
  replace_all(out, "{config}", kConfigFile);
  return out;
}

std::string seconds(int64_t duration_ns) { return fmt::format("{}ms", std::max<int64_t>(1, duration_ns / 1'000'000)); }

std::string tool(const std::string& name, const std::string& file, const std::vector<std::string>& folders, bool library) {
  std::string out = fmt::format("\n[[tool]]\nname = \"{}\"\nfile = {}\n", name, toml_text(file));
  if (library) out += "kind = \"library\"\n";
  std::vector<std::string> paths;
  std::error_code error;
  for (const std::string& folder : folders) paths.push_back(literal(fs::absolute(folder, error).string()));
  if (!paths.empty()) out += "paths = " + list_of(paths) + "\n";
  return out;
}

std::string compiler(const BlackBox& box) {
  std::string out = tool("compiler", box.program, box.search_paths, false);
  if (!box.version_arguments.empty()) {
    out += "version_argv = " + list_of(box.version_arguments) + "\n";
    out += "version_pattern = " + toml_text(box.version_pattern) + "\n";
    if (!box.versions.empty()) out += "versions = " + toml_text(box.versions) + "\n";
  }
  return out;
}

std::string compile_step(const BlackBox& box) {
  std::vector<std::string> argv = {"${tool.compiler}"};
  for (const std::string& argument : box.arguments) argv.push_back(filled(box, argument));
  std::string out = "\n[[compile]]\nname = \"compile\"\nargv = " + list_of(argv) + "\n";
  out += fmt::format("timeout = \"{}\"\noutputs = [{}]\n", seconds(box.timeout_ns), toml_text("${out}/" + literal(box.output)));
  if (!box.config.empty()) {
    out +=
        fmt::format("\n[[compile.config]]\nfile = {}\ntext = {}\n", toml_text(kConfigFile), toml_text(filled(box, box.config)));
  }
  if (!box.log_must.empty()) out += "\n[compile.success]\nlog_must = " + list_of(box.log_must) + "\n";
  return out;
}

// What was compiled before is taken as it is.
std::string copy_step(const BlackBox& box) {
  std::string out = tool("copy", "cp", {}, false);
  out += "\n[[compile]]\nname = \"take over\"\nargv = " +
         list_of({"${tool.copy}", literal(box.engine_file), "${out}/" + literal(box.output)}) + "\n";
  return out + "outputs = [" + toml_text("${out}/" + literal(box.output)) + "]\n";
}

std::string runtime(const BlackBox& box) {
  // A runtime has to be described; this one is never asked for.
  const char* first = box.program.empty() ? "copy" : "compiler";
  if (box.runtime_library.empty()) return fmt::format("\n[runtime]\nkind = \"command\"\nargv = [\"${{tool.{}}}\"]\n", first);
  std::string out =
      "\n[runtime]\nkind = \"library\"\nlibrary = \"runtime\"\nfile = " + toml_text(box.output) + "\n\n[runtime.functions]\n";
  for (const auto& [verb, function] : box.functions) {
    out += fmt::format("{} = {{ symbol = {}, signature = {} }}\n", verb, toml_text(function.symbol),
                       toml_text(function.signature));
  }
  return out;
}

std::string runtime_tool(const BlackBox& box) {
  if (box.runtime_library.empty()) return "";
  const fs::path path(box.runtime_library);
  return tool("runtime", path.filename().string(),
              path.has_parent_path() ? std::vector<std::string>{path.parent_path().string()} : std::vector<std::string>{},
              true);
}

std::string engine(const BlackBox& box) {
  std::string out = fmt::format("format = 1\n\n[engine]\nname = \"{}\"\nvendor = {}\nlicence = \"not stated\"\n", box.name,
                                toml_text(box.vendor));
  // The content of a file that was made elsewhere is part of what the engine is.
  if (!box.engine_digest.empty()) out += "description = " + toml_text("runs " + box.engine_digest) + "\n";
  out += "install = " + toml_text("install the tools of " + box.vendor + ", or name the folder where they are") + "\n";
  out += box.pci_ids.empty() ? "simulated = true\nbackend = \"the vendor's tools, which show no device\"\n"
                             : "simulated = false\n";
  out +=
      fmt::format("\n[resource]\nkind = \"{}\"\nname = {}\n", resource_kind_name(box.kind), toml_text(box.vendor + " device"));
  if (!box.pci_ids.empty()) out += "pci_ids = " + list_of(box.pci_ids) + "\n";
  return out;
}

}  // namespace

std::string engine_name_of(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '_';
  }
  if (name.empty() || std::isalpha(static_cast<unsigned char>(name.front())) == 0) name = "tool_" + name;
  return name.substr(0, kMostNameBytes);
}

std::vector<std::string> flag_arguments(const std::map<std::string, std::string>& flags) {
  std::vector<std::string> words;
  for (const auto& [name, value] : flags) {
    std::string word = "--" + name;
    for (char& c : word) c = c == '_' ? '-' : c;
    words.push_back(std::move(word));
    words.push_back("{" + name + "}");
  }
  return words;
}

Result<std::string> describe_black_box(const BlackBox& box) {
  if (box.program.empty() == box.engine_file.empty())
    return invalid_argument_error("a black box has either a compiler's program or a compiled file");
  if (box.name.empty() || box.name != engine_name_of(box.name))
    return invalid_argument_error("'" + box.name + "' is no name of an engine")
        .with_hint("a letter, then a-z, 0-9 and _; at most 32");
  const bool compiles = !box.program.empty();
  // Tables of tools come before the steps that name them, for readers.
  std::string out = engine(box);
  if (compiles) out += compiler(box);
  out += runtime_tool(box);
  out += "\n[capability]\nformats = " + list_of(box.formats) +
         "\ndtypes = [\"f32\", \"f16\", \"bf16\", \"i8\", \"u8\", \"i16\", \"u16\", \"i32\", \"u32\", \"i64\", \"bool\"]\n";
  out += "precisions = " + list_of({box.precision}) + "\n\n[environment]\nbase = \"inherited\"\n";
  out += compiles ? compile_step(box) : copy_step(box);
  out += "\n[artefact]\nfiles = [" + toml_text(box.output) + "]\n";
  return out + runtime(box);
}

}  // namespace axle
