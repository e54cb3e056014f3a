// Artefacts: the model as ONNX Runtime's optimiser left it, in ORT format, so that a later load neither parses ONNX nor optimises
// and keeps its weights in the mapped file. Models too large for that format become ONNX with external weights.
#pragma once

#include <string>

#include "providers.h"
#include "session.h"

namespace axle::ort {

inline constexpr const char* kOrtFormat = "ort-optimised";
inline constexpr const char* kOnnxFormat = "onnx-optimised";

// Writes into args.scratch_folder. Throws what the vendor says.
kit::Manifest compile_artefact(const std::shared_ptr<const Runtime>& runtime, Providers& providers,
                               const kit::CompileArgs& args);

// An artefact's files as a model source; views of blob data, or of files mapped here.
class LoadedArtefact {
 public:
  // Throws DATA_LOSS when a file is missing or is not what compile wrote.
  explicit LoadedArtefact(std::span<const kit::Blob> blobs);
  ~LoadedArtefact();
  LoadedArtefact(const LoadedArtefact&) = delete;
  LoadedArtefact& operator=(const LoadedArtefact&) = delete;
  const ModelSource& source() const noexcept { return source_; }

 private:
  std::string_view bytes_of(const kit::Blob& blob);
  ModelSource source_;
  std::vector<std::pair<void*, size_t>> mapped_;
};

// The instruction sets that decide kernels and layouts, e.g. "x86_64 avx2 avx512f avx512_vnni".
std::string instruction_set();

}  // namespace axle::ort
