#include "program.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace axle::openvino {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBlobName = "model.blob";
constexpr const char* kIoName = "io.bin";
constexpr const char* kFormat = "openvino-blob";
constexpr std::string_view kFixedInside = "fixed";
constexpr std::string_view kOpenInside = "open";
constexpr uint64_t kMaxIoEntries = 65536;
constexpr int kMostFailures = 32;  // what failed stays in memory

kit::Error damaged(const std::string& what) {
  return kit::Error(AXLE_DATA_LOSS, "the artefact is damaged: " + what).hint("remove it from the cache and compile again");
}

// A folder of our own that disappears with the object.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::string_view parent) {
    std::string name = std::string(parent) + "/openvino-XXXXXX";
    if (mkdtemp(name.data()) == nullptr)
      throw kit::Error(AXLE_PERMISSION_DENIED, "cannot make a folder in " + std::string(parent));
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

Handle<ov_model_t> read_file(const Api& api, const ov_core_t* core, const std::string& path) {
  return make<ov_model_t>(api, api.ov_model_free, "OpenVINO cannot read " + path,
                          [&](ov_model_t** out) { return api.ov_core_read_model(core, path.c_str(), nullptr, out); });
}

// A name that none of the links in `folder` has: writing to one would write into the user's own file.
fs::path free_name(const fs::path& folder) {
  fs::path path = folder / "model.onnx";
  std::error_code error;
  for (int i = 1; fs::symlink_status(path, error).type() != fs::file_type::not_found; ++i)
    path = folder / ("model-" + std::to_string(i) + ".onnx");
  return path;
}

// The front end finds external data only relative to a file, so the bytes become one, with links beside it.
Handle<ov_model_t> read_with_external_data(const Api& api, const ov_core_t* core, const kit::Graph& graph,
                                           const kit::OnnxModel& onnx, std::string_view scratch_folder) {
  const TemporaryFolder folder(scratch_folder);
  const fs::path base = fs::path(onnx.folder);
  for (uint32_t i = 0; i < graph.weight_count(); ++i) {
    const kit::Weight weight = graph.weight(i);
    const fs::path file = fs::path(kit::text(weight.info().path));
    if (file.empty()) continue;
    const fs::path relative = file.lexically_relative(base);
    if (relative.empty() || *relative.begin() == "..")
      throw kit::invalid_argument("external data " + file.string() + " lies outside " + base.string());
    const fs::path link = folder.path() / relative;
    std::error_code error;
    fs::create_directories(link.parent_path(), error);
    if (!fs::exists(link, error)) fs::create_hard_link(file, link, error);
    if (!fs::exists(link, error)) fs::create_symlink(fs::absolute(file), link, error);
    if (error)
      throw kit::Error(AXLE_PERMISSION_DENIED,
                       "cannot link " + file.string() + " into " + folder.path().string() + ": " + error.message());
  }
  const std::string path = free_name(folder.path()).string();
  std::ofstream out(path, std::ios::binary);
  out.write(onnx.bytes.data(), static_cast<std::streamsize>(onnx.bytes.size()));
  if (!out.flush()) throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "cannot write " + path).hint("is the disk full?");
  return read_file(api, core, path);
}

// Length-prefixed texts: names and symbols are the model's and may hold any byte.
void put(std::ostream& out, std::string_view text) { out << text.size() << ' ' << text; }

std::string get(std::istream& in) {
  size_t size = 0;
  if (!(in >> size) || size > (1u << 20) || in.get() != ' ') throw damaged("io.bin");
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) throw damaged("io.bin");
  return text;
}

uint64_t get_count(std::istream& in) {
  const std::string text = get(in);
  const axle_option_t entry{kit::to_text("count"), kit::to_text(text)};
  const int64_t count = kit::Options(&entry, 1).integer_or("count", 0);
  if (count < 0 || static_cast<uint64_t>(count) > kMaxIoEntries) throw damaged("io.bin");
  return static_cast<uint64_t>(count);
}

void put(std::ostream& out, const std::vector<kit::IoSpec>& specs) {
  put(out, std::to_string(specs.size()));
  for (const kit::IoSpec& spec : specs) {
    put(out, spec.name);
    put(out, std::to_string(spec.shape.size()));
    for (const kit::Dim& dim : spec.shape) put(out, dim.symbol);
  }
}

