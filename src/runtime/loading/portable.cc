#include "runtime/loading/portable.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace axle {
namespace {

// Stands in a key where the plugin's version does; no version begins so.
constexpr std::string_view kPortable = "portable-1:";

bool is_portable(const ArtefactKey& key) { return key.plugin_digest.starts_with(kPortable); }

bool knows_toolchain(const ArtefactKey& wanted) {
  return std::ranges::none_of(wanted.library_digests, [](const auto& part) { return part.second.empty(); });
}

// `wanted` with the versions of an artefact that is there, where none is known here.
ArtefactKey with_versions_of(ArtefactKey wanted, const ArtefactKey& there) {
  for (auto& [name, version] : wanted.library_digests) {
    const auto found = there.library_digests.find(name);
    if (version.empty() && found != there.library_digests.end()) version = found->second;
  }
  return wanted;
}

std::string text_of(const std::map<std::string, std::string>& values) {
  std::string text;
  for (const auto& [name, value] : values) text += (text.empty() ? "" : ", ") + name + " " + value;
  return text;
}

struct Difference {
  std::string name, there, here;
};

std::vector<Difference> differences(const ArtefactKey& there, const ArtefactKey& here) {
  std::vector<Difference> found;
  const auto compare = [&](const char* name, const std::string& a, const std::string& b) {
    if (a != b) found.push_back({name, a, b});
  };
  compare("device", there.target, here.target);
  compare("toolchain", text_of(there.library_digests), text_of(with_versions_of(here, there).library_digests));
  compare("options", text_of(there.options), text_of(here.options));
  compare("precision", there.precision, here.precision);
  compare("threads", std::to_string(there.threads), std::to_string(here.threads));
  compare("part of the model", there.subgraph_digest, here.subgraph_digest);
  compare("plugin", there.plugin_digest, here.plugin_digest);
  return found;
}

}  // namespace

std::optional<ArtefactKey> portable_key(const ArtefactKey& own, const Engine& engine) {
  const EngineInfo& info = engine.info();
  if (info.toolchain.empty()) return std::nullopt;
  ArtefactKey key = own;
  key.plugin_digest = std::string(kPortable) + info.plugin_version;
  // What a copy of the model was made with stays.
  key.library_digests.erase(engine.name());
  for (const auto& [name, version] : info.toolchain) key.library_digests[name] = version;
  key.isa.clear();
  return key;
}

Result<std::optional<Lease>> find_portable(Cache& cache, const ArtefactKey& wanted, const FindOptions& options) {
  FindOptions quiet = options;
  quiet.count_misses = false;
  std::vector<ArtefactKey> keys = {wanted};
  if (!knows_toolchain(wanted)) {
    AXLE_ASSIGN_OR_RETURN(std::vector<CacheEntry> entries, cache.ls());
    std::erase_if(entries, [&](const CacheEntry& entry) {
      return !entry.corrupt.empty() || with_versions_of(wanted, entry.key) != entry.key;
    });
    std::ranges::stable_sort(entries, std::greater<>(), &CacheEntry::created_unix_s);
    keys.clear();
    for (CacheEntry& entry : entries) keys.push_back(std::move(entry.key));
  }
  for (const ArtefactKey& key : keys) {
    AXLE_ASSIGN_OR_RETURN(Lookup lookup, cache.find(key, quiet));
    if (lookup.hit()) return std::move(lookup.lease);
  }
  return std::optional<Lease>();
}

std::string nearest_portable(Cache& cache, const ArtefactKey& wanted) {
  const auto entries = cache.ls();
  if (!entries) return "";
  std::vector<Difference> least;
  for (const CacheEntry& entry : *entries) {
    const bool comparable = entry.corrupt.empty() && is_portable(entry.key) && entry.key.engine == wanted.engine &&
                            entry.key.model_digest == wanted.model_digest;
    if (!comparable) continue;
    std::vector<Difference> found = differences(entry.key, wanted);
    if (!found.empty() && (least.empty() || found.size() < least.size())) least = std::move(found);
  }
  if (least.empty()) return "";
  const Difference& first = least.front();
  return fmt::format("the cache holds one of this model that was compiled elsewhere for another {}: '{}', here it is '{}'",
                     first.name, first.there, first.here);
}

Json producer_of(const Engine& engine, const Machine& here) {
  const std::optional<EngineLibrary>& library = engine.info().library;
  return {{"architecture", here.architecture},
          {"axle", AXLE_VERSION},
          {"library_digest", engine.library_digest()},
          {"library_version", library ? library->version : ""},
          {"plugin_version", engine.info().plugin_version}};
}

}  // namespace axle
