#include "axle/compile.h"

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "base/file.h"
#include "cache/entry.h"
#include "runtime/loading/build.h"
#include "runtime/variants/variants.h"

namespace axle {

Result<std::vector<CompiledPart>> compile_plan(Runtime& runtime, const Model& model, const Plan& plan,
                                               const CompileOptions& options) {
  if (runtime.cache() == nullptr) {
    return failed_precondition_error("there is no cache to compile into")
        .with_hint("axle doctor says why; AXLE_CACHE_DIR names a folder that only its owner may write to");
  }
  BuildOptions build;
  build.cancel = options.cancel;
  build.verify = options.verify;
  build.machine = options.machine;
  std::vector<CompiledPart> parts;
  for (const Partition& part : plan.partitions) {
    const std::string name = part.candidate.format();
    AXLE_RETURN_IF_ERROR(options.cancel.check());
    if (options.progress) {
      build.progress = [&](const std::string& what, double fraction) { options.progress(name + ": " + what, fraction); };
      options.progress(name + ": starting its compiler", -1);
    }
    std::optional<OpenVariant> variant;
    if (part.variant) {
      AXLE_ASSIGN_OR_RETURN(variant, open_variant(runtime, model, *part.variant, options.verify));
    }
    AXLE_ASSIGN_OR_RETURN(BuiltArtefact built, build_artefact(runtime, variant ? variant->model : model, part, build));
    parts.push_back({name, std::move(built.key_digest), std::move(built.cache), built.size_bytes, built.compile_ns});
  }
  return parts;
}

Result<std::vector<std::string>> write_artefact_files(const Cache& cache, const std::string& key_digest,
                                                      const std::string& folder) {
  const std::string key = key_digest.starts_with("sha256:") ? key_digest.substr(7) : key_digest;
  if (key.size() != 64 || key.find_first_not_of("0123456789abcdef") != std::string::npos)
    return invalid_argument_error("'" + key_digest + "' is no key of an artefact").with_hint("see: axle cache ls");
  AXLE_ASSIGN_OR_RETURN(const EntryOutcome outcome,
                        open_entry(StoreLayout(cache.path()), key, nullptr, BlobCheck::kHash, nullptr, CancelToken::none()));
  if (const auto* corrupt = std::get_if<EntryCorrupt>(&outcome))
    return data_loss_error("the artefact " + key_digest + " is damaged: " + corrupt->reason)
        .with_hint("axle cache verify --remove");
  const auto* entry = std::get_if<std::shared_ptr<Lease::State>>(&outcome);
  if (entry == nullptr) return not_found_error("the cache holds no artefact " + key_digest).with_hint("see: axle cache ls");
  AXLE_RETURN_IF_ERROR(make_dirs(folder, 0700));
  std::vector<std::string> names;
  for (const Blob& blob : (*entry)->blobs) {
    if (blob.name == "." || blob.name == ".." || blob.name.find('/') != std::string::npos)
      return invalid_argument_error("the artefact has a file that is called '" + blob.name + "'");
    const std::string_view bytes(reinterpret_cast<const char*>(blob.data.data()), blob.data.size());
    AXLE_RETURN_IF_ERROR(write_file_atomic(folder + "/" + blob.name, bytes, kPrivateFileMode));
    names.push_back(blob.name);
  }
  return names;
}

}  // namespace axle
