// [runtime]: a program that is run for each call, or functions of a library.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "parse_parts.h"

namespace axle::described {
namespace {

constexpr std::array<std::string_view, 5> kReturns = {"handle", "status", "bool", "void", "text"};
constexpr std::array<std::string_view, 9> kArguments = {
    "handle", "handle_out", "path", "inputs", "input_sizes", "input_count", "outputs", "output_sizes", "output_count"};
constexpr size_t kMaxArguments = 16;

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "input_count:u32" -> "input_count"; the type is for numbers.
Status check_argument(std::string_view argument) {
  const size_t colon = argument.find(':');
  const std::string_view word = argument.substr(0, colon);
  const bool number = is_integer(word) || word == "input_count" || word == "output_count";
  if (colon != std::string_view::npos) {
    const std::string_view type = argument.substr(colon + 1);
    const bool known = type == "i32" || type == "u32" || type == "i64" || type == "u64";
    if (!known || !number)
      return invalid_argument_error(
          fmt::format("\"{}\": only numbers have a type, i32, u32, i64 or u64", printable(argument, 64)));
  }
  if (number || std::find(kArguments.begin(), kArguments.end(), word) != kArguments.end()) return ok_status();
  return invalid_argument_error(fmt::format("\"{}\" is no argument", printable(argument, 64)))
      .with_hint(
          "handle, handle_out, path, inputs, input_sizes, input_count, outputs, output_sizes, output_count, or a number");
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
        .with_hint("handle, status, bool, void or text");
  const std::string_view inner = trim(text.substr(open + 1, text.size() - open - 2));
  if (inner.empty()) return ok_status();
  for (const std::string_view piece : split(inner, ',')) {
    AXLE_RETURN_IF_ERROR(check_argument(trim(piece)));
    signature.arguments.emplace_back(trim(piece));
  }
  if (signature.arguments.size() > kMaxArguments) return invalid_argument_error("a function has too many arguments");
  return ok_status();
}

bool holds(const Signature& signature, std::string_view word) {
  return std::find(signature.arguments.begin(), signature.arguments.end(), word) != signature.arguments.end();
}

void read_functions(Section& section, RuntimeSpec& runtime) {
  for (const char* name : {"load", "run", "unload", "last_error"}) {
    section.table_at(name, [&](Section& function) {
      Signature signature;
      signature.symbol = function.required("symbol");
      function.fail("signature", read_signature(function.required("signature"), signature));
      runtime.functions[name] = std::move(signature);
    });
  }
  for (const char* name : {"load", "run", "unload"}) {
    if (!runtime.functions.contains(name))
      section.fail(name, invalid_argument_error(fmt::format("runtime.functions.{} is missing", name)));
  }
  if (!section.ok()) return;
  const Signature& load = runtime.functions["load"];
  const Signature& run = runtime.functions["run"];
  if (!holds(load, "path") || (load.returns == "handle") == holds(load, "handle_out"))
    section.fail("load", invalid_argument_error("load takes path and gives the handle: it returns it, or has handle_out"));
  if (load.returns == "void" || load.returns == "text")
    section.fail("load", invalid_argument_error("load must tell whether it succeeded"));
  if (!holds(run, "inputs") || !holds(run, "outputs") || (run.returns != "status" && run.returns != "bool"))
    section.fail("run", invalid_argument_error("run takes inputs and outputs, and returns status or bool"));
  if (!holds(runtime.functions["unload"], "handle")) section.fail("unload", invalid_argument_error("unload takes the handle"));
  if (runtime.functions.contains("last_error") && runtime.functions["last_error"].returns != "text")
    section.fail("last_error", invalid_argument_error("last_error returns text"));
}

void read_library(Section& section, const Description& description, RuntimeSpec& runtime) {
  runtime.is_library = true;
  runtime.library = section.required("library");
  const bool known = std::any_of(description.tools.begin(), description.tools.end(),
                                 [&](const ToolSpec& tool) { return tool.name == runtime.library && tool.is_library; });
  if (section.ok() && !known)
    section.fail("library", invalid_argument_error(
                                fmt::format("there is no tool \"{}\" of kind library", printable(runtime.library, 64))));
  runtime.success_value = section.integer("success_value", INT32_MIN, INT32_MAX).value_or(0);
  if (section.value("functions") == nullptr) section.fail("functions", invalid_argument_error("runtime.functions is missing"));
  section.table_at("functions", [&](Section& functions) { read_functions(functions, runtime); });
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
    if (section.word_or("kind", {"command", "library"}, "command") == "library")
      read_library(section, description, description.runtime);
    else
      read_command(section, names, description.runtime);
  });
}

}  // namespace axle::described
