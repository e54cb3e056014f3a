#include "axle/cache.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "bind_artefact.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

CancelToken token_of(const CancelToken* cancel) { return cancel == nullptr ? CancelToken::none() : *cancel; }

void bind_reports(nb::module_& module) {
  nb::class_<CacheEntry>(module, "CacheEntry", "One artefact in the cache.")
      .def_ro("key_digest", &CacheEntry::key_digest)
      .def_ro("key", &CacheEntry::key)
      .def_prop_ro(
          "key_json", [](const CacheEntry& entry) { return entry.key.to_json(); },
          "Canonical JSON of everything the artefact depends on.")
      .def_ro("compatibility_json", &CacheEntry::compatibility_json)
      .def_ro("size_bytes", &CacheEntry::size_bytes)
      .def_ro("created_unix_s", &CacheEntry::created_unix_s)
      .def_ro("last_used_unix_s", &CacheEntry::last_used_unix_s)
      .def_ro("pinned", &CacheEntry::pinned)
      .def_ro("corrupt", &CacheEntry::corrupt, "reason; \"\" = the manifest is sound");
  nb::class_<CacheStats>(module, "CacheStats", "Figures since the cache was made, over all processes.")
      .def_ro("entries", &CacheStats::entries)
      .def_ro("bytes", &CacheStats::bytes)
      .def_ro("max_bytes", &CacheStats::max_bytes)
      .def_ro("memo_entries", &CacheStats::memo_entries)
      .def_ro("memo_bytes", &CacheStats::memo_bytes)
      .def_ro("hits", &CacheStats::hits)
      .def_ro("misses", &CacheStats::misses)
      .def_ro("corrupt", &CacheStats::corrupt)
      .def_ro("evictions", &CacheStats::evictions)
      .def_ro("hit_rate", &CacheStats::hit_rate, "hits / (hits + misses)");
  nb::class_<CacheProblem>(module, "CacheProblem", "A damaged file of the cache.")
      .def_ro("file", &CacheProblem::file)
      .def_ro("reason", &CacheProblem::reason);
  nb::class_<CacheVerifyReport>(module, "CacheVerifyReport", "What verify read.")
      .def_ro("entries", &CacheVerifyReport::entries)
      .def_ro("blobs", &CacheVerifyReport::blobs)
      .def_ro("memos", &CacheVerifyReport::memos)
      .def_ro("bytes", &CacheVerifyReport::bytes)
      .def_ro("problems", &CacheVerifyReport::problems);
  nb::class_<CacheTransferReport>(module, "CacheTransferReport", "What export_archive and import_archive did.")
      .def_ro("entries", &CacheTransferReport::entries, "written or put in place")
      .def_ro("already_there", &CacheTransferReport::already_there)
      .def_ro("bytes", &CacheTransferReport::bytes, "of blobs");
  nb::class_<CacheGcReport>(module, "CacheGcReport", "What gc and rm did.")
      .def_ro("removed_entries", &CacheGcReport::removed_entries)
      .def_ro("removed_bytes", &CacheGcReport::removed_bytes)
      .def_ro("in_use_entries", &CacheGcReport::in_use_entries)
      .def_ro("kept_bytes", &CacheGcReport::kept_bytes);
}

}  // namespace