std::vector<kit::IoSpec> get_specs(std::istream& in) {
  std::vector<kit::IoSpec> specs(get_count(in));
  for (kit::IoSpec& spec : specs) {
    spec.name = get(in);
    spec.shape.resize(get_count(in));
    for (kit::Dim& dim : spec.shape) dim.symbol = get(in);
  }
  return specs;
}

void put(std::ostream& out, const std::vector<OpenReduction>& reductions) {
  put(out, std::to_string(reductions.size()));
  for (const OpenReduction& one : reductions) {
    for (const std::string* text : {&one.node, &one.op, &one.symbol}) put(out, *text);
  }
}

std::vector<OpenReduction> get_reductions(std::istream& in) {
  std::vector<OpenReduction> reductions(get_count(in));
  for (OpenReduction& one : reductions) {
    for (std::string* text : {&one.node, &one.op, &one.symbol}) *text = get(in);
  }
  return reductions;
}

std::string instruction_set() {
  std::string text;
#if defined(__x86_64__)
  text = "x86_64";
  if (__builtin_cpu_supports("avx2")) text += " avx2";
  if (__builtin_cpu_supports("avx512f")) text += " avx512f";
  if (__builtin_cpu_supports("avx512vnni")) text += " avx512_vnni";
  if (__builtin_cpu_supports("avx512bf16")) text += " avx512_bf16";
#elif defined(__aarch64__)
  text = "aarch64";
#endif
  return text;
}

kit::Io names_of(const kit::Graph& graph) {
  kit::Io io;
  for (uint32_t i = 0; i < graph.input_count(); ++i) io.inputs.push_back(kit::to_io_spec(graph.input(i)));
  for (uint32_t i = 0; i < graph.output_count(); ++i) io.outputs.push_back(kit::to_io_spec(graph.output(i)));
  return io;
}

}  // namespace

// The bytes of one file of the artefact, mapped when the host did not.
class BlobBytes {
 public:
  explicit BlobBytes(const kit::Blob& blob) : bytes_(blob.data) {
    if (!bytes_.empty()) return;
    const std::string path(blob.path);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info{};
    if (file >= 0 && fstat(file, &info) == 0 && info.st_size > 0) {
      mapping_ = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, file, 0);
      if (mapping_ != MAP_FAILED) bytes_ = {static_cast<const char*>(mapping_), static_cast<size_t>(info.st_size)};
    }
    if (file >= 0) ::close(file);
    if (bytes_.empty()) throw damaged("cannot read " + path);
  }
  ~BlobBytes() {
    if (mapping_ != MAP_FAILED) munmap(mapping_, bytes_.size());
  }
  BlobBytes(const BlobBytes&) = delete;
  BlobBytes& operator=(const BlobBytes&) = delete;
  std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
  void* mapping_ = MAP_FAILED;
};

Handle<ov_model_t> read_model(const Api& api, const ov_core_t* core, const kit::Graph& graph, std::string_view scratch_folder) {
  if (!graph.path().empty()) return read_file(api, core, std::string(graph.path()));
  const kit::OnnxModel onnx = graph.onnx();
  if (!onnx.folder.empty()) return read_with_external_data(api, core, graph, onnx, scratch_folder);
  return make<ov_model_t>(api, api.ov_model_free, "OpenVINO cannot read the model", [&](ov_model_t** out) {
    return api.ov_core_read_model_from_memory_buffer(core, onnx.bytes.data(), onnx.bytes.size(), nullptr, out);
  });
}

Program::Program(std::shared_ptr<const Api> api, const CompileFor& target, std::string_view scratch_folder)
    : api_(std::move(api)), core_(target.core ? target.core : make_core(*api_)), device_(target.device),
      scratch_folder_(scratch_folder) {
  configure(*api_, core_.get(), target.device, target.settings, target.precision, target.threads);
}

void Program::take(ov_compiled_model_t* model, const kit::Io& names, bool whole) {
  auto compiled = std::make_shared<Compiled>(Compiled{{model, api_->ov_compiled_model_free}, {}, {}});
  kit::Io io;
  compiled->inputs = read_inputs(*api_, model, names.inputs, whole, io.inputs);
  compiled->outputs = read_outputs(*api_, model, names.outputs, whole, io.outputs);
  for (const auto* side : {&io.inputs, &io.outputs}) {
    for (const kit::IoSpec& spec : *side) {
      if (spec.dtype == 8 || spec.dtype == 0) {
        throw kit::unimplemented("'" + spec.name + "' has an element type that OpenVINO's C API does not carry")
            .hint("choose another engine for this model");
      }
    }
  }
  if (compiled_ == nullptr) io_ = std::move(io);
  compiled_ = std::move(compiled);
}

