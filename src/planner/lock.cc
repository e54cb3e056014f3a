#include "axle/lock.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/hash.h"
#include "planner/lock_parts.h"
#include "planner/planner.h"
#include "spec/plan_json.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

constexpr const char* kFormat = "axle-lock";
constexpr int64_t kVersion = 1;
constexpr size_t kMaxLockBytes = 256u << 20;

// When the facts were collected is kept beside them, but no digest depends on a clock. `input` is canonical JSON, where that is
// the first key: it is cut out of the text, since locks are checked in milliseconds and copying the facts is most of it.
Result<std::string> digest_of(const Json& plan, std::string_view input) {
  constexpr std::string_view kTime = "{\"as_of_unix_s\":";
  AXLE_ASSIGN_OR_RETURN(const std::string plan_text, canonical_json(plan));
  Sha256 hash;
  hash.update("{\"input\":");
  if (input.starts_with(kTime)) {
    const size_t end = std::min(input.find_first_of(",}", kTime.size()), input.size() - 1);
    hash.update("{");
    input.remove_prefix(input[end] == ',' ? end + 1 : end);
  }
  hash.update(input);
  hash.update(",\"plan\":").update(plan_text).update("}");
  return hash.finish().to_string();
}

Result<Plan> plan_again(const PlannerInput& input) {
  Result<PlannerOutput> output = make_plan(input);
  if (!output.has_value()) return std::move(output).error();
  return std::move(output)->plan;
}

}  // namespace

std::string Lock::digest() const {
  const Result<Json> input = parse_json(input_json, kMaxLockBytes);
  const Result<std::string> text = input.has_value() ? canonical_json(*input) : input.error();
  const Result<std::string> digest = text.has_value() ? digest_of(plan_to_json_value(plan), *text) : text.error();
  return digest.value_or(std::string());
}

Result<Lock> make_lock(const Plan& plan, const std::string& input_json) {
  Lock lock{plan, input_json};
  AXLE_ASSIGN_OR_RETURN(const PlannerInput input, parse_planner_input(input_json));
  AXLE_ASSIGN_OR_RETURN(const Plan again, plan_again(input));
  if (again.digest() != plan.digest()) {
    return invalid_argument_error(
        "a lock needs the plan and the very input it was made from; this input leads to another plan");
  }
  return lock;
}

Result<std::string> lock_to_json(const Lock& lock) {
  AXLE_ASSIGN_OR_RETURN(const Json input, parse_json(lock.input_json, kMaxLockBytes));
  const Json plan = plan_to_json_value(lock.plan);
  AXLE_ASSIGN_OR_RETURN(const std::string text, canonical_json(input));
  AXLE_ASSIGN_OR_RETURN(const std::string digest, digest_of(plan, text));
  return canonical_json({{"digest", digest}, {"format", kFormat}, {"input", input}, {"plan", plan}, {"version", kVersion}});
}

Result<LockParts> parse_lock_parts(std::string_view json) {
  AXLE_ASSIGN_OR_RETURN(const Json value, parse_json(json, kMaxLockBytes));
  JsonReader reader(value, "lock");
  const std::string format = reader.text("format");
  const int64_t version = reader.integer("version");
  const std::string digest = reader.text("digest");
  const Json& plan = reader.object("plan");
  const Json& input = reader.object("input");
  AXLE_RETURN_IF_ERROR(reader.status());
  if (format != kFormat) return invalid_argument_error(fmt::format("lock.format is \"{}\", not \"{}\"", format, kFormat));
  if (version != kVersion)
    return invalid_argument_error(fmt::format("lock.version is {}; this build reads version {}", version, kVersion));
  AXLE_RETURN_IF_ERROR(reader.finish());
  LockParts parts;
  Lock& lock = parts.lock;
  AXLE_ASSIGN_OR_RETURN(lock.input_json, canonical_json(input));
  AXLE_ASSIGN_OR_RETURN(const std::string found, digest_of(plan, lock.input_json));
  if (found != digest) {
    return invalid_argument_error(
               fmt::format("the lock was changed after it was written: its content has digest {}, it says {}", found, digest))
        .with_hint("write it anew with `axle plan MODEL -o LOCK` instead of editing it");
  }
  AXLE_ASSIGN_OR_RETURN(lock.plan, read_plan_json(plan, "lock.plan"));
  AXLE_ASSIGN_OR_RETURN(parts.input, read_planner_input_json(input, "lock.input"));
  return parts;
}

Result<Lock> parse_lock(std::string_view json) {
  AXLE_ASSIGN_OR_RETURN(LockParts parts, parse_lock_parts(json));
  return std::move(parts.lock);
}

Status save_lock(const std::string& path, const Lock& lock) {
  AXLE_ASSIGN_OR_RETURN(const std::string text, lock_to_json(lock));
  return write_file_atomic(path, text + "\n");
}

Result<LockParts> load_lock_parts(const std::string& path) {
  const auto said = [](Status status) {
    return status.hint().empty() ? std::move(status).with_hint("`axle plan MODEL -o FILE.lock` writes a lock") : status;
  };
  const Result<std::string> text = read_file(path, kMaxLockBytes);
  if (!text.has_value()) return said(text.error());
  Result<LockParts> parts = parse_lock_parts(*text);
  if (!parts.has_value()) return said(std::move(parts).error()).with_context(path + " is no lock that can be read");
  return parts;
}

Result<Lock> load_lock(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(LockParts parts, load_lock_parts(path));
  return std::move(parts.lock);
}

Result<Lock> replan(const Lock& lock) {
  AXLE_ASSIGN_OR_RETURN(const PlannerInput input, parse_planner_input(lock.input_json));
  AXLE_ASSIGN_OR_RETURN(Plan again, plan_again(input));
  return Lock{std::move(again), lock.input_json};
}

Status check_replans(const Lock& lock) {
  AXLE_ASSIGN_OR_RETURN(const Lock replanned, replan(lock));
  const Plan& again = replanned.plan;
  if (again == lock.plan) return ok_status();
  const bool same_work = again.digest() == lock.plan.digest();
  return aborted_error(same_work ? "this build plans the same work from the lock's facts but explains it differently"
                                 : fmt::format("this build plans {} from the lock's facts, the lock says {}",
                                               again.partitions.front().candidate.format(),
                                               lock.plan.partitions.front().candidate.format()))
      .with_hint("run the version of axle that wrote the lock, or write it anew");
}

Result<Policy> locked_policy(const Lock& lock) {
  AXLE_ASSIGN_OR_RETURN(PlannerInput input, parse_planner_input(lock.input_json));
  return std::move(input.policy);
}

}  // namespace axle
