// [runtime]: a program that is run for each call, functions of a library, or nothing.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "parse_parts.h"
#include "vendor_function.h"

namespace axle::described {
namespace {

constexpr std::array<std::string_view, 6> kReturns = {"handle", "status", "bool", "void", "text", "size"};
constexpr std::array<std::string_view, 12> kArguments = {"handle",  "handle_out",   "tensor",       "path",
                                                         "inputs",  "input_sizes",  "input_count",  "input_shapes",
                                                         "outputs", "output_sizes", "output_count", "output_shapes"};
constexpr std::array<const char*, 4> kVerbs = {"load", "run", "unload", "last_error"};
constexpr size_t kMaxArguments = 16;
constexpr size_t kMaxCalls = 16;
constexpr int64_t kMaxStride = 1 << 20;

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "&name" and "@name", which may end in "[0]": the name.
std::string_view variable_of(std::string_view word) {
  if (!word.starts_with('@') && !word.starts_with('&')) return "";
  if (word.starts_with('@') && word.ends_with("[0]")) word.remove_suffix(3);
  return word.substr(1);
}

Status no_argument(std::string_view argument) {
  return invalid_argument_error(fmt::format("\"{}\" is no argument", printable(argument, 64)))
      .with_hint(
          "handle, handle_out, path, inputs, input_sizes, input_count, input_shapes, outputs, output_sizes, output_count, "
          "output_shapes, a number, or a variable: &name and @name");
}

// "input_count:u32" -> "input_count"; the type is for numbers.
Status check_argument(std::string_view argument) {
  const size_t colon = argument.find(':');
  const std::string_view word = argument.substr(0, colon);
  const bool variable = word.starts_with('@') || word.starts_with('&');
  if (variable && !is_word(variable_of(word))) return no_argument(argument);
  const bool number =
      is_integer(word) || word == "input_count" || word == "output_count" || (word.starts_with('@') && !word.ends_with("[0]"));
  if (colon != std::string_view::npos) {
    const std::string_view type = argument.substr(colon + 1);
    const bool known = type == "i32" || type == "u32" || type == "i64" || type == "u64";
    if (!known || !number)
      return invalid_argument_error(
          fmt::format("\"{}\": only numbers have a type, i32, u32, i64 or u64", printable(argument, 64)));
  }
  if (number || variable || std::find(kArguments.begin(), kArguments.end(), word) != kArguments.end()) return ok_status();
  return no_argument(argument);
}

// "status(handle, path)"
Status read_signature(std::string_view text, Signature& signature) {
  const size_t open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')'))
    return invalid_argument_error(fmt::format("\"{}\" is no signature", printable(text, 100)))
        .with_hint("write for example \"status(handle, path)\"");
  signature.returns = std::string(trim(text.substr(0, open)));
  if (std::find(kReturns.begin(), kReturns.end(), signature.returns) == kReturns.end())
    return invalid_argument_error(fmt::format("a function cannot return \"{}\"", printable(signature.returns, 32)))
        .with_hint("handle, status, bool, void, text or size");
  const std::string_view inner = trim(text.substr(open + 1, text.size() - open - 2));
  if (inner.empty()) return ok_status();
  for (const std::string_view piece : split(inner, ',')) {
    AXLE_RETURN_IF_ERROR(check_argument(trim(piece)));
    signature.arguments.emplace_back(trim(piece));
  }
  if (signature.arguments.size() > kMaxArguments) return invalid_argument_error("a function has too many arguments");
  return ok_status();
}

bool holds(const std::vector<Signature>& calls, std::string_view word) {
  return std::any_of(calls.begin(), calls.end(), [&](const Signature& call) {
    return std::find(call.arguments.begin(), call.arguments.end(), word) != call.arguments.end();
  });
}

bool is_library_tool(const Description& description, const std::string& name) {
  return std::any_of(description.tools.begin(), description.tools.end(),
                     [&](const ToolSpec& tool) { return tool.name == name && tool.is_library && !tool.only_to_compile; });
}

Signature read_function(Section& function, const Description& description) {
  Signature signature;
  signature.symbol = function.required("symbol");
  function.fail("signature", read_signature(function.required("signature"), signature));
  signature.library = function.text_or("library");
  if (!signature.library.empty() && !is_library_tool(description, signature.library))
    function.fail("library", invalid_argument_error(
                                 fmt::format("there is no tool \"{}\" of kind library", printable(signature.library, 64))));
  return signature;
}