std::shared_ptr<const Compiled> Program::compiled() {
  const std::lock_guard lock(mutex_);
  if (failed_) replace();
  return compiled_;
}

void Program::fail(const std::shared_ptr<const Compiled>& failed) {
  const std::lock_guard lock(mutex_);
  if (compiled_ != failed || failed_) return;
  failed_ = true;
  generation_.fetch_add(1, std::memory_order_release);
}

bool Program::skipped(const std::shared_ptr<const Compiled>& by, const std::vector<std::vector<int64_t>>& shapes,
                      bool same_as_good) {
  constexpr size_t kMostShapes = 4096;
  const std::lock_guard lock(mutex_);
  if (compiled_ != by || failed_) return true;
  const bool doubtful = skipped_;
  // Freed after a run that skipped its nodes, it takes the next model of the process with it: it stays.
  if (!doubtful) (void)new std::shared_ptr<const Compiled>(compiled_);
  skipped_ = true;
  if (!doubtful && !same_as_good && too_small_.size() < kMostShapes) too_small_.insert(shapes);
  const bool whole = std::ranges::all_of(compiled_->inputs, [](const Port& port) { return static_cast<bool>(port); });
  if (!doubtful || too_small_.contains(shapes) || failures_ >= kMostFailures || !whole) return false;
  failed_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  return true;
}

void Program::replace() {
  const auto refuse = [](const std::string& why) {
    return kit::failed_precondition("OpenVINO failed in an earlier run, and what it gives after that cannot be trusted: " + why)
        .hint("make a new session of the model");
  };
  if (++failures_ > kMostFailures) throw refuse("it failed " + std::to_string(kMostFailures) + " times");
  if (std::ranges::any_of(compiled_->inputs, [](const Port& port) { return !port; }))
    throw refuse("it left out an input that nothing reads, so that what it compiled cannot be made again");
  // Freeing what failed ends the process ("pure virtual method called"): it stays.
  (void)new std::shared_ptr<const Compiled>(compiled_);
  // The library cannot read what it exports of something imported.
  if (blob_ == nullptr) {
    const TemporaryFolder folder(scratch_folder_);
    const std::string path = (folder.path() / kBlobName).string();
    check(*api_, api_->ov_compiled_model_export_model(compiled_->model.get(), path.c_str()),
          "exporting what was compiled, after a run that failed");
    blob_ = std::make_shared<const BlobBytes>(kit::Blob{kBlobName, {}, path});
  }
  ov_compiled_model_t* model = nullptr;
  check(*api_, api_->ov_core_import_model(core_.get(), blob_->bytes().data(), blob_->bytes().size(), device_.c_str(), &model),
        "importing what was compiled, after a run that failed");
  take(model, io_, false);
  failed_ = skipped_ = false;
}

std::shared_ptr<Program> Program::from_graph(std::shared_ptr<const Api> api, const kit::Graph& graph, const CompileFor& target,
                                             std::string_view scratch_folder) {
  std::shared_ptr<Program> program(new Program(std::move(api), target, scratch_folder));
  const Api& a = *program->api_;
  const Handle<ov_model_t> model = read_model(a, program->core_.get(), graph, scratch_folder);
  ov_compiled_model_t* compiled = nullptr;
  check(a, a.ov_core_compile_model(program->core_.get(), model.get(), target.device.c_str(), 0, &compiled),
        "OpenVINO cannot compile the model");
  program->open_inside_ = a.ov_model_is_dynamic(model.get());
  program->reductions_ = reductions_of(graph).open;
  program->take(compiled, names_of(graph), graph.node_count() == 0);
  return program;
}

