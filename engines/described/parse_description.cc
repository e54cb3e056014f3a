#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "parse_parts.h"
#include "patterns.h"

namespace axle::described {
namespace {

constexpr int64_t kFormat = 1;

void read_engine(Section& document, Description& description) {
  document.table_at("engine", [&](Section& engine) {
    kit::EngineInfo& info = description.info;
    info.name = engine.required("name");
    if (engine.ok() && !is_word(info.name)) {
      engine.fail("name", invalid_argument_error(fmt::format("\"{}\" is no engine name", printable(info.name, 64)))
                              .with_hint("a small letter, then small letters, digits and '_', at most 32"));
    }
    info.vendor = engine.required("vendor");
    info.description = engine.text_or("description");
    description.licence = engine.required("licence");
    info.install_command = engine.required("install");
    info.closed = engine.boolean_or("closed", true);
    info.deterministic = engine.boolean_or("deterministic", false);
    description.simulated = engine.boolean("simulated").value_or(false);
    if (engine.value("simulated") == nullptr)
      engine.fail("simulated", invalid_argument_error("engine.simulated is missing: say whether no real device computes"));
    description.backend = description.simulated ? engine.required("backend") : engine.text_or("backend");
  });
}

// "1e52:0401", or "1e52:*" for every device of a vendor's.
bool is_pci_id(std::string_view text) {
  if (text.ends_with(":*")) return text.size() == 6 && text.find_first_not_of("0123456789abcdef") == 4;
  return text.size() == 9 && text[4] == ':' && text.find_first_not_of("0123456789abcdef:") == std::string_view::npos &&
         std::count(text.begin(), text.end(), ':') == 1;
}

void read_resource(Section& document, Description& description) {
  document.table_at("resource", [&](Section& resource) {
    kit::ResourceInfo& info = description.resource;
    info.kind = resource.word_or("kind", {"cpu", "gpu", "npu", "pim", "remote", "hybrid"}, "npu");
    info.vendor = resource.text_or("vendor", description.info.vendor);
    info.name = resource.required("name");
    info.memory_bytes = resource.size_or("memory", 0);
    const std::vector<std::string> tags = resource.texts("tags");
    if (!tags.empty()) info.attributes["tags"] = join(tags, ",");
    description.pci_ids = resource.texts("pci_ids");
    for (const std::string& id : description.pci_ids) {
      if (!is_pci_id(id))
        resource.fail("pci_ids", invalid_argument_error(fmt::format("\"{}\" is no PCI id", printable(id, 32)))
                                     .with_hint("write for example \"1e52:0401\""));
    }
    if (description.simulated != description.pci_ids.empty()) {
      resource.fail("pci_ids",
                    invalid_argument_error(description.simulated ? "a simulated resource is no PCI device"
                                                                 : "pci_ids is missing: the devices that this is about"));
    }
    info.simulated = description.simulated;
    if (!description.backend.empty()) info.attributes["backend"] = description.backend;
    info.id = description.info.name + ":0";
  });
}

// What may stand in every text that is expanded once the tools are found; where artefacts are loaded the compiler need not be there.
Names common_names(const Description& description, bool compiling) {
  Names names = {"folder", "home", "scratch", "private"};
  for (const ToolSpec& tool : description.tools) {
    if (tool.only_to_compile && !compiling) continue;
    names.add("tool." + tool.name);
    names.add("tool." + tool.name + ".folder");
    names.add("version." + tool.name);
  }
  return names;
}

void require_section(Section& document, const char* key) {
  if (document.value(key) == nullptr)
    document.fail(key, invalid_argument_error(fmt::format("the section [{}] is missing", key)));
}

void read_document(Section& document, Description& description) {
  const auto format = document.integer("format", 0, 1'000'000);
  if (!format || *format != kFormat) {
    document.fail("format",
                  invalid_argument_error(format ? fmt::format("format {} is not known; this axle reads {}", *format, kFormat)
                                                : std::string("\"format = 1\" is missing")));
  }
  for (const char* section : {"engine", "resource", "tool", "capability", "compile", "artefact", "runtime"})
    require_section(document, section);
  read_engine(document, description);
  read_resource(document, description);
  read_tools(document, description);
  read_capability(document, description);
  read_options(document, description);
  if (!document.ok()) return;
  const Names common = common_names(description, false);
  read_environment(document, common, description);
  read_compile(document, common_names(description, true), description);
  read_artefact(document, common, description);
  read_failures(document, description);
  read_runtime(document, common, description);
}

bool holds_tool(std::string_view text, const ToolSpec& tool) {
  const auto holds = [&](const std::string& placeholder) { return text.find(placeholder) != std::string_view::npos; };
  return holds("${tool." + tool.name + "}") || holds("${tool." + tool.name + ".folder}") ||
         holds("${version." + tool.name + "}");
}

std::vector<std::string_view> texts_of(const Step& step) {
  std::vector<std::string_view> texts(step.outputs.begin(), step.outputs.end());
  for (const Argument& argument : step.argv) {
    texts.insert(texts.end(), {argument.text, argument.when, argument.is});
    texts.insert(texts.end(), argument.args.begin(), argument.args.end());
  }
  for (const ConfigFile& config : step.configs) {
    texts.insert(texts.end(), {config.file, config.text, config.from});
    for (const auto& [what, with] : config.replace) texts.emplace_back(with);
  }
  return texts;
}

}  // namespace

bool compiles_with(const Description& description, const ToolSpec& tool) {
  std::vector<std::string_view> texts;
  for (const Step& step : description.compile) {
    const std::vector<std::string_view> own = texts_of(step);
    texts.insert(texts.end(), own.begin(), own.end());
  }
  for (const auto& [name, value] : description.environment.set) texts.emplace_back(value);
  return tool.only_to_compile ||
         std::any_of(texts.begin(), texts.end(), [&](std::string_view text) { return holds_tool(text, tool); });
}

namespace {

// An artefact that is taken elsewhere is known there by what made it, and judged by what reads it.
void check_portable(Section& document, const Description& description) {
  if (!description.portable || !document.ok()) return;
  if (description.compatibility.empty()) {
    document.fail("artefact",
                  invalid_argument_error("artefact.portable needs artefact.compatibility: another machine's runtime must "
                                         "be able to tell whether an artefact is for it"));
  }
  for (const ToolSpec& tool : description.tools) {
    if (!tool.version_argv.empty() || !compiles_with(description, tool)) continue;
    document.fail("artefact",
                  invalid_argument_error(
                      fmt::format("artefact.portable needs a version of the tool \"{}\", which compiles: its content differs "
                                  "between architectures",
                                  tool.name))
                      .with_hint("give it version_argv and version_pattern"));
  }
}

}  // namespace

Result<Description> parse_description(std::string_view text, const std::string& origin) {
  AXLE_ASSIGN_OR_RETURN(const TomlValue document, parse_toml(text, origin));
  Description description;
  description.digest = sha256_of(text).to_string();
  Section section(document, "", origin);
  read_document(section, description);
  check_portable(section, description);
  AXLE_RETURN_IF_ERROR(section.finish());
  return description;
}

Result<Description> load_description(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IWOTH) != 0) {
    return permission_denied_error(fmt::format("{} is not used: everybody may write it, and it names programs to run", path))
        .with_hint(fmt::format("run: chmod o-w '{}'", path));
  }
  AXLE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxDescriptionBytes));
  AXLE_ASSIGN_OR_RETURN(Description description, parse_description(text, path));
  description.folder = std::filesystem::path(path).parent_path().string();
  return description;
}

}  // namespace axle::described
