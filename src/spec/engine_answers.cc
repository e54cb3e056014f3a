// What an engine says of itself: describe, resources, capability. Reader and writer of a document stand side by side.
#include "spec/engine_answers.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "spec/answer_fields.h"

namespace axle {
namespace {

using answers::each;
using answers::finish;
using answers::WordRow;

constexpr size_t kMaxResources = 256;
constexpr size_t kMaxOptions = 512;
constexpr size_t kMaxOps = 100'000;
constexpr size_t kMaxToolchain = 64;

constexpr std::array<WordRow<CancelLatency>, 3> kCancelWords = {
    {{"run", CancelLatency::kRun}, {"node", CancelLatency::kNode}, {"immediate", CancelLatency::kImmediate}}};
constexpr std::array<WordRow<DynamicShapes>, 3> kDynamicWords = {
    {{"no", DynamicShapes::kNo}, {"bounded", DynamicShapes::kBounded}, {"yes", DynamicShapes::kYes}}};
constexpr std::array<WordRow<OptionType>, 5> kOptionWords = {{{"boolean", OptionType::kBoolean},
                                                              {"integer", OptionType::kInteger},
                                                              {"number", OptionType::kNumber},
                                                              {"text", OptionType::kText},
                                                              {"choice", OptionType::kChoice}}};
Json type_words(const std::vector<DataType>& types) {
  Json words = Json::array();
  for (const DataType type : types) words.push_back(std::string(answers::word_of_data_type(type)));
  return words;
}

Status check_engine_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 32 && name[0] >= 'a' && name[0] <= 'z' &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  return good ? ok_status() : invalid_argument_error("describe.name must be [a-z][a-z0-9_]*, at most 32 characters");
}

template <typename T, typename Read>
Result<T> parse_document(std::string_view text, const Read& read) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxAnswerBytes, 16));
  return read(json);
}

Result<OptionSpec> option_from_json(const Json& json, const std::string& where, AnswerKeys keys) {
  JsonReader reader(json, where);
  OptionSpec option;
  option.name = answers::name(reader, "name");
  option.type = answers::word(reader, "type", kOptionWords);
  option.default_value = reader.text("default");
  for (const std::string& affected : answers::texts(reader, "affects", 3)) {
    if (affected == "numerics")
      option.affects_numerics = true;
    else if (affected == "speed")
      option.affects_speed = true;
    else if (affected == "memory")
      option.affects_memory = true;
    else
      reader.fail(
          invalid_argument_error(where + ".affects holds '" + affected.substr(0, 64) + "', wanted numerics, speed, memory"));
  }
  option.choices = answers::texts(reader, "choices");
  if (reader.optional("minimum") != nullptr) option.minimum = reader.number("minimum");
  if (reader.optional("maximum") != nullptr) option.maximum = reader.number("maximum");
  option.description = answers::text(reader, "description");
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  if (option.type == OptionType::kChoice && option.choices.empty())
    return invalid_argument_error(where + " is a choice without choices");
  if (Status status = check_option(option, option.default_value); !status.ok())
    return std::move(status).with_context(where + ".default");
  return option;
}

Json option_to_json(const OptionSpec& option) {
  Json affects = Json::array();
  if (option.affects_numerics) affects.push_back("numerics");
  if (option.affects_speed) affects.push_back("speed");
  if (option.affects_memory) affects.push_back("memory");
  Json json = {{"name", option.name},
               {"type", std::string(answers::word_of(kOptionWords, option.type))},
               {"default", option.default_value},
               {"affects", affects},
               {"description", option.description}};
  if (option.type == OptionType::kChoice) json["choices"] = option.choices;
  if (option.minimum) json["minimum"] = *option.minimum;
  if (option.maximum) json["maximum"] = *option.maximum;
  return json;
}

void read_ops(JsonReader& reader, Capability& capability, AnswerKeys keys) {
  const Json* ops = reader.optional("ops");
  if (ops == nullptr) return reader.fail(invalid_argument_error("capability lacks the key \"ops\""));
  if (ops->is_string() && ops->get_ref<const std::string&>() == "probed") {
    capability.ops_probed = true;
    return;
  }
  each(reader, "ops", kMaxOps, true, [&](const Json& item, const std::string& where) -> Status {
    JsonReader op(item, where);
    OpSpec spec;
    spec.domain = answers::text(op, "domain");
    spec.op_type = answers::required_text(op, "op");
    spec.min_opset = op.integer_or("min_opset", 1);
    spec.max_opset = op.integer_or("max_opset", 0);
    spec.dtypes = answers::data_types(op, "dtypes");
    capability.ops.push_back(std::move(spec));
    return finish(op, keys);
  });
}

