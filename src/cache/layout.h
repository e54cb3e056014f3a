// StoreLayout: where things lie in a cache folder (docs/formats/cache.md). The version is part of the folder's name, so that
// a later one can live beside it.
#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"

namespace axle {

struct StoreLayout {
  explicit StoreLayout(std::string cache_folder)
      : folder(std::move(cache_folder)), store(folder + "/store-1"), entries(store + "/entries"), objects(store + "/objects"),
        locks(store + "/locks"), pins(store + "/pins"), scratch(store + "/scratch"), lock(store + "/lock"),
        statistics(store + "/statistics.log"), memo(folder + "/memo-1"), evidence(folder + "/evidence-1.log") {}

  std::string folder, store, entries, objects, locks, pins, scratch, lock, statistics, memo, evidence;

  // `key_hex`: the 64 digits of a key's digest.
  std::string entry_folder(std::string_view key_hex) const { return entries + "/" + std::string(key_hex.substr(0, 2)); }
  std::string entry(std::string_view key_hex) const { return entry_folder(key_hex) + "/" + std::string(key_hex); }
  std::string object_folder(const Digest& digest) const { return objects + "/" + digest.hex().substr(0, 2); }
  std::string object(const Digest& digest) const { return object_folder(digest) + "/" + digest.hex(); }
  std::string key_lock(std::string_view key_hex) const { return locks + "/" + std::string(key_hex); }
  std::string pin(std::string_view key_hex) const { return pins + "/" + std::string(key_hex); }
};

}  // namespace axle
