// What a vendor's black box is and how it is called: an engine description (docs/formats/engine-description.md) as plain
// values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/engine_kit.h"
#include "axle/status.h"

namespace axle::described {

// A program, a shared library or another file of the vendor's, and where it may lie.
struct ToolSpec {
  std::string name;  // ${tool.NAME}
  std::string file;  // "npu-compile", "libnpu.so.1"
  bool is_program = true;
  bool is_library = false;  // neither: a file that the others need
  std::string variable;  // environment variable that holds the file, or a folder that has it
  std::vector<std::string> paths;  // folders, in order; "python:..." = below each site-packages folder
  std::vector<std::string> version_argv;  // "" = has no version command
  std::string version_pattern;  // one group: the version
  std::string versions;  // ">=1.2, <2"; "" = any
  bool only_to_compile = false;  // what is compiled elsewhere is loaded without it
};

// ">=1.2", "<2": a comparison of dotted numbers.
struct VersionBound {
  std::string relation;  // "=", ">=", ">", "<=", "<"
  std::vector<int64_t> number;
};

// An argument, or a group of them: for each input or output of the model, or when a text has a value.
struct Argument {
  std::string text;
  std::string each;  // "", "input", "output"
  std::string when, is;  // the group stands when `when`, expanded, is `is`; "" = always
  std::vector<std::string> args;
};

// A file made before a program starts: from a template, or from another file with texts replaced.
struct ConfigFile {
  std::string file;  // where it is written
  std::string text;
  std::string from;
  std::map<std::string, std::string> replace;
};

// A value in a report that must hold.
struct ReportCheck {
  std::string file;
  std::string json;  // JSON pointer, or
  std::string csv;  // column of the first row
  std::optional<double> minimum, maximum;
  std::optional<std::string> equals;
};

// All of them must hold.
struct Success {
  std::vector<int64_t> exit_codes = {0};
  std::vector<std::string> log_must, log_must_not;
  std::vector<ReportCheck> reports;
};

struct Step {
  std::string name;
  std::vector<Argument> argv;
  std::vector<ConfigFile> configs;
  int64_t timeout_ns = 0;
  uint64_t memory_bytes = 0;  // 0 = no limit
  std::vector<std::string> outputs;  // files that must be there and hold something
  Success success;
  std::string progress;  // one group: percent
};

struct FailureRule {
  std::string pattern;
  std::optional<int64_t> exit_code, signal;
  StatusCode code = StatusCode::kUnknown;
  std::string text;
  std::string hint;
};

struct Environment {
  bool inherited = false;
  bool private_home = true;  // HOME and TMPDIR inside the scratch folder
  std::map<std::string, std::string> set;
  std::vector<std::string> unset;
};

// What must be equal when an artefact is loaded again.
struct CompatibilityEntry {
  std::string name;
  std::string text;
  std::vector<std::string> argv;
  std::string pattern;  // one group; of argv's output
};

enum class TensorFiles : uint8_t { kNpy, kNpz, kRaw };

// A C function by name. "status(handle, path)".
struct Signature {
  std::string symbol;
  std::string library;  // a tool; "" = the runtime's
  std::string returns;
  std::vector<std::string> arguments;
};

// A runtime that computes in memory of its own: an array of structs of the vendor's, with a function that leads to the data of one.
struct OwnTensors {
  std::string inputs, outputs;  // variables: the first struct of each direction; "" = the runtime takes the caller's memory
  std::string input_count, output_count;  // variables, checked against the model; "" = not told
  uint64_t stride = 0;  // bytes from one struct to the next
  Signature data, size;  // of a struct: where its data is, and how many bytes
};

enum class RuntimeKind : uint8_t { kCommand, kLibrary, kNone };

struct RuntimeSpec {
  RuntimeKind kind = RuntimeKind::kCommand;
  std::string reason;  // none: why nothing runs here
  // command
  TensorFiles input_files = TensorFiles::kNpy, output_files = TensorFiles::kNpy;
  std::string input_file, output_file;  // names; ${index} and ${name}, or one name for npz
  Step step;
  // library
  std::string library;  // a tool
  std::string file;  // of the artefact: what load's path is
  int64_t success_value = 0;
  size_t least_rank = 0;  // shapes of fewer sizes are handed over with ones before them
  std::map<std::string, std::vector<Signature>> functions;  // load, run, unload, last_error: calls in order
  OwnTensors tensors;
};

struct Description {
  std::string folder;  // where it lies: ${folder}
  std::string digest;  // "sha256:..." of its text
  kit::EngineInfo info;  // name, vendor, description, install_command
  std::string licence;
  bool simulated = false;
  std::string backend;
  kit::ResourceInfo resource;
  std::vector<std::string> pci_ids;  // "1e52:0401": the real devices; none for a simulated one
  std::vector<ToolSpec> tools;
  kit::Capability capability;
  std::string model_file;  // the name under which a model of another format than ONNX is handed over; "" = its own
  Environment environment;
  std::vector<Step> compile;
  std::vector<std::string> artefact_files;
  std::vector<CompatibilityEntry> compatibility;
  bool portable = false;  // what is compiled for another machine depends on nothing of the one that compiles it
  std::vector<FailureRule> failures;
  RuntimeSpec runtime;
};

inline constexpr size_t kMaxDescriptionBytes = 1u << 20;

// INVALID_ARGUMENT "file:line:column: ...", an unknown key with the nearest known one. Looks at no other file.
Result<Description> parse_description(std::string_view text, const std::string& origin);
// NOT_FOUND, PERMISSION_DENIED (everybody may write it), otherwise as above.
Result<Description> load_description(const std::string& path);

// The resources that are here: the simulated one, or one for each PCI device of the ids, in order of address, and then one with the
// attribute `compiles_for`: the compiler works for devices of other machines, too.
std::vector<kit::ResourceInfo> find_resources(const Description& description,
                                              const std::string& pci_root = "/sys/bus/pci/devices");

// Whether a compile step, or the environment that it sees, has that tool in it.
bool compiles_with(const Description& description, const ToolSpec& tool);

// "" = any; INVALID_ARGUMENT for what is no list of comparisons.
Result<std::vector<VersionBound>> parse_version_bounds(std::string_view text);
bool version_within(std::string_view version, const std::vector<VersionBound>& bounds);

}  // namespace axle::described