// One table, or an array of them: calls in order.
std::vector<Signature> read_calls(Section& functions, const char* verb, const Description& description) {
  std::vector<Signature> calls;
  const auto add = [&](Section& function) { calls.push_back(read_function(function, description)); };
  const TomlValue* found = functions.value(verb);
  if (found != nullptr && found->kind == TomlValue::Kind::kArray)
    functions.each_at(verb, add);
  else
    functions.table_at(verb, add);
  if (calls.size() > kMaxCalls) functions.fail(verb, invalid_argument_error("there are too many calls"));
  return calls;
}

void check_load(Section& section, const std::vector<Signature>& load) {
  const auto gives_handle = [](const Signature& call) { return call.returns == "handle" || holds({call}, "handle_out"); };
  if (!holds(load, "path") || std::count_if(load.begin(), load.end(), gives_handle) != 1)
    section.fail("load", invalid_argument_error("load takes path and gives the handle: it returns it, or has handle_out"));
  const auto tells = [](const Signature& call) { return call.returns != "void" && call.returns != "text"; };
  if (std::none_of(load.begin(), load.end(), tells))
    section.fail("load", invalid_argument_error("load must tell whether it succeeded"));
}

void check_run(Section& section, const RuntimeSpec& runtime) {
  const std::vector<Signature>& run = runtime.functions.at("run");
  const bool inputs = !runtime.tensors.inputs.empty() || holds(run, "inputs");
  const bool outputs = !runtime.tensors.outputs.empty() || holds(run, "outputs");
  const auto tells = [](const Signature& call) { return call.returns == "status" || call.returns == "bool"; };
  if (!inputs || !outputs || std::none_of(run.begin(), run.end(), tells))
    section.fail("run", invalid_argument_error("run takes inputs and outputs, and returns status or bool"));
}

// A variable has its value from a function of load that got its address.
void check_variables(Section& section, const RuntimeSpec& runtime) {
  for (const auto& [verb, calls] : runtime.functions) {
    for (const Signature& call : calls) {
      for (const std::string& argument : call.arguments) {
        const std::string_view name = variable_of(std::string_view(argument).substr(0, argument.find(':')));
        if (name.empty() || argument[0] == '&' || holds(runtime.functions.at("load"), "&" + std::string(name))) continue;
        section.fail(verb.c_str(), invalid_argument_error(fmt::format("nothing sets @{}: no function of load has &{}",
                                                                      printable(name, 64), printable(name, 64))));
      }
    }
  }
}

void read_functions(Section& section, const Description& description, RuntimeSpec& runtime) {
  for (const char* verb : kVerbs) {
    if (auto calls = read_calls(section, verb, description); !calls.empty()) runtime.functions[verb] = std::move(calls);
  }
  for (const char* verb : {"load", "run", "unload"}) {
    if (!runtime.functions.contains(verb))
      section.fail(verb, invalid_argument_error(fmt::format("runtime.functions.{} is missing", verb)));
  }
  if (!section.ok()) return;
  check_load(section, runtime.functions["load"]);
  check_run(section, runtime);
  check_variables(section, runtime);
  if (!holds(runtime.functions["unload"], "handle")) section.fail("unload", invalid_argument_error("unload takes the handle"));
  if (runtime.functions.contains("last_error") && runtime.functions["last_error"].front().returns != "text")
    section.fail("last_error", invalid_argument_error("last_error returns text"));
}

Signature read_tensor_function(Section& section, const char* key, const std::string& returns, const Description& description) {
  Signature signature;
  section.table_at(key, [&](Section& function) { signature = read_function(function, description); });
  if (section.ok() && (signature.returns != returns || !holds({signature}, "tensor")))
    section.fail(key, invalid_argument_error(fmt::format("{} is a function \"{}(tensor)\"", key, returns)));
  return signature;
}

void read_tensors(Section& section, const Description& description, OwnTensors& tensors) {
  tensors.inputs = section.required("inputs");
  tensors.outputs = section.required("outputs");
  tensors.input_count = section.text_or("input_count");
  tensors.output_count = section.text_or("output_count");
  tensors.stride = static_cast<uint64_t>(section.integer("stride", 1, kMaxStride).value_or(0));
  if (tensors.stride == 0)
    section.fail("stride", invalid_argument_error("stride is missing: bytes from one tensor to the next"));
  tensors.data = read_tensor_function(section, "data", "handle", description);
  tensors.size = read_tensor_function(section, "size", "size", description);
}

