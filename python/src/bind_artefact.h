// What Cache.find and Cache.get_or_make are in Python. GIL held on entry and exit, released meanwhile.
#pragma once

#include <nanobind/nanobind.h>

#include "axle/cache.h"

namespace axle::python {

Lookup find_artefact(Cache& cache, const ArtefactKey& key, bool verify, bool count_misses, const CancelToken* cancel);

// `make(scratch_folder, cancel)` is called on this thread and gives a ManifestDraft; what it raises is raised here.
// So is `progress(what, fraction)`, while another process or thread builds it.
Lease get_or_make_artefact(Cache& cache, const ArtefactKey& key, nanobind::handle make, bool verify, nanobind::handle progress,
                           const CancelToken* cancel);

}  // namespace axle::python
