#include "compiler_adapter.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace axle::described {
namespace {

namespace fs = std::filesystem;

constexpr auto kCompatibilityTimeout = std::chrono::seconds(60);

Status file_error(const std::error_code& error, const std::string& what) {
  const StatusCode code = error == std::errc::no_space_on_device ? StatusCode::kResourceExhausted : StatusCode::kInternal;
  return Status(code, fmt::format("{}: {}", what, error.message()));
}

// A vendor's tool sees the files that hold weights where the model says they are: copies, since it may write into its input.
Status copy_weights(const kit::Graph& graph, const std::string& source, const std::string& target) {
  for (uint32_t i = 0; !source.empty() && i < graph.weight_count(); ++i) {
    const kit::Weight weight = graph.weight(i);
    const std::string path(kit::text(weight.info().path));
    if (path.empty()) continue;
    const fs::path below = fs::path(path).lexically_relative(source);
    if (below.empty() || *below.begin() == "..")
      return invalid_argument_error("weights lie outside the model's folder: " + path);
    const fs::path to = fs::path(target) / below;
    std::error_code error;
    if (fs::exists(to, error)) continue;
    fs::create_directories(to.parent_path(), error);
    fs::copy_file(path, to, error);
    if (error) return file_error(error, "cannot hand over " + path);
  }
  return ok_status();
}

// ${model}: the file itself (or a link to it, of the described name) when the format is handed over whole, else the graph as ONNX
// in the scratch folder.
Result<std::string> model_file(const Description& description, const kit::Graph& graph, const std::string& folder) {
  AXLE_RETURN_IF_ERROR(make_dirs(folder, 0700));
  if (graph.format() != "onnx") {
    if (graph.path().empty())
      return unimplemented_error(fmt::format("a {} model is handed over as a file, and there is none", graph.format()));
    std::error_code error;
    const std::string path = fs::absolute(graph.path(), error).string();  // programs run in a folder of their own
    if (!error && description.model_file.empty()) return path;
    const std::string link = folder + "/" + description.model_file;
    if (!error) fs::create_symlink(path, link, error);
    if (error) return file_error(error, "cannot hand over " + path);
    return link;
  }
  const kit::OnnxModel onnx = graph.onnx();
  AXLE_RETURN_IF_ERROR(copy_weights(graph, std::string(onnx.folder), folder));
  std::string path = folder + "/model.onnx";
  std::error_code error;
  for (int i = 1; fs::exists(path, error); ++i) path = fmt::format("{}/model-{}.onnx", folder, i);  // weights of that name
  AXLE_RETURN_IF_ERROR(write_file_atomic(path, onnx.bytes, kPrivateFileMode));
  return path;
}

Status check_value(const kit::Option& option, const std::string& value) {
  const auto bad = [&](const std::string& wanted) {
    return invalid_argument_error(fmt::format("option '{}' is '{}', wanted {}", option.name, printable(value, 64), wanted));
  };
  double number = 0;
  switch (option.type) {
    case kit::OptionType::kBoolean: return value == "true" || value == "false" ? ok_status() : bad("true or false");
    case kit::OptionType::kText: return value.find('\0') == std::string::npos ? ok_status() : bad("a text without NUL");
    case kit::OptionType::kChoice:
      return std::find(option.choices.begin(), option.choices.end(), value) != option.choices.end()
                 ? ok_status()
                 : bad("one of " + join(option.choices, ", "));
    default: break;
  }
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (code != std::errc() || end != value.data() + value.size()) return bad("a number");
  if (option.type == kit::OptionType::kInteger && value.find_first_not_of("-0123456789") != std::string::npos)
    return bad("an integer");
  if (option.minimum && number < *option.minimum) return bad(fmt::format("at least {}", *option.minimum));
  if (option.maximum && number > *option.maximum) return bad(fmt::format("at most {}", *option.maximum));
  return ok_status();
}

Result<Values> compile_values(const Description& description, const Toolbox& toolbox, const kit::CompileArgs& args,
                              Values options) {
  const std::string scratch(args.scratch_folder);
  Values values = toolbox.values(description);
  values["scratch"] = scratch;
  values["private"] = scratch + "/private";
  values["out"] = scratch + "/out";
  values["work"] = scratch + "/work";
  values["precision"] = args.precision;
  values["threads"] = std::to_string(args.threads);
  values["model.digest"] = args.graph.digest();
  values.merge(options);
  for (const char* folder : {"out", "work"}) AXLE_RETURN_IF_ERROR(make_dirs(values[folder], 0700));
  AXLE_ASSIGN_OR_RETURN(values["model"], model_file(description, args.graph, scratch + "/model"));
  values["model.folder"] = fs::path(values["model"]).parent_path().string();
  values["model.stem"] = fs::path(values["model"]).stem().string();
  return values;
}

void describe_tensors(const kit::Io& io, StepContext& context) {
  const auto add = [](const std::vector<kit::IoSpec>& specs, std::vector<TensorItem>& items) {
    for (const kit::IoSpec& spec : specs) {
      items.push_back({spec.name, items.size(), "", std::string(kit::data_type_name(spec.dtype)), sizes_of(spec)});
    }
  };
  add(io.inputs, context.inputs);
  add(io.outputs, context.outputs);
}

Status run_chain(const Description& description, const kit::CompileArgs& args, StepContext& context, std::string& log) {
  const size_t total = description.compile.size();
  for (size_t i = 0; i < total; ++i) {
    const Step& step = description.compile[i];
    args.progress.report(i * 100, total * 100, step.name);
    context.progress = [&args, &step, i, total](double percent) {
      args.progress.report(i * 100 + static_cast<uint64_t>(std::clamp(percent, 0.0, 100.0)), total * 100, step.name);
    };
    AXLE_RETURN_IF_ERROR(make_compiler_adapter(step)->run(context, log));
  }
  args.progress.report(total * 100, total * 100, "compiled");
  return ok_status();
}

// The declared files, axle's record and the log.
Result<kit::Manifest> manifest_of(const Description& description, const Toolbox& toolbox, const kit::CompileArgs& args,
                                  kit::Io io, const StepContext& context, const std::string& log) {
  const std::string& out = context.values.find("out")->second;
  kit::Manifest manifest;
  manifest.format = description.info.name;
  manifest.self_contained = true;
  for (const std::string& file : description.artefact_files) {
    std::error_code error;
    const fs::path path = fs::path(out) / file;
    if (fs::symlink_status(path, error).type() != fs::file_type::regular || fs::file_size(path, error) == 0 || error)
      return unknown_error(fmt::format("the compiler left no file {} although every step succeeded", file));
    manifest.blobs.push_back({file, "out/" + file});
  }
  AXLE_ASSIGN_OR_RETURN(manifest.compatibility,
                        compatibility_of(description, toolbox, out, context.values.find("scratch")->second));
  const ArtefactRecord record{description.info.name, std::string(args.precision), std::move(io), manifest.compatibility};
  AXLE_ASSIGN_OR_RETURN(const std::string text, format_record(record));
  AXLE_RETURN_IF_ERROR(write_file_atomic(out + "/" + kRecordFile, text, kPrivateFileMode));
  AXLE_RETURN_IF_ERROR(write_file_atomic(out + "/" + kLogFile, log, kPrivateFileMode));
  for (const char* file : {kRecordFile, kLogFile}) manifest.blobs.push_back({file, std::string("out/") + file});
  return manifest;
}

}  // namespace

