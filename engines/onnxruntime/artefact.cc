#include "artefact.h"

#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "support.h"

namespace axle::ort {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOrtName = "model.ort";
constexpr const char* kOnnxName = "model.onnx";
constexpr const char* kWeightsName = "weights.bin";
// A FlatBuffer and a protobuf message both end at 2 GiB; folding may add to the weights.
constexpr uint64_t kLargeModel = 1ull << 30;
constexpr size_t kAlignment = 64;

uint64_t weight_bytes(const kit::Graph& graph) {
  uint64_t total = 0;
  for (uint32_t i = 0; i < graph.weight_count(); ++i) {
    if (__builtin_add_overflow(total, graph.weight(i).size_bytes(), &total)) return UINT64_MAX;
  }
  return total;
}

kit::Error damaged(const std::string& what) {
  return kit::Error(AXLE_DATA_LOSS, "the artefact is damaged: " + what).hint("remove it from the cache and compile again");
}

}  // namespace

std::string instruction_set() {
  std::string text;
#if defined(__x86_64__)
  text = "x86_64";
  if (__builtin_cpu_supports("sse4.1")) text += " sse4_1";
  if (__builtin_cpu_supports("avx")) text += " avx";
  if (__builtin_cpu_supports("avx2")) text += " avx2";
  if (__builtin_cpu_supports("fma")) text += " fma";
  if (__builtin_cpu_supports("avx512f")) text += " avx512f";
  if (__builtin_cpu_supports("avx512bw")) text += " avx512bw";
  if (__builtin_cpu_supports("avx512vnni")) text += " avx512_vnni";
  if (__builtin_cpu_supports("avx512bf16")) text += " avx512_bf16";
#elif defined(__aarch64__)
  text = "aarch64 " + std::to_string(getauxval(AT_HWCAP)) + " " + std::to_string(getauxval(AT_HWCAP2));
#else
  text = "generic";
#endif
  return text;
}

kit::Manifest compile_artefact(const std::shared_ptr<const Runtime>& runtime, Providers& providers,
                               const kit::CompileArgs& args) {
  const Api& api = runtime->api();
  const Settings settings = parse_settings(args.options);
  if (settings.provider != "cpu")
    throw kit::unimplemented("artefacts of execution provider '" + settings.provider +
                             "' are not supported; load works from the graph");
  providers.names_on(args.resource);
  check_precision_name(args.precision);
  if (const auto reason = refuse_precision(types_of(args.graph), args.precision)) throw kit::unimplemented(*reason);
  const bool large = weight_bytes(args.graph) > kLargeModel;
  const std::string name = large ? kOnnxName : kOrtName;
  const std::string path = std::string(args.scratch_folder) + "/" + name;

  SessionPlan plan;
  plan.threads = args.threads;
  plan.fuse_quantised = args.precision == "int8";
  Settings compile_settings = settings;
  compile_settings.prepacking = false;  // lives in memory only; load does it
  const auto make_options = [&] {
    std::error_code absent;
    fs::remove(path, absent);
    fs::remove(std::string(args.scratch_folder) + "/" + kWeightsName, absent);
    auto options = make_session_options(api, compile_settings, plan);
    check(api, api->SetOptimizedModelFilePath(options.get(), path.c_str()), "choosing where the optimised model goes");
    set_entry(api, options.get(), "session.save_model_format", large ? "ONNX" : "ORT");
    if (large) {
      set_entry(api, options.get(), "session.optimized_model_external_initializers_file_name", kWeightsName);
      set_entry(api, options.get(), "session.optimized_model_external_initializers_min_size_in_bytes", "1024");
    }
    return options;
  };
  args.progress.report(0, 1, "optimising the graph");
  open_graph(runtime, make_options, {}, args.graph, args.cancel);
  args.progress.report(1, 1, "optimising the graph");

  struct stat written{};
  if (stat(path.c_str(), &written) != 0 || written.st_size == 0) {
    throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "ONNX Runtime wrote no optimised model to " + path).hint("is the disk full?");
  }
  kit::Manifest manifest;
  manifest.format = large ? kOnnxFormat : kOrtFormat;
  manifest.self_contained = true;
  manifest.blobs.push_back({name, name});
  if (large) manifest.blobs.push_back({kWeightsName, kWeightsName});
  manifest.compatibility = {{"library", runtime->library().version + " " + runtime->library().build},
                            {"isa", instruction_set()},
                            {"precision", std::string(args.precision)}};
  return manifest;
}

LoadedArtefact::LoadedArtefact(std::span<const kit::Blob> blobs) {
  for (const kit::Blob& blob : blobs) {
    if (blob.name == kOrtName) {
      source_.bytes = bytes_of(blob);
      source_.keep_bytes = true;
      // "ORTM" stands at byte 4 of a FlatBuffer of this kind.
      if (source_.bytes.size() < 8 || source_.bytes.substr(4, 4) != "ORTM") throw damaged("model.ort is not in ORT format");
    } else if (blob.name == kOnnxName) {
      source_.bytes = bytes_of(blob);
    } else if (blob.name == kWeightsName) {
      source_.external_files.emplace_back(kWeightsName, bytes_of(blob));
    } else {
      throw damaged("unknown file '" + std::string(blob.name) + "'");
    }
  }
  if (source_.bytes.empty()) throw damaged("it holds no model");
}

LoadedArtefact::~LoadedArtefact() {
  for (const auto& [data, size] : mapped_) munmap(data, size);
}

std::string_view LoadedArtefact::bytes_of(const kit::Blob& blob) {
  const bool aligned = reinterpret_cast<uintptr_t>(blob.data.data()) % kAlignment == 0;
  if (!blob.data.empty() && aligned) return blob.data;
  const std::string path(blob.path);
  size_t size = blob.data.size();
  void* mapping = MAP_FAILED;
  if (!blob.data.empty()) {
    // The library reads weights in place with aligned loads.
    mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping != MAP_FAILED) std::memcpy(mapping, blob.data.data(), size);
  } else {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info{};
    if (file >= 0 && fstat(file, &info) == 0 && info.st_size > 0) {
      size = static_cast<size_t>(info.st_size);
      mapping = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    }
    if (file >= 0) ::close(file);
  }
  if (mapping == MAP_FAILED) throw damaged("cannot read " + (path.empty() ? std::string(blob.name) : path));
  mapped_.emplace_back(mapping, size);
  return {static_cast<const char*>(mapping), size};
}

}  // namespace axle::ort
