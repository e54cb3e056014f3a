// Artefacts of axle/cache.h: what a compiler produced, found by everything it was made from, and made where it is not there.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <exception>
#include <functional>
#include <utility>

#include "arrays.h"
#include "axle/cache.h"
#include "bind.h"
#include "bind_artefact.h"
#include "errors.h"
#include "unlocked.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// A blob with the lease that keeps its file.
struct LeasedBlob {
  Lease lease;
  size_t index;
  const Blob& get() const { return lease.blobs()[index]; }
};

std::vector<LeasedBlob> blobs_of(const Lease& lease) {
  std::vector<LeasedBlob> blobs;
  for (size_t i = 0; i < lease.blobs().size(); ++i) blobs.push_back({lease, i});
  return blobs;
}

std::optional<LeasedBlob> find_blob(const Lease& lease, const std::string& name) {
  const Blob* found = lease.find_blob(name);
  if (found == nullptr) return std::nullopt;
  return LeasedBlob{lease, static_cast<size_t>(found - lease.blobs().data())};
}

nb::object data_of(const LeasedBlob& blob) {
  const auto data = blob.get().data;
  const Shape shape = {static_cast<int64_t>(data.size())};
  return to_numpy(
      take(Tensor::borrow_const(DataType::kUint8, shape, data.data(), data.size(), std::make_shared<Lease>(blob.lease))));
}

// Calls back on the thread that asked the cache, with the GIL; what Python raises is kept for it.
class Maker {
 public:
  Maker(nb::handle make, nb::handle progress, CancelToken token)
      : make_(nb::borrow(make)), progress_(nb::borrow(progress)), token_(std::move(token)) {}

  Result<ManifestDraft> make(const std::string& folder, const CancelToken& cancel) {
    const nb::gil_scoped_acquire acquired;
    try {
      return nb::cast<ManifestDraft>(make_(folder, cancel));
    } catch (...) {
      raised_ = std::current_exception();
      return cancelled_error("the caller's function raised an exception");
    }
  }
  // While another builds: Ctrl-C ends the waiting too.
  void wait(const std::string& what, double fraction) {
    const nb::gil_scoped_acquire acquired;
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      if (!progress_.is_none()) progress_(what, fraction);
    } catch (...) {
      raised_ = std::current_exception();
      token_.cancel();
    }
  }
  void raise_again() {
    if (raised_) std::rethrow_exception(std::exchange(raised_, nullptr));
  }

 private:
  nb::object make_;
  nb::object progress_;
  CancelToken token_;
  std::exception_ptr raised_;
};

void bind_key(nb::module_& module) {
  nb::class_<ArtefactKey>(module, "ArtefactKey",
                          "Everything that an artefact depends on. Two keys that differ in any field name different artefacts.")
      .def(nb::init<>())
      .def_rw("model_digest", &ArtefactKey::model_digest, "\"sha256:...\" over the content, external data included")
      .def_rw("subgraph_digest", &ArtefactKey::subgraph_digest, "of the extracted part; \"\" = the whole model")
      .def_rw("extractor_version", &ArtefactKey::extractor_version, "of the code that cut the part out")
      .def_rw("engine", &ArtefactKey::engine)
      .def_rw("plugin_digest", &ArtefactKey::plugin_digest)
      .def_rw("library_digests", &ArtefactKey::library_digests, "file name -> \"sha256:...\"")
      .def_rw("options", &ArtefactKey::options, "complete: presets resolved, defaults written out")
      .def_rw("shapes", &ArtefactKey::shapes, "\"input:f32[1,3,224,224];...\"; \"\" = not bound")
      .def_rw("calibration_digest", &ArtefactKey::calibration_digest)
      .def_rw("target", &ArtefactKey::target, "identity of the resource compiled for")
      .def_rw("isa", &ArtefactKey::isa, "\"avx2,avx512_bf16\"; \"\" = none matters")
      .def_rw("precision", &ArtefactKey::precision)
      .def_rw("threads", &ArtefactKey::threads, "0 = the artefact does not depend on them")
      .def("to_json", &ArtefactKey::to_json, "Canonical JSON of all fields.")
      .def("digest", &ArtefactKey::digest, "\"sha256:...\" of that, which names the entry.")
      .def("__eq__", [](const ArtefactKey& a, nb::handle b) {
        return nb::isinstance<ArtefactKey>(b) && a == nb::cast<const ArtefactKey&>(b);
      });
}

