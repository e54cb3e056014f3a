// Putting an artefact in place: from the files a builder left in its folder to a verified, leased entry.
#pragma once

#include <memory>
#include <string>

#include "cache/entry.h"
#include "cache/scratch.h"

namespace axle {

// Hashes and syncs the draft's files, moves them to objects/, and then the manifest to entries/. Readers see nothing or
// all of it. INVALID_ARGUMENT: the draft does not describe what is there. Cache failures as Cache::get_or_make.
Result<std::shared_ptr<Lease::State>> publish(const StoreLayout& layout, const ArtefactKey& key, const ManifestDraft& draft,
                                              const BuildFolder& folder, uint64_t max_bytes, const CancelToken& cancel);

}  // namespace axle
