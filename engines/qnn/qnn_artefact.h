// Compiled graphs: a small ONNX file and the binary that it names, which must stand beside it under that name, and a line of ours
// that says in what types the graph computes.
#pragma once

#include <optional>
#include <string>

#include "node_types.h"
#include "qnn_settings.h"

namespace axle::qnn {

inline constexpr const char* kFormat = "qnn-context";
inline constexpr const char* kContextFile = "model.onnx";
inline constexpr const char* kBinaryFile = "model_qnn.bin";  // the provider's name for it; written into the other file
inline constexpr const char* kTypesFile = "nodes.txt";

// Why `precision` cannot be had for this graph; no value: it can. Throws UNIMPLEMENTED for a name that there is none of.
std::optional<std::string> refuse_precision(const kit::Graph& graph, std::string_view precision);

// Writes into args.scratch_folder. Every node is in it, or this throws: nothing is left to the CPU.
kit::Manifest compile_artefact(const Library& library, const kit::CompileArgs& args);

// What a compiled graph says of itself: "v2:6:2.51.0:5.51.0:75:0:0:0".
struct ContextRecord {
  Version sdk;  // that wrote it
  Version backend;  // of that SDK: what can be compared with what is here
  std::string arch;  // that it was compiled for
};
std::optional<ContextRecord> parse_record(std::string_view text);
// Throws FAILED_PRECONDITION: written by a newer backend, or for another processor than the settings say.
void check_record(const ContextRecord& record, const std::optional<Version>& here, const Settings& settings);

// The files of an artefact under the names that they must have, in a folder that goes with this object.
class ContextFolder {
 public:
  ContextFolder(const Library& library, std::string_view scratch_folder);
  ~ContextFolder();
  ContextFolder(const ContextFolder&) = delete;
  ContextFolder& operator=(const ContextFolder&) = delete;

  // Throws DATA_LOSS when a file is missing.
  void take(std::span<const kit::Blob> blobs);
  const std::string& path() const noexcept { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The record of the compiled graph in that file. Throws DATA_LOSS when there is none.
ContextRecord record_of(const Library& library, const std::string& file);

}  // namespace axle::qnn