void bind_cache(nb::module_& module) {
  bind_reports(module);
  nb::class_<Cache>(module, "Cache", "The artefact store (docs/formats/cache.md). Many processes and threads may use one.")
      .def_static(
          "open",
          [](const std::string& folder, uint64_t max_bytes, bool read_only) {
            return take(unlocked([&] { return Cache::open({folder, max_bytes, read_only}); }));
          },
          nb::arg("folder") = "", nb::arg("max_bytes") = uint64_t{8} << 30, nb::arg("read_only") = false,
          "Open or make the folder; \"\" = AXLE_CACHE_DIR, else $XDG_CACHE_HOME/axle, else ~/.cache/axle. "
          "PermissionDeniedError when others may write to it.")
      .def_static(
          "default_folder", [] { return take(Cache::default_folder()); }, "What folder = \"\" stands for.")
      .def_prop_ro("path", &Cache::path)
      .def_prop_ro("max_bytes", &Cache::max_bytes)
      .def_prop_ro("read_only", &Cache::read_only)
      .def("find", &find_artefact, nb::arg("key"), nb::arg("verify") = false, nb::arg("count_misses") = true,
           nb::arg("cancel").none() = nb::none(),
           "The artefact of this key, or why it is not there. A damaged one is removed, and a miss. verify: hash every blob.")
      .def("get_or_make", &get_or_make_artefact, nb::arg("key"), nb::arg("make"), nb::arg("verify") = false,
           nb::arg("progress") = nb::none(), nb::arg("cancel").none() = nb::none(),
           nb::sig("def get_or_make(self, key: ArtefactKey, make: collections.abc.Callable[[str, CancelToken], ManifestDraft], "
                   "verify: bool = False, progress: collections.abc.Callable[[str, float], object] | None = None, cancel: "
                   "CancelToken | None = None) -> Lease"),
           "The artefact of this key, or have it made, once: while one process builds, others wait and then find it.\n"
           "make(scratch_folder, cancel) is called on this thread; it writes files there and declares them. What it raises is\n"
           "raised here, and nothing is kept. progress(what, fraction) is called while another builds.\n\n"
           "ResourceExhaustedError: no space, or larger than max_bytes; FailedPreconditionError: the cache is read-only.")
      .def(
          "ls", [](Cache& cache) { return take(unlocked([&] { return cache.ls(); })); }, "Entries by last use, newest first.")
      .def(
          "stats", [](Cache& cache) { return take(unlocked([&] { return cache.stats(); })); }, "Sizes, hits and misses.")
      .def(
          "verify",
          [](Cache& cache, bool remove_bad, const CancelToken* cancel) {
            return take(unlocked([&] { return cache.verify(remove_bad, token_of(cancel)); }));
          },
          nb::arg("remove_bad") = false, nb::arg("cancel").none() = nb::none(),
          "Read every byte; list what is bad, and remove it when asked.")
      .def(
          "gc",
          [](Cache& cache, std::optional<uint64_t> max_bytes) { return take(unlocked([&] { return cache.gc(max_bytes); })); },
          nb::arg("max_bytes").none() = nb::none(), "Remove what was used least until at most max_bytes are left.")
      .def(
          "rm", [](Cache& cache, const std::string& prefix) { return take(unlocked([&] { return cache.rm(prefix); })); },
          nb::arg("prefix"), "Remove entries whose key digest starts so; \"*\" = all. NotFoundError when there is none.")
      .def(
          "set_pinned",
          [](Cache& cache, const std::string& key, bool pinned) {
            check(unlocked([&] { return cache.set_pinned(key, pinned); }));
          },
          nb::arg("key_digest"), nb::arg("pinned") = true, "A pinned entry is not removed by gc.")
      .def(
          "export_archive",
          [](Cache& cache, const std::string& path, const std::vector<std::string>& prefixes, const CancelToken* cancel) {
            return take(unlocked([&] { return cache.export_archive(path, prefixes, token_of(cancel)); }));
          },
          nb::arg("path"), nb::arg("prefixes") = std::vector<std::string>(), nb::arg("cancel").none() = nb::none(),
          "Write entries whose key digest starts with one of the prefixes, or all, into one file (docs/formats/cache.md).")
      .def(
          "import_archive",
          [](Cache& cache, const std::string& path, const CancelToken* cancel) {
            return take(unlocked([&] { return cache.import_archive(path, token_of(cancel)); }));
          },
          nb::arg("path"), nb::arg("cancel").none() = nb::none(),
          "Put the entries of such a file in place. DataLossError or InvalidArgumentError places nothing; "
          "PermissionDeniedError when "
          "others may write to it: artefacts are run.")
      .def("__repr__", [](const Cache& cache) { return "<axle.Cache " + cache.path() + ">"; });
}

}  // namespace axle::python