void bind_lease(nb::module_& module) {
  nb::class_<LeasedBlob>(module, "Blob", "One file of an artefact. It is kept as long as this object lives.")
      .def_prop_ro("name", [](const LeasedBlob& blob) { return blob.get().name; })
      .def_prop_ro(
          "type", [](const LeasedBlob& blob) { return blob.get().type; }, "\"openvino-blob\", ...")
      .def_prop_ro(
          "digest", [](const LeasedBlob& blob) { return blob.get().digest; }, "\"sha256:...\"")
      .def_prop_ro(
          "path", [](const LeasedBlob& blob) { return blob.get().path; }, "read-only")
      .def_prop_ro("data", &data_of, nb::sig("def data(self) -> numpy.ndarray"), "The file, mapped: u8[size], read-only.");
  nb::class_<Lease>(module, "Lease", "Read access to one artefact: while it lives, no process removes the files.")
      .def_prop_ro("key_digest", &Lease::key_digest)
      .def_prop_ro("key", [](const Lease& lease) { return lease.key(); })
      .def_prop_ro("blobs", &blobs_of)
      .def("find_blob", &find_blob, nb::arg("name"), "None when there is none of that name.")
      .def_prop_ro("compatibility_json", &Lease::compatibility_json)
      .def_prop_ro("size_bytes", &Lease::size_bytes)
      .def_prop_ro("created_unix_s", &Lease::created_unix_s)
      .def_prop_ro("built", &Lease::built, "True when this call made it, False when it was found");
  nb::class_<Lookup>(module, "Lookup", "A hit, or a miss with its reason.")
      .def_ro("lease", &Lookup::lease, "None = a miss")
      .def_ro("miss_reason", &Lookup::miss_reason, "\"not in the cache\" or \"corrupt: ...\"")
      .def_prop_ro("hit", &Lookup::hit);
}

void bind_drafts(nb::module_& module) {
  nb::class_<BlobDraft>(module, "BlobDraft", "A file that a builder has written.")
      .def(nb::init<std::string, std::string, std::string>(), nb::arg("name"), nb::arg("type"), nb::arg("file"))
      .def_rw("name", &BlobDraft::name, "unique within the artefact")
      .def_rw("type", &BlobDraft::type)
      .def_rw("file", &BlobDraft::file, "relative to the scratch folder; a regular file");
  nb::class_<ManifestDraft>(module, "ManifestDraft", "What a builder declares after it has written its files.")
      .def(nb::init<std::vector<BlobDraft>, std::string>(), nb::arg("blobs"), nb::arg("compatibility_json") = "{}")
      .def_rw("blobs", &ManifestDraft::blobs, "at least one")
      .def_rw("compatibility_json", &ManifestDraft::compatibility_json,
              "a JSON object: what must be so before the blobs are loaded again");
}

}  // namespace

Lookup find_artefact(Cache& cache, const ArtefactKey& key, bool verify, bool count_misses, const CancelToken* cancel) {
  const FindOptions options{verify, count_misses, cancel == nullptr ? CancelToken::none() : *cancel};
  return take(unlocked([&] { return cache.find(key, options); }));
}

Lease get_or_make_artefact(Cache& cache, const ArtefactKey& key, nb::handle make, bool verify, nb::handle progress,
                           const CancelToken* cancel) {
  const Watch watch = Watch::over(cancel);
  Maker maker(make, progress, watch.token);
  MakeOptions options;
  options.verify = verify;
  options.cancel = watch.token;
  options.progress = [&](const std::string& what, double fraction) { maker.wait(what, fraction); };
  const MakeArtefact build = [&](const std::string& folder, const CancelToken& token) { return maker.make(folder, token); };
  auto lease = unlocked([&] { return cache.get_or_make(key, build, options); });
  maker.raise_again();
  return take(std::move(lease));
}

void bind_artefact(nb::module_& module) {
  bind_key(module);
  bind_lease(module);
  bind_drafts(module);
}

}  // namespace axle::python