void read_presets(JsonReader& reader, Capability& capability, AnswerKeys keys) {
  each(reader, "presets", kMaxPresets, false, [&](const Json& item, const std::string& where) -> Status {
    JsonReader preset_reader(item, where);
    Preset preset;
    preset.name = answers::name(preset_reader, "name");
    preset.options = answers::text_map(preset_reader, "options", kMaxOptions);
    preset.description = answers::text(preset_reader, "description");
    AXLE_RETURN_IF_ERROR(finish(preset_reader, keys));
    capability.presets.push_back(std::move(preset));
    return ok_status();
  });
  const auto is_default = [](const Preset& preset) { return preset.name == "default"; };
  if (std::none_of(capability.presets.begin(), capability.presets.end(), is_default)) {
    capability.presets.insert(capability.presets.begin(), Preset{"default", {}, ""});
  }
}

// Every preset must be loadable: its options known and in their domains, names told apart.
Status check_presets(const Capability& capability) {
  std::set<std::string> names;
  for (const OptionSpec& option : capability.options) {
    if (!names.insert(option.name).second)
      return invalid_argument_error("capability.options names '" + option.name + "' twice");
  }
  names.clear();
  for (const Preset& preset : capability.presets) {
    if (!names.insert(preset.name).second)
      return invalid_argument_error("capability.presets names '" + preset.name + "' twice");
    if (auto resolved = resolve_options(capability, preset.name, {}); !resolved.ok()) {
      return std::move(resolved).status().with_context("capability.presets");
    }
  }
  return ok_status();
}

}  // namespace

Result<EngineInfo> engine_info_from_json(const Json& json, AnswerKeys keys) {
  JsonReader reader(json, "describe");
  EngineInfo info;
  info.abi_version = static_cast<uint32_t>(std::clamp<int64_t>(reader.integer("abi"), 0, UINT32_MAX));
  info.name = reader.text("name");
  info.vendor = answers::text(reader, "vendor");
  info.plugin_version = answers::text(reader, "plugin_version");
  info.description = answers::text(reader, "description");
  info.closed = reader.boolean_or("closed", false);
  info.deterministic = reader.boolean_or("deterministic", false);
  info.honours_cpu_set = reader.boolean_or("honours_cpu_set", false);
  info.holds_gil = reader.boolean_or("holds_gil", false);
  info.example = reader.boolean_or("example", false);
  info.cancel_latency = answers::word(reader, "cancel_latency", kCancelWords, std::optional(CancelLatency::kRun));
  info.install_command = answers::text(reader, "install_command");
  info.search = answers::texts(reader, "search");
  info.toolchain = answers::text_map(reader, "toolchain", kMaxToolchain);
  if (const Json* library = reader.optional("library")) {
    JsonReader member(*library, "describe.library");
    EngineLibrary found;
    found.path = answers::text(member, "path");
    found.version = answers::text(member, "version");
    found.build = answers::text(member, "build");
    found.copies = answers::texts(member, "copies");
    found.parts = answers::texts(member, "parts");
    AXLE_RETURN_IF_ERROR(finish(member, keys));
    info.library = std::move(found);
  }
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  AXLE_RETURN_IF_ERROR(check_engine_name(info.name));
  return info;
}

Json engine_info_to_json(const EngineInfo& info) {
  Json json = {{"abi", info.abi_version},
               {"name", info.name},
               {"vendor", info.vendor},
               {"plugin_version", info.plugin_version},
               {"description", info.description},
               {"closed", info.closed},
               {"deterministic", info.deterministic},
               {"honours_cpu_set", info.honours_cpu_set},
               {"holds_gil", info.holds_gil},
               {"cancel_latency", std::string(answers::word_of(kCancelWords, info.cancel_latency))},
               {"install_command", info.install_command},
               {"search", info.search}};
  if (info.example) json["example"] = true;
  if (!info.toolchain.empty()) json["toolchain"] = info.toolchain;
  if (info.library) {
    json["library"] = {{"path", info.library->path},
                       {"version", info.library->version},
                       {"build", info.library->build},
                       {"copies", info.library->copies}};
    if (!info.library->parts.empty()) json["library"]["parts"] = info.library->parts;
  }
  return json;
}

Result<std::vector<EngineResource>> engine_resources_from_json(const Json& json, AnswerKeys keys) {
  JsonReader reader(json, "resources");
  std::vector<EngineResource> resources;
  std::set<std::string> ids;
  each(reader, "resources", kMaxResources, true, [&](const Json& item, const std::string& where) -> Status {
    JsonReader member(item, where);
    EngineResource found;
    found.engine_id = answers::name(member, "id");
    const std::string kind = member.text("kind");
    found.resource.vendor = answers::text(member, "vendor");
    found.resource.name = answers::text(member, "name");
    found.resource.pci_address = answers::text(member, "pci_address");
    found.resource.uuid = answers::text(member, "uuid");
    found.resource.memory_bytes = static_cast<uint64_t>(std::max<int64_t>(0, member.integer_or("memory_bytes", 0)));
    found.resource.simulated = member.boolean_or("simulated", false);
    found.resource.attributes = answers::text_map(member, "attributes");
    AXLE_RETURN_IF_ERROR(finish(member, keys));
    const auto parsed = parse_resource_kind(kind);
    if (!parsed)
      return invalid_argument_error(where + ".kind is '" + kind.substr(0, 64) +
                                    "', wanted cpu, gpu, npu, pim, remote or hybrid");
    if (!ids.insert(found.engine_id).second)
      return invalid_argument_error(where + ".id '" + found.engine_id + "' is there twice");
    found.resource.kind = *parsed;
    found.resource.id = found.engine_id;
    resources.push_back(std::move(found));
    return ok_status();
  });
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  return resources;
}

