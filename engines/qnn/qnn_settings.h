// The engine's options: declared and checked here, because the provider ignores what it does not know and only warns of values
// that it does not take.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "qnn_library.h"

namespace axle::qnn {

struct Settings {
  std::string htp_arch = "75";
  std::string performance_mode = "default";
  int64_t optimization_mode = 0;
  int64_t vtcm_mb = 0;
};

// For a processor of that generation, whose code runs on no other; kUnknownGeneration: who compiles has to say it; "": any will do.
std::vector<kit::Option> option_table(const std::string& generation = "");
std::vector<kit::Preset> preset_table();
// Throws INVALID_ARGUMENT naming the option: unknown, or outside its domain.
Settings parse_settings(const kit::Options& options);
// Throws INVALID_ARGUMENT where code is asked for that a processor of that generation (as above) does not run.
void check_generation(const Settings& settings, const std::string& generation);
// Throws FAILED_PRECONDITION where nobody has said which generation it is.
void require_generation(const Settings& settings);
// Every option's value as text.
std::map<std::string, std::string> to_texts(const Settings& settings);

// Whether the processor that is asked for computes in f16.
bool has_half(const Settings& settings);

// What goes into a session beside the settings.
struct SessionAsk {
  bool half = false;          // f32 graphs are computed in f16
  bool cpu_fallback = false;  // only to learn which nodes it would take; never to run
  std::string graphs_folder;  // the provider describes the graphs that it makes there; empty: it does not
};
ort::Handle<OrtSessionOptions> make_session_options(const Library& library, const Settings& settings, const SessionAsk& ask);

}  // namespace axle::qnn