// The variables of the runtime's own tensors are set by load, too.
void check_tensors(Section& section, const RuntimeSpec& runtime) {
  const OwnTensors& own = runtime.tensors;
  for (const std::string* name : {&own.inputs, &own.outputs, &own.input_count, &own.output_count}) {
    if (name->empty() || !section.ok() || holds(runtime.functions.at("load"), "&" + *name)) continue;
    section.fail("tensors", invalid_argument_error(fmt::format("nothing sets \"{}\": no function of load has &{}",
                                                               printable(*name, 64), printable(*name, 64))));
  }
}

void read_library(Section& section, const Description& description, RuntimeSpec& runtime) {
  runtime.kind = RuntimeKind::kLibrary;
  runtime.library = section.required("library");
  if (section.ok() && !is_library_tool(description, runtime.library))
    section.fail("library", invalid_argument_error(
                                fmt::format("there is no tool \"{}\" of kind library", printable(runtime.library, 64))));
  runtime.success_value = section.integer("success_value", INT32_MIN, INT32_MAX).value_or(0);
  runtime.least_rank = static_cast<size_t>(section.integer("least_rank", 0, VendorShape::kMostSizes).value_or(0));
  if (section.value("functions") == nullptr) section.fail("functions", invalid_argument_error("runtime.functions is missing"));
  section.table_at("tensors", [&](Section& tensors) { read_tensors(tensors, description, runtime.tensors); });
  section.table_at("functions", [&](Section& functions) { read_functions(functions, description, runtime); });
  if (section.ok()) check_tensors(section, runtime);
  runtime.file = section.text_or("file", description.artefact_files.empty() ? "" : description.artefact_files.front());
  if (section.ok() && std::find(description.artefact_files.begin(), description.artefact_files.end(), runtime.file) ==
                          description.artefact_files.end()) {
    section.fail("file", invalid_argument_error(fmt::format("\"{}\" is no file of the artefact", printable(runtime.file, 64))));
  }
}

TensorFiles files_of(const std::string& word) {
  return word == "npz" ? TensorFiles::kNpz : word == "raw" ? TensorFiles::kRaw : TensorFiles::kNpy;
}

void read_command(Section& section, const Names& names, RuntimeSpec& runtime) {
  runtime.input_files = files_of(section.word_or("inputs", {"npy", "npz", "raw"}, "npy"));
  runtime.output_files = files_of(section.word_or("outputs", {"npy", "npz", "raw"}, "npy"));
  const auto name_for = [](TensorFiles files, const std::string& what) {
    return files == TensorFiles::kNpz ? what + "s.npz" : what + "${index}" + (files == TensorFiles::kRaw ? ".bin" : ".npy");
  };
  runtime.input_file = section.text_or("input_file", name_for(runtime.input_files, "input"));
  runtime.output_file = section.text_or("output_file", name_for(runtime.output_files, "output"));
  const Names in_names = {"index", "file_name"};
  section.fail("input_file", in_names.check(runtime.input_file));
  section.fail("output_file", in_names.check(runtime.output_file));
  for (const std::string* file : {&runtime.input_file, &runtime.output_file}) {
    if (file->find('/') != std::string::npos)
      section.fail("input_file", invalid_argument_error("a tensor's file has no folder"));
  }
  runtime.step = read_step(section, names);
  runtime.step.name = "run";
}

}  // namespace

void read_runtime(Section& document, const Names& common, Description& description) {
  Names names =
      common.with({"artefact", "work", "in", "out", "threads", "precision", "inputs_json", "outputs_json"}).with_tensors();
  for (const kit::Option& option : description.capability.options) names.add("option." + option.name);
  document.table_at("runtime", [&](Section& section) {
    section.required("kind");
    const std::string kind = section.word_or("kind", {"command", "library", "none"}, "command");
    RuntimeSpec& runtime = description.runtime;
    if (kind == "library") return read_library(section, description, runtime);
    if (kind == "command") return read_command(section, names, runtime);
    runtime.kind = RuntimeKind::kNone;
    runtime.reason = section.required("reason");
    description.resource.attributes["runs"] = "no";
  });
}

}  // namespace axle::described
