// Artefacts that were compiled on another machine (docs/decisions/0023-an-artefact-for-elsewhere-is-keyed-by-what-made-it.md): the key
// that both sides know, finding one, and why what is there was none of them.
#pragma once

#include <optional>
#include <string>

#include "axle/cache.h"
#include "axle/device.h"
#include "base/json.h"
#include "engine/engine.h"

namespace axle {

// The key of the same artefact made for any machine with such a device. Nothing: the engine's artefacts serve only where they were made.
std::optional<ArtefactKey> portable_key(const ArtefactKey& own, const Engine& engine);

// An artefact of that key; where a part of the toolchain is not here, so that its version is not known, the newest of any version. A miss
// counts in no statistics: who finds nothing goes on to the artefacts of this machine.
Result<std::optional<Lease>> find_portable(Cache& cache, const ArtefactKey& wanted, const FindOptions& options);

// Of the artefact for another machine that differs least, in what: "the cache holds one for another target (...), made by ...". "" = none.
std::string nearest_portable(Cache& cache, const ArtefactKey& wanted);

// Who made it, kept in its record: told, never compared.
Json producer_of(const Engine& engine, const Machine& here);

}  // namespace axle
