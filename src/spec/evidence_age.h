// What a measurement was made with, and in words what has changed since: pure functions over recorded texts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"

namespace axle {

// Part of what runs: an engine at a version on a resource (its id; a core set counts as the whole).
struct EvidenceSource {
  std::string engine;
  std::string version;
  std::string resource;
};

// EvidenceRow::made_with of a measurement that these make on the machine.
std::map<std::string, std::string> made_with(const Machine& machine, const std::vector<EvidenceSource>& sources);

// {"cpus cpu:0/1": "2,3"} of each core set of the machine that a candidate's name names: its number alone does not tell which cores it is.
// In EvidenceRow::made_with of what was measured on core sets, and a row counts where these are the same.
std::map<std::string, std::string> core_sets_of(const Machine& machine, std::string_view candidate);

// "measured with onnxruntime 1.30.0, 1.31.1 is here; under the driver amdxdna 6.14 of npu:0, amdxdna 6.15 is here", for a row that
// does not count: what is known to differ, or that it is another build when versions are equal or were not recorded.
std::string stale_reason(const std::map<std::string, std::string>& then, const std::map<std::string, std::string>& now);

}  // namespace axle
