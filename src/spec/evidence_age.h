// What a measurement was made with, and in words what has changed since: pure functions over recorded texts.
#pragma once

#include <map>
#include <string>
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

// "measured with onnxruntime 1.30.0, 1.31.1 is here; under the driver amdxdna 6.14 of npu:0, amdxdna 6.15 is here", for a row that
// does not count: what is known to differ, or that it is another build when versions are equal or were not recorded.
std::string stale_reason(const std::map<std::string, std::string>& then, const std::map<std::string, std::string>& now);

}  // namespace axle
