#include "run_profile.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

namespace axle::ort {
namespace {

namespace fs = std::filesystem;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[maybe_unused]] std::string unique_prefix(const std::string& folder) {
  static std::atomic<uint64_t> next{0};
  return folder + "/run-profile-" + std::to_string(next.fetch_add(1));
}

// The vendor appends a time to the prefix.
std::vector<fs::path> files_with(const std::string& prefix) {
  const fs::path path(prefix);
  const std::string start = path.filename().string() + "_";
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(path.parent_path(), error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(start)) files.push_back(it->path());
  }
  return files;
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t micros_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<int64_t>() : 0;
}

}  // namespace

RunProfile::RunProfile(const Runtime& runtime, OrtRunOptions* options) : runtime_(runtime), options_(options) {
#if ORT_API_VERSION >= 25
  const Api& api = runtime_.api();
  if (api.has(25) && !runtime_.scratch_folder().empty()) {
    prefix_ = unique_prefix(runtime_.scratch_folder());
    check(api, api->RunOptionsEnableProfiling(options_, prefix_.c_str()), "starting the profiler");
  }
#endif
  start_ns_ = now_ns();
}

RunProfile::~RunProfile() { stop(); }

void RunProfile::stop() noexcept {
#if ORT_API_VERSION >= 25
  if (prefix_.empty()) return;
  OrtStatus* status = runtime_.api()->RunOptionsDisableProfiling(options_);
  if (status != nullptr) runtime_.api()->ReleaseStatus(status);
  std::error_code ignored;
  for (const fs::path& file : files_with(prefix_)) fs::remove(file, ignored);
  prefix_.clear();
#endif
}

void RunProfile::finish(const kit::Profile& profile) noexcept {
  const int64_t end_ns = now_ns();
  try {
    bool delivered = false;
    if (!prefix_.empty()) {
      for (const fs::path& file : files_with(prefix_)) {
        std::ifstream in(file, std::ios::binary);
        std::ostringstream content;
        content << in.rdbuf();
        delivered = deliver_profile(content.str(), start_ns_, profile) || delivered;
      }
    }
    if (!delivered) profile.event("run", "kernel", start_ns_, end_ns - start_ns_);
    stop();
  } catch (const std::exception& error) {
    runtime_.host().log(kit::LogLevel::kWarning, "onnxruntime", std::string("a profile was lost: ") + error.what());
  }
}

bool deliver_profile(const std::string& json, int64_t start_ns, const kit::Profile& profile) {
  const nlohmann::json events = nlohmann::json::parse(json, nullptr, false);
  if (!events.is_array()) return false;
  constexpr std::string_view kSuffix = "_kernel_time";
  bool any = false;
  for (const nlohmann::json& event : events) {
    if (!event.is_object() || text_of(event, "cat") != "Node") continue;
    std::string name = text_of(event, "name");
    if (!name.ends_with(kSuffix)) continue;
    name.resize(name.size() - kSuffix.size());
    const auto found = event.find("args");
    const nlohmann::json arguments = found != event.end() && found->is_object() ? *found : nlohmann::json::object();
    kit::JsonWriter out;
    out.begin_object()
        .member("op", text_of(arguments, "op_name"))
        .member("provider", text_of(arguments, "provider"))
        .end_object();
    profile.event(name, "kernel", start_ns + micros_of(event, "ts") * 1000, micros_of(event, "dur") * 1000,
                  std::move(out).take());
    any = true;
  }
  return any;
}

}  // namespace axle::ort