Status CliCompilerAdapter::run(const StepContext& context, std::string& log) const {
  AXLE_RETURN_IF_ERROR(prepare(context));
  return run_step(step_, context, log);
}

Status ConfigFileCompilerAdapter::prepare(const StepContext& context) const {
  return write_configs(step_.configs, context.values);
}

std::unique_ptr<CliCompilerAdapter> make_compiler_adapter(const Step& step) {
  if (step.configs.empty()) return std::make_unique<CliCompilerAdapter>(step);
  return std::make_unique<ConfigFileCompilerAdapter>(step);
}

Status add_options(const Description& description, const kit::Options& options, Values& values) {
  std::vector<std::string> known;
  for (const kit::Option& option : description.capability.options) {
    known.push_back(option.name);
    const std::string value = options.text_or(option.name, option.default_value);
    AXLE_RETURN_IF_ERROR(check_value(option, value));
    values["option." + option.name] = value;
  }
  for (const axle_option_t& given : options.entries()) {
    const std::string name(kit::text(given.key));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest_word(name, known);
    return invalid_argument_error(fmt::format("{} has no option '{}'", description.info.name, printable(name, 64)))
        .with_hint(near.empty() ? "it has: " + join(known, ", ") : fmt::format("did you mean '{}'?", near));
  }
  return ok_status();
}

Result<std::map<std::string, std::string>> compatibility_of(const Description& description, const Toolbox& toolbox,
                                                            const std::string& folder, const std::string& scratch) {
  std::map<std::string, std::string> facts;
  Values values = toolbox.values(description);
  values["artefact"] = folder;
  values["scratch"] = scratch;
  values["private"] = scratch + "/private";
  for (const CompatibilityEntry& entry : description.compatibility) {
    if (entry.argv.empty()) {
      AXLE_ASSIGN_OR_RETURN(facts[entry.name], expand(entry.text, values));
      continue;
    }
    AXLE_ASSIGN_OR_RETURN(const Answer answer,
                          ask_program(description.environment, entry.argv, entry.pattern, values, kCompatibilityTimeout));
    if (!answer.text) return data_loss_error(fmt::format("compatibility '{}': {}", entry.name, answer.told));
    facts[entry.name] = *answer.text;
  }
  return facts;
}

Result<kit::Manifest> compile_described(const Description& description, const Toolbox& toolbox, const kit::CompileArgs& args) {
  Values options;
  AXLE_RETURN_IF_ERROR(add_options(description, args.options, options));  // the user's mistake before the model's
  if (!toolbox.compiler.ok())
    return Status(toolbox.compiler).with_context(description.info.name + " can only run here what was compiled elsewhere");
  AXLE_ASSIGN_OR_RETURN(kit::Io io, static_io(args.graph));
  AXLE_ASSIGN_OR_RETURN(Values values, compile_values(description, toolbox, args, std::move(options)));
  StepContext context{description, std::move(values), "", {}, {}, nullptr, nullptr};
  context.work = context.values["work"];
  describe_tensors(io, context);
  if (args.cancel.possible()) context.cancelled = [&args] { return args.cancel.cancelled(); };
  std::string log = fmt::format("# {} {}\n", description.info.name, description.digest);
  const Status ran = run_chain(description, args, context, log);
  auto manifest = ran.ok() ? manifest_of(description, toolbox, args, std::move(io), context, log) : Result<kit::Manifest>(ran);
  // A failed step's files are nobody's; what was printed is the caller's to keep.
  if (!manifest.ok()) {
    (void)remove_tree(context.values["out"]);
    (void)write_file_atomic(context.values["scratch"] + "/" + kLogFile, log, kPrivateFileMode);
  }
  return manifest;
}

}  // namespace axle::described
