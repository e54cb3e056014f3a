// Does a lock hold here? Compares the facts a lock was made on with those of now, without planning, running or, while the
// engines' files are as they were, opening an engine. What `axle plan --check`, `axle run --locked` and Session::load(lock) use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/drift.h"
#include "axle/export.h"
#include "axle/lock.h"
#include "axle/model.h"
#include "axle/policy.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace axle {

struct LockCheckOptions {
  const Model* model = nullptr;  // null: the model is not compared
  const Policy* policy = nullptr;  // null: the lock's own
  const Machine* machine = nullptr;  // null = this one; else a recorded one, with the engines that are here
  std::vector<std::string> waive;  // drift fields tolerated beside the lock's own [lock] waive
  bool verify = false;  // hash files instead of trusting their stamps
};

enum class LockState : uint8_t { kValid, kOldEvidence, kDrifted };
AXLE_API std::string_view lock_state_name(LockState state) noexcept;  // "valid", "old_evidence", "drifted"

struct LockCheck {
  LockState state = LockState::kValid;
  std::vector<Drift> drifts;  // waived ones too, marked; a lock is drifted by those that are not
  std::vector<OldEvidence> old_evidence;  // no reason to refuse
  std::vector<std::string> notes;  // different, but nothing that runs depends on it: one sentence each
  bool model_compared = false;
  std::string machine_fingerprint;  // of the machine it was compared with
  // The locked plan. Where a drift is waived it says what is here instead, and its ledger names the waiver.
  Plan plan;
  // OK unless drifted. ABORTED names each field with both values; the detail "drift" holds them as JSON, the hint is the
  // command that plans again for `model` and how to tolerate it.
  AXLE_API Status status(const std::string& model = "MODEL", const std::string& lock = "LOCK") const;
};

// About 10 ms. INVALID_ARGUMENT: a waived field that does not exist, or a lock whose input cannot be read. UNAVAILABLE when
// the machine cannot be looked at.
AXLE_API Result<LockCheck> check_lock(Runtime& runtime, const Lock& lock, const LockCheckOptions& options = {});

struct CheckedLock {
  Lock lock;
  LockCheck check;
};
// load_lock, then check_lock; reads the lock's facts once. Errors of both.
AXLE_API Result<CheckedLock> check_lock_file(Runtime& runtime, const std::string& path, const LockCheckOptions& options = {});

}  // namespace axle
