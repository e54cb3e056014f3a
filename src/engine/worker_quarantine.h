// Quarantine: a plugin whose processes end one after the other, without a run that went well between, is left alone for a while by
// this whole process: sessions that are loaded again and again would start it for ever.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "axle/status.h"

namespace axle {

class Quarantine {
 public:
  static constexpr uint32_t kDeathsInARow = 12;  // two loaded sessions' worth
  static constexpr int64_t kFirstNs = 30'000'000'000, kLongestNs = 1'800'000'000'000;

  // That of this process.
  static Quarantine& of_process();

  // UNAVAILABLE while the plugin is left alone; says how long, and what it died of last.
  Status check(const std::string& plugin, int64_t now_ns) const;
  void died(const std::string& plugin, const std::string& how, int64_t now_ns);
  void went_well(const std::string& plugin);

 private:
  struct Record {
    uint32_t deaths = 0;  // in a row
    int64_t pause_ns = 0;  // of the last time
    int64_t until_ns = 0;
    std::string how;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Record> records_;
};

}  // namespace axle
