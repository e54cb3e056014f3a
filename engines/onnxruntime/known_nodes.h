// What trying nodes alone has shown of one library: verdicts by provider and node signature. A file of it (known-nodes of the scratch folder) is
// kept by the host with the library and comes back with later questions. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::ort {

// Names of a node and of its values, which the vendor quotes in its texts. They belong to one model, verdicts to all.
std::vector<std::string> quoted_names(const kit::Node& node);

class KnownNodes {
 public:
  // The text speaks of the node with these names. Nothing when it was never tried.
  std::optional<kit::Verdict> find(const std::string& key, const std::vector<std::string>& names);
  // Only what holds for every node of that signature: a refusal of its sizes or of anything unknown does not.
  void add(const std::string& key, kit::Verdict verdict, const std::vector<std::string>& names);

  // Adds what the file holds and is not known yet, of keys that begin so. Whatever cannot be read there is not known. "" = no folder.
  void read(const std::string& folder, std::string_view prefix);
  // Writes those keys when there are some that the last file read did not hold, the newest first where it grows too large. Failures cost the memory only.
  void write(const std::string& folder, std::string_view prefix);

 private:
  struct Entry {
    kit::Verdict verdict;
    uint64_t age = 0;  // grows
  };
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  uint64_t next_age_ = 0;
  bool more_than_file_ = false;
};

}  // namespace axle::ort