std::shared_ptr<Program> Program::from_artefact(std::shared_ptr<const Api> api, std::span<const kit::Blob> blobs,
                                                const CompileFor& target, std::string_view scratch_folder) {
  const kit::Blob* model = nullptr;
  const kit::Blob* io = nullptr;
  for (const kit::Blob& blob : blobs) {
    if (blob.name != kBlobName && blob.name != kIoName) throw damaged("unknown file '" + std::string(blob.name) + "'");
    (blob.name == kBlobName ? model : io) = &blob;
  }
  if (model == nullptr || io == nullptr) throw damaged("model.blob or io.bin is missing");
  std::istringstream text{std::string(BlobBytes(*io).bytes())};
  kit::Io names;
  names.inputs = get_specs(text);
  names.outputs = get_specs(text);
  const auto at_end = [&] { return text.peek() == std::istringstream::traits_type::eof(); };
  const bool open_inside = at_end() || get(text) != kFixedInside;
  std::vector<OpenReduction> reductions = at_end() ? std::vector<OpenReduction>() : get_reductions(text);
  const auto bytes = std::make_shared<const BlobBytes>(*model);
  std::shared_ptr<Program> program(new Program(std::move(api), target, scratch_folder));
  program->open_inside_ = open_inside;
  program->reductions_ = std::move(reductions);
  program->blob_ = bytes;
  const Api& a = *program->api_;
  ov_compiled_model_t* compiled = nullptr;
  const ov_status_e status = a.ov_core_import_model(program->core_.get(), bytes->bytes().data(), bytes->bytes().size(),
                                                    target.device.c_str(), &compiled);
  try {
    check(a, status, "OpenVINO cannot import model.blob");
  } catch (const kit::Error& error) {
    throw damaged(error.message());
  }
  program->take(compiled, names, false);
  return program;
}

kit::Manifest Program::write_artefact(const std::string& folder, const CompileFor& target) const {
  for (size_t i = 0; i < compiled_->inputs.size(); ++i) {
    if (!compiled_->inputs[i])
      throw kit::unimplemented("OpenVINO leaves input '" + io_.inputs[i].name +
                               "' out, which nothing reads: no artefact holds it");
  }
  const std::string blob = folder + "/" + kBlobName;
  check(*api_, api_->ov_compiled_model_export_model(compiled_->model.get(), blob.c_str()),
        "OpenVINO cannot export the compiled model");
  std::ofstream out(folder + "/" + kIoName, std::ios::binary);
  put(out, io_.inputs);
  put(out, io_.outputs);
  put(out, open_inside_ ? kOpenInside : kFixedInside);
  put(out, reductions_);
  std::error_code error;
  const auto size = fs::file_size(blob, error);
  if (!out.flush() || error || size == 0) {
    throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "the compiled model could not be written to " + folder).hint("is the disk full?");
  }
  kit::Manifest manifest;
  manifest.format = kFormat;
  manifest.self_contained = true;
  manifest.blobs = {{kBlobName, kBlobName}, {kIoName, kIoName}};
  manifest.compatibility = {
      {"library", api_->build},
      {"device", target.device + " " + device_property(*api_, core_.get(), target.device, "FULL_DEVICE_NAME")},
      {"isa", instruction_set() + " " + device_property(*api_, core_.get(), target.device, "OPTIMIZATION_CAPABILITIES")},
      {"precision", std::string(target.precision)}};
  return manifest;
}

std::vector<kit::NodeKernel> Program::kernels() {
  const auto request = make<ov_infer_request_t>(
      *api_, api_->ov_infer_request_free, "making a request",
      [&](ov_infer_request_t** out) { return api_->ov_compiled_model_create_infer_request(model(), out); });
  ov_profiling_info_list_t list{};
  check(*api_, api_->ov_infer_request_get_profiling_info(request.get(), &list), "reading the kernels");
  std::vector<kit::NodeKernel> kernels;
  for (size_t i = 0; i < list.size; ++i) {
    const ov_profiling_info_t& node = list.profiling_infos[i];
    const std::string kernel = node.exec_type == nullptr ? "" : node.exec_type;
    if (kernel.empty() || kernel.starts_with("undef") || kernel.starts_with("unknown")) continue;  // fused away, or an input
    const size_t cut = kernel.rfind('_');
    std::string precision = cut == std::string::npos ? "" : kernel.substr(cut + 1);
    for (char& c : precision) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (kit::parse_data_type(precision) == 0) precision.clear();
    kernels.push_back({node.node_name == nullptr ? "" : node.node_name, kernel, precision, ""});
  }
  api_->ov_profiling_info_list_free(&list);
  return kernels;
}

}  // namespace axle::openvino
