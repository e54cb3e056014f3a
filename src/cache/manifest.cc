#include "cache/manifest.h"

#include <fmt/core.h>

#include <set>

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"
#include "cache/sealed.h"

namespace axle {
namespace {

Json key_json(const ArtefactKey& key) {
  return {{"calibration_digest", key.calibration_digest},
          {"engine", key.engine},
          {"extractor_version", key.extractor_version},
          {"isa", key.isa},
          {"library_digests", key.library_digests},
          {"model_digest", key.model_digest},
          {"options", key.options},
          {"plugin_digest", key.plugin_digest},
          {"precision", key.precision},
          {"shapes", key.shapes},
          {"subgraph_digest", key.subgraph_digest},
          {"target", key.target},
          {"threads", key.threads}};
}

std::string plain_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x80 ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out;
}

// Strings (and the keys of maps) in ASCII, other bytes as "\xNN".
Json with_plain_texts(const Json& json) {
  if (json.is_string()) return plain_text(json.get<std::string>());
  if (!json.is_object()) return json;
  Json out = Json::object();
  for (const auto& [key, value] : json.items()) out[plain_text(key)] = with_plain_texts(value);
  return out;
}

std::map<std::string, std::string> read_texts(JsonReader& reader, const char* name) {
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : reader.object(name).items()) {
    if (!value.is_string()) {
      reader.fail(invalid_argument_error(fmt::format("{}.{}.{} must be a string", reader.where(), name, key)));
      break;
    }
    texts.emplace(key, value.get<std::string>());
  }
  return texts;
}

}  // namespace

Result<ArtefactKey> artefact_key_from_json(const Json& json) {
  JsonReader reader(json, "manifest.key");
  ArtefactKey key;
  key.calibration_digest = reader.text("calibration_digest");
  key.engine = reader.text("engine");
  key.extractor_version = reader.text("extractor_version");
  key.isa = reader.text("isa");
  key.library_digests = read_texts(reader, "library_digests");
  key.model_digest = reader.text("model_digest");
  key.options = read_texts(reader, "options");
  key.plugin_digest = reader.text("plugin_digest");
  key.precision = reader.text("precision");
  key.shapes = reader.text("shapes");
  key.subgraph_digest = reader.text("subgraph_digest");
  key.target = reader.text("target");
  const int64_t threads = reader.integer("threads");
  if (threads < INT32_MIN || threads > INT32_MAX) reader.fail(invalid_argument_error("manifest.key.threads is out of range"));
  key.threads = static_cast<int32_t>(threads);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return key;
}

namespace {

Result<BlobRecord> read_blob(const Json& json) {
  JsonReader reader(json, "manifest.blobs[]");
  BlobRecord blob;
  blob.name = reader.text("name");
  blob.type = reader.text("type");
  const std::string digest = reader.text("digest");
  const int64_t size_bytes = reader.integer("size_bytes");
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_ASSIGN_OR_RETURN(blob.digest, Digest::parse(digest));
  if (size_bytes < 0) return invalid_argument_error("manifest.blobs[].size_bytes is negative");
  blob.size_bytes = static_cast<uint64_t>(size_bytes);
  return blob;
}

Status check_blobs(const std::vector<BlobRecord>& blobs) {
  if (blobs.empty()) return invalid_argument_error("the artefact has no blob");
  if (blobs.size() > kMaxBlobs) {
    return invalid_argument_error(fmt::format("the artefact has {} blobs, the limit is {}", blobs.size(), kMaxBlobs));
  }
  std::set<std::string_view> names;
  uint64_t total = 0;
  for (const BlobRecord& blob : blobs) {
    if (blob.name.empty()) return invalid_argument_error("a blob of the artefact has no name");
    // Engines write blobs to files of these names.
    if (blob.name == "." || blob.name == ".." || blob.name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      return invalid_argument_error(
          fmt::format("a blob of the artefact is named \"{}\", which is no file name", printable(blob.name)));
    }
    if (!names.insert(blob.name).second) {
      return invalid_argument_error(fmt::format("two blobs of the artefact are named \"{}\"", blob.name));
    }
    if (__builtin_add_overflow(total, blob.size_bytes, &total) || total > INT64_MAX) {
      return invalid_argument_error("the sizes of the artefact's blobs do not add up");
    }
  }
  return ok_status();
}

}  // namespace

std::string ArtefactKey::to_json() const {
  const Json json = key_json(*this);
  auto text = canonical_json(json);
  // A key that is not UTF-8 is looked for like any other, though no manifest can hold it.
  if (!text.ok()) text = canonical_json(with_plain_texts(json));
  AXLE_CHECK(text.ok(), "ASCII is valid JSON text");
  return *std::move(text);
}

std::string ArtefactKey::digest() const { return sha256_of(to_json()).to_string(); }

uint64_t Manifest::size_bytes() const noexcept {
  uint64_t total = 0;
  for (const BlobRecord& blob : blobs) total += blob.size_bytes;
  return total;
}

Result<std::string> manifest_to_text(const Manifest& manifest) {
  AXLE_RETURN_IF_ERROR(check_blobs(manifest.blobs));
  AXLE_ASSIGN_OR_RETURN(Json compatibility, parse_json(manifest.compatibility_json, kMaxManifestBytes));
  if (!compatibility.is_object()) return invalid_argument_error("the artefact's compatibility record is not a JSON object");
  Json blobs = Json::array();
  for (const BlobRecord& blob : manifest.blobs) {
    blobs.push_back({{"digest", blob.digest.to_string()},
                     {"name", blob.name},
                     {"size_bytes", static_cast<int64_t>(blob.size_bytes)},
                     {"type", blob.type}});
  }
  const Json json = {{"blobs", std::move(blobs)},
                     {"compatibility", std::move(compatibility)},
                     {"created_unix_s", manifest.created_unix_s},
                     {"key", key_json(manifest.key)}};
  AXLE_ASSIGN_OR_RETURN(const std::string payload, canonical_json(json));
  if (payload.size() > kMaxManifestBytes - 128) {
    return invalid_argument_error(
        fmt::format("the artefact's manifest would have {} bytes, the limit is {}", payload.size(), kMaxManifestBytes - 128));
  }
  return seal(kManifestKind, payload);
}

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > kMaxManifestBytes) return data_loss_error("the manifest is too large");
  AXLE_ASSIGN_OR_RETURN(const std::string_view payload, unseal(kManifestKind, text));
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(payload, kMaxManifestBytes));
  JsonReader reader(json, "manifest");
  Manifest manifest;
  const Json& blobs = reader.array("blobs");
  const Json& compatibility = reader.object("compatibility");
  manifest.created_unix_s = reader.integer("created_unix_s");
  const Json& key = reader.object("key");
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_ASSIGN_OR_RETURN(manifest.key, artefact_key_from_json(key));
  for (const Json& blob : blobs) {
    AXLE_ASSIGN_OR_RETURN(BlobRecord record, read_blob(blob));
    manifest.blobs.push_back(std::move(record));
  }
  AXLE_RETURN_IF_ERROR(check_blobs(manifest.blobs));
  AXLE_ASSIGN_OR_RETURN(manifest.compatibility_json, canonical_json(compatibility));
  return manifest;
}

}  // namespace axle
