// The engine's options: declared once in a table, parsed once, written into the vendor's session options once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ort_api.h"

namespace axle::ort {

struct Settings {
  std::string graph_optimization_level = "all";
  std::string execution_mode = "sequential";
  int64_t inter_op_threads = 1;
  std::string spinning = "auto";  // auto: as load's spin says; never: not even inside a run
  bool arena = true;
  bool mem_pattern = true;
  bool prepacking = true;
  int64_t dynamic_block_base = 0;
  bool denormal_as_zero = false;
  bool deterministic_compute = false;
  bool gelu_approximation = false;
  bool quant_qdq = true;
  bool exact_u8s8 = true;
  std::string provider = "cpu";
  bool allow_cpu_fallback = false;
  std::string custom_ops;  // paths of libraries, separated by colons
};

// The options as capability answers them; `providers` are the choices of the option `provider`.
std::vector<kit::Option> option_table(const std::vector<std::string>& providers);
std::vector<kit::Preset> preset_table();

// Throws INVALID_ARGUMENT naming the option: unknown, or outside its domain.
Settings parse_settings(const kit::Options& options);

// Every option's value as text, in the order of the table's names.
std::map<std::string, std::string> to_texts(const Settings& settings);

// What load and compile put into the vendor's session options beside Settings.
struct SessionPlan {
  int32_t threads = 1;
  bool spin = false;
  bool optimise = true;     // false: the model is an artefact that is optimised already
  bool fuse_quantised = true;  // false: quantised islands are computed in floats (precision f32)
};

Handle<OrtSessionOptions> make_session_options(const Api& api, const Settings& settings, const SessionPlan& plan);

// Adds one configuration entry; keys that the library does not know are ignored by it.
void set_entry(const Api& api, OrtSessionOptions* options, const char* key, const std::string& value);
// "" when the entry is not set.
std::string get_entry(const Api& api, const OrtSessionOptions* options, const char* key);

// Of the engine-wide option `log_level`; "error" unless it is given. INVALID_ARGUMENT for another word.
OrtLoggingLevel log_level(const kit::Options& options);

}  // namespace axle::ort
