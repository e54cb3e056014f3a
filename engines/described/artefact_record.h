// What axle itself keeps beside the vendor's files of an artefact, in axle-record.json: the model's inputs and outputs, so that
// the artefact runs without the model, and the values that must be equal when it is loaded again.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "axle/engine_kit.h"
#include "axle/status.h"

namespace axle::described {

inline constexpr const char* kRecordFile = "axle-record.json";
inline constexpr const char* kLogFile = "axle-log.txt";
inline constexpr size_t kMaxRecordBytes = 16u << 20;

struct ArtefactRecord {
  std::string engine;
  std::string precision;
  kit::Io io;  // static shapes only
  std::map<std::string, std::string> compatibility;
};

Result<std::string> format_record(const ArtefactRecord& record);
// DATA_LOSS: it is not what format_record writes.
Result<ArtefactRecord> parse_record(std::string_view text);

std::vector<int64_t> sizes_of(const kit::IoSpec& spec);

// Inputs and outputs of `graph`. UNIMPLEMENTED names one whose shape is not fixed.
Result<kit::Io> static_io(const kit::Graph& graph);

}  // namespace axle::described
