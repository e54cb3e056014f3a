#include "qnn_executable.h"

#include <fstream>
#include <iterator>

#include "context.h"
#include "quiet_stdout.h"

namespace axle::qnn {
namespace {

class QnnExecutable final : public kit::Executable {
 public:
  QnnExecutable(std::unique_ptr<ContextFolder> files, std::shared_ptr<ort::Session> session, std::optional<NodeTypes> types)
      : files_(std::move(files)), session_(std::move(session)), types_(types) {}

  kit::Io io() override { return session_->io(); }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<ort::OrtContext>(session_); }
  kit::Counters counters() override {
    kit::Counters counters = {{"runs", static_cast<double>(session_->runs().load(std::memory_order_relaxed))}};
    if (types_) {
      counters["nodes_fixed8"] = types_->fixed8;
      counters["nodes_fixed16"] = types_->fixed16;
      counters["nodes_float"] = types_->floats;
      counters["nodes_other"] = types_->others;
    }
    return counters;
  }

 private:
  std::unique_ptr<ContextFolder> files_;  // goes after the session
  std::shared_ptr<ort::Session> session_;
  std::optional<NodeTypes> types_;
};

std::optional<NodeTypes> types_in(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return from_line(std::string{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()});
}

void compile_here(const Library& library, const kit::LoadArgs& args, const ContextFolder& files) {
  if (!args.graph) throw kit::invalid_argument("load needs an artefact or a graph");
  kit::CompileArgs compile{.graph = *args.graph,
                           .resource = args.resource,
                           .precision = args.precision,
                           .options = args.options,
                           .threads = args.threads,
                           .scratch_folder = files.path(),
                           .cancel = args.cancel,
                           .progress = args.progress};
  compile_artefact(library, compile);
}

std::shared_ptr<ort::Session> open_context(const Library& library, const Settings& settings, bool half, const std::string& file,
                                           const kit::Cancel& cancel) {
  ort::ModelSource source;
  source.path = file;
  const QuietStdout quiet;
  try {
    return ort::Session::open(library.runtime, make_session_options(library, settings, {.half = half}),
                              std::make_unique<ort::WorkerThreads>(std::span<const int32_t>()), source, cancel);
  } catch (const kit::Error& error) {
    if (error.code() == AXLE_CANCELLED || error.code() == AXLE_RESOURCE_EXHAUSTED) throw;
    throw kit::Error(AXLE_DATA_LOSS, "QNN cannot open the compiled graph: " + error.message())
        .hint("it is damaged, or another version made it: compile again")
        .vendor_code(error.vendor_code());
  }
}

}  // namespace

kit::Loaded load_executable(const Library& library, const std::optional<Version>& backend, const kit::LoadArgs& args) {
  const Settings settings = parse_settings(args.options);
  require_generation(settings);
  const bool half = args.precision == "f16";
  if (!half && args.precision != "f32" && args.precision != "int8")
    throw kit::unimplemented("qnn has no precision '" + std::string(args.precision) + "'").hint("it has f32, f16 and int8");
  auto files = std::make_unique<ContextFolder>(library, args.scratch_folder);
  if (args.blobs.empty()) {
    compile_here(library, args, *files);
  } else {
    files->take(args.blobs);
    check_record(record_of(library, files->file(kContextFile)), backend, settings);
  }
  const std::optional<NodeTypes> types = types_in(files->file(kTypesFile));
  auto session = open_context(library, settings, half, files->file(kContextFile), args.cancel);
  kit::Loaded loaded;
  kit::Effective& effective = loaded.effective;
  // In what the vendor's own description of the graph says it computes. It says floats, not how many bits they are computed in:
  // f16 is what was asked for, unconfirmed, and so is anything without a description.
  effective.precision = !types ? std::string(args.precision) : types->integers() ? "int8" : half ? "f16" : "f32";
  effective.precision_read_back = types.has_value() && !(half && !types->integers());
  effective.options = to_texts(settings);
  loaded.executable = std::make_unique<QnnExecutable>(std::move(files), std::move(session), types);
  return loaded;
}

}  // namespace axle::qnn