Json engine_resources_to_json(const std::vector<EngineResource>& resources) {
  Json list = Json::array();
  for (const EngineResource& item : resources) {
    const Resource& resource = item.resource;
    list.push_back({{"id", item.engine_id},
                    {"kind", std::string(resource_kind_name(resource.kind))},
                    {"vendor", resource.vendor},
                    {"name", resource.name},
                    {"pci_address", resource.pci_address},
                    {"uuid", resource.uuid},
                    {"memory_bytes", resource.memory_bytes},
                    {"simulated", resource.simulated},
                    {"attributes", resource.attributes}});
  }
  return {{"resources", std::move(list)}};
}

Result<Capability> capability_from_json(const Json& json, AnswerKeys keys) {
  JsonReader reader(json, "capability");
  Capability capability;
  if (!reader.has("formats")) reader.fail(invalid_argument_error("capability lacks the key \"formats\""));
  capability.formats = answers::texts(reader, "formats");
  each(reader, "precisions", 64, true, [&](const Json& item, const std::string& where) -> Status {
    JsonReader member(item, where);
    capability.precisions.push_back(
        {answers::name(member, "name"), answers::text(member, "accumulates"), member.boolean_or("native", true)});
    return finish(member, keys);
  });
  if (!reader.has("dtypes")) reader.fail(invalid_argument_error("capability lacks the key \"dtypes\""));
  capability.dtypes = answers::data_types(reader, "dtypes");
  read_ops(reader, capability, keys);
  capability.dynamic_shapes = answers::word(reader, "dynamic_shapes", kDynamicWords);
  capability.needs_compile = reader.boolean_or("needs_compile", false);
  capability.can_compile = reader.boolean_or("can_compile", capability.needs_compile);
  capability.copy_recipe = answers::text(reader, "copy_recipe");
  each(reader, "options", kMaxOptions, false, [&](const Json& item, const std::string& where) -> Status {
    AXLE_ASSIGN_OR_RETURN(OptionSpec option, option_from_json(item, where, keys));
    capability.options.push_back(std::move(option));
    return ok_status();
  });
  read_presets(reader, capability, keys);
  if (const Json* limits = reader.optional("limits")) {
    if (!limits->is_object() || limits->size() > 64)
      return invalid_argument_error("capability.limits must be an object of at most 64 integers");
    for (const auto& [name, value] : limits->items()) {
      if (!value.is_number_integer())
        return invalid_argument_error("capability.limits." + name.substr(0, 64) + " must be an integer");
      capability.limits.emplace(name, value.get<int64_t>());
    }
  }
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  AXLE_RETURN_IF_ERROR(check_presets(capability));
  return capability;
}

Json capability_to_json(const Capability& capability) {
  Json precisions = Json::array(), ops = Json::array(), options = Json::array(), presets = Json::array();
  for (const PrecisionSpec& p : capability.precisions) {
    precisions.push_back({{"name", p.name}, {"accumulates", p.accumulates}, {"native", p.native}});
  }
  for (const OpSpec& op : capability.ops) {
    ops.push_back({{"domain", op.domain},
                   {"op", op.op_type},
                   {"min_opset", op.min_opset},
                   {"max_opset", op.max_opset},
                   {"dtypes", type_words(op.dtypes)}});
  }
  if (capability.ops_probed) ops = "probed";
  for (const OptionSpec& option : capability.options) options.push_back(option_to_json(option));
  for (const Preset& preset : capability.presets) {
    presets.push_back({{"name", preset.name}, {"options", preset.options}, {"description", preset.description}});
  }
  Json json = {{"formats", capability.formats},
               {"precisions", std::move(precisions)},
               {"dtypes", type_words(capability.dtypes)},
               {"ops", std::move(ops)},
               {"dynamic_shapes", std::string(answers::word_of(kDynamicWords, capability.dynamic_shapes))},
               {"needs_compile", capability.needs_compile},
               {"can_compile", capability.can_compile},
               {"options", std::move(options)},
               {"presets", std::move(presets)},
               {"limits", capability.limits}};
  if (!capability.copy_recipe.empty()) json["copy_recipe"] = capability.copy_recipe;
  return json;
}

Result<EngineInfo> parse_engine_info(std::string_view text, AnswerKeys keys) {
  return parse_document<EngineInfo>(text, [&](const Json& json) { return engine_info_from_json(json, keys); });
}
Result<std::vector<EngineResource>> parse_engine_resources(std::string_view text, AnswerKeys keys) {
  return parse_document<std::vector<EngineResource>>(text,
                                                     [&](const Json& json) { return engine_resources_from_json(json, keys); });
}
Result<Capability> parse_capability(std::string_view text, AnswerKeys keys) {
  return parse_document<Capability>(text, [&](const Json& json) { return capability_from_json(json, keys); });
}
}  // namespace axle
