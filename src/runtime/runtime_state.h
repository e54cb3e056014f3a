// What is behind a Runtime. Members are made once; machine, problems and asked_about are guarded by mutex.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "axle/cache.h"
#include "axle/evidence_store.h"
#include "axle/runtime.h"
#include "cache/memo.h"
#include "engine/engine.h"
#include "runtime/execution/worker_pool.h"
#include "runtime/loading/idle_engines.h"

namespace axle {

struct Runtime::State {
  RuntimeOptions options;
  std::shared_ptr<EngineRegistry> registry;
  std::optional<Cache> cache;
  std::optional<EvidenceStore> evidence;
  mutable std::mutex mutex;
  std::optional<Machine> machine;
  std::vector<std::string> problems;
  // Digests of the models that each engine was asked about in the process in which it answers.
  std::map<std::string, std::set<std::string>> asked_about;
  // In processes of their own, used by nobody now.
  std::unique_ptr<IdleEngines> idle = std::make_unique<IdleEngines>(0);
  WorkerPool pool{4};

  // Null without a cache.
  Memo* memo() { return cache ? &cache->memo() : nullptr; }
  // File of remembered library digests; "" without a cache that can be written.
  std::string library_digest_memo() const {
    return cache && !cache->read_only() ? cache->path() + "/library-digests-1.json" : "";
  }
  // A remembered answer, or nothing; and remembering one. Failures of the memo cost nothing but the memory.
  std::optional<std::string> recall(std::string_view kind, const std::string& key);
  void remember(std::string_view kind, const std::string& key, const std::string& value);
  // The open engine, joined with the machine.
  Result<std::shared_ptr<Engine>> engine(const std::string& name, Runtime& runtime);
};

}  // namespace axle
