#include "spec/device_profile_json.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>

#include "spec/json_fields.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

constexpr const char* kFormat = "axle-device-profile";
constexpr int64_t kVersion = 1;
constexpr size_t kMaxProfileBytes = 1u << 20;
constexpr double kMaxValue = 9e15;  // what every JSON reader keeps exactly

struct Unit {
  std::string_view name;
  double scale;  // to the unit that is kept
};

// What a kind of figure may be written in; the first is what we write.
constexpr std::array<Unit, 2> kFloatRates = {{{"TFLOPS", 1e6}, {"GFLOPS", 1e3}}};
constexpr std::array<Unit, 2> kIntegerRates = {{{"TOPS", 1e6}, {"GOPS", 1e3}}};
constexpr std::array<Unit, 2> kBandwidth = {{{"GB/s", 1e3}, {"MB/s", 1.0}}};
constexpr std::array<Unit, 2> kSize = {{{"GiB", 1073741824.0}, {"MiB", 1048576.0}}};
constexpr std::array<Unit, 2> kBankSize = {{{"MiB", 1048576.0}, {"KiB", 1024.0}}};
constexpr std::array<Unit, 1> kClock = {{{"MHz", 1.0}}};
constexpr std::array<Unit, 1> kCount = {{{"1", 1.0}}};
constexpr std::array<Unit, 1> kPower = {{{"W", 1e3}}};
constexpr std::array<Unit, 1> kTime = {{{"us", 1e3}}};

template <size_t N>
Json figure_to_json(const Figure& figure, const std::array<Unit, N>& units) {
  return {{"kind", figure_kind_name(figure.kind)},
          {"source", figure.source},
          {"unit", units[0].name},
          {"value", static_cast<double>(figure.value) / units[0].scale}};
}

template <size_t N>
Result<Figure> read_figure(const Json& json, const std::string& where, const std::array<Unit, N>& units) {
  JsonReader reader(json, where);
  Figure figure;
  const double value = reader.number("value");
  const std::string unit = reader.text("unit");
  figure.source = reader.text("source");
  figure.kind = read_word<FigureKind>(
      reader, "kind",
      [](const std::string& text) -> std::optional<FigureKind> {
        for (const FigureKind kind : {FigureKind::kVendor, FigureKind::kMeasured, FigureKind::kEstimate})
          if (text == figure_kind_name(kind)) return kind;
        return std::nullopt;
      },
      "vendor, measured, estimate");
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (figure.source.empty()) return invalid_argument_error(fmt::format("{}.source is empty: say who says so", where));
  std::string known;
  for (const Unit& one : units) {
    known += (known.empty() ? "" : " or ") + std::string(one.name);
    if (unit != one.name) continue;
    if (!(value > 0) || value * one.scale > kMaxValue)
      return invalid_argument_error(fmt::format("{}.value is {}; it must be above 0 and within reason", where, value));
    figure.value = static_cast<uint64_t>(std::llround(value * one.scale));
    return figure;
  }
  return invalid_argument_error(fmt::format("{}.unit is \"{}\"; it must be {}", where, unit, known));
}

bool counts_integers(const std::string& precision) { return precision.starts_with("int"); }

Json peaks_to_json(const std::map<std::string, Figure>& peaks) {
  Json object = Json::object();
  for (const auto& [precision, figure] : peaks) {
    object[precision] =
        counts_integers(precision) ? figure_to_json(figure, kIntegerRates) : figure_to_json(figure, kFloatRates);
  }
  return object;
}

Result<std::map<std::string, Figure>> read_peaks(const Json& json, const std::string& where) {
  std::map<std::string, Figure> peaks;
  for (auto it = json.begin(); it != json.end(); ++it) {
    const std::string at = where + "." + it.key();
    if (normal_precision(it.key()) != it.key())
      return invalid_argument_error(fmt::format("{} is no precision; one of {} is meant", at, kPrecisionWords));
    const bool integer = counts_integers(it.key());
    AXLE_ASSIGN_OR_RETURN(peaks[it.key()],
                          integer ? read_figure(it.value(), at, kIntegerRates) : read_figure(it.value(), at, kFloatRates));
  }
  return peaks;
}

Json engine_to_json(const ProfileEngine& engine) {
  Json json = {{"dynamic_shapes", engine.dynamic_shapes}, {"formats", engine.formats},       {"name", engine.name},
               {"needs_compile", engine.needs_compile},   {"precisions", engine.precisions}, {"source", engine.source}};
  if (!engine.operators.empty()) json["operators"] = engine.operators;
  return json;
}

Result<ProfileEngine> read_engine(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  ProfileEngine engine;
  engine.name = reader.text("name");
  engine.precisions = reader.texts_or_empty("precisions");
  engine.formats = reader.texts_or_empty("formats");
  engine.operators = reader.texts_or_empty("operators");
  engine.needs_compile = reader.boolean("needs_compile");
  engine.dynamic_shapes = reader.boolean("dynamic_shapes");
  engine.source = reader.text("source");
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (engine.name.empty() || engine.source.empty() || engine.precisions.empty() || engine.formats.empty())
    return invalid_argument_error(fmt::format("{} needs a name, precisions, formats and a source", where));
  return engine;
}

template <typename S>
struct NamedFigure {
  const char* key;
  Figure S::* field;
};

template <typename S, size_t N>
void write_figure(Json& json, const S& holder, const NamedFigure<S>& named, const std::array<Unit, N>& units) {
  if ((holder.*named.field).value > 0) json[named.key] = figure_to_json(holder.*named.field, units);
}

template <typename S, size_t N>
void read_into(JsonReader& reader, S& holder, const NamedFigure<S>& named, const std::array<Unit, N>& units) {
  const Json* json = reader.optional(named.key);
  if (json == nullptr) return;
  Result<Figure> figure = read_figure(*json, reader.where() + "." + named.key, units);
  if (figure.has_value())
    holder.*named.field = std::move(figure).value();
  else
    reader.fail(std::move(figure).error());
}

// Every single figure of a profile with its units.
template <typename F>
void each_figure(F visit) {
  visit(NamedFigure<DeviceProfile>{"memory_bandwidth", &DeviceProfile::memory_bandwidth}, kBandwidth);
  visit(NamedFigure<DeviceProfile>{"memory_size", &DeviceProfile::memory_size}, kSize);
  visit(NamedFigure<DeviceProfile>{"link_bandwidth", &DeviceProfile::link_bandwidth}, kBandwidth);
  visit(NamedFigure<DeviceProfile>{"power", &DeviceProfile::power}, kPower);
  visit(NamedFigure<DeviceProfile>{"node_launch", &DeviceProfile::node_launch}, kTime);
  visit(NamedFigure<DeviceProfile>{"call_launch", &DeviceProfile::call_launch}, kTime);
}

template <typename F>
void each_bank_figure(F visit) {
  using Named = NamedFigure<BankFigures>;
  visit(Named{"modules", &BankFigures::modules}, kCount);
  visit(Named{"ranks", &BankFigures::ranks}, kCount);
  visit(Named{"count", &BankFigures::count}, kCount);
  visit(Named{"memory", &BankFigures::memory}, kBankSize);
  visit(Named{"working_memory", &BankFigures::working_memory}, kBankSize);
  visit(Named{"bandwidth", &BankFigures::bandwidth}, kBandwidth);
  visit(Named{"frequency", &BankFigures::frequency}, kClock);
  visit(Named{"to_banks", &BankFigures::to_banks}, kBandwidth);
  visit(Named{"broadcast", &BankFigures::broadcast}, kBandwidth);
  visit(Named{"from_banks", &BankFigures::from_banks}, kBandwidth);
}

Result<BankFigures> read_banks(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  BankFigures banks;
  each_bank_figure([&](const auto& named, const auto& units) { read_into(reader, banks, named, units); });
  AXLE_RETURN_IF_ERROR(reader.finish());
  // What estimates are made from; nothing else can be worked out without them.
  const std::array<std::pair<const char*, const Figure*>, 6> needed = {{{"count", &banks.count},
                                                                        {"memory", &banks.memory},
                                                                        {"bandwidth", &banks.bandwidth},
                                                                        {"to_banks", &banks.to_banks},
                                                                        {"broadcast", &banks.broadcast},
                                                                        {"from_banks", &banks.from_banks}}};
  for (const auto& [key, figure] : needed) {
    if (figure->value == 0) return invalid_argument_error(fmt::format("{} lacks {}", where, key));
  }
  return banks;
}

Status read_match(const Json& json, const std::string& where, DeviceProfile& profile) {
  JsonReader reader(json, where);
  profile.pci_ids = reader.texts_or_empty("pci_ids");
  profile.names = reader.texts_or_empty("names");
  profile.cpu_models = reader.texts_or_empty("cpu_models");
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (profile.pci_ids.empty() && profile.names.empty())
    return invalid_argument_error(where + " matches nothing: list pci_ids or names");
  return ok_status();
}

}  // namespace

std::string_view figure_kind_name(FigureKind kind) noexcept {
  switch (kind) {
    case FigureKind::kVendor: return "vendor";
    case FigureKind::kMeasured: return "measured";
    default: return "estimate";
  }
}

Json device_profile_to_json_value(const DeviceProfile& p) {
  Json json = {{"engines", list_to_json(p.engines, engine_to_json)},
               {"format", kFormat},
               {"kind", resource_kind_name(p.kind)},
               {"match", {{"cpu_models", p.cpu_models}, {"names", p.names}, {"pci_ids", p.pci_ids}}},
               {"name", p.name},
               {"peaks", peaks_to_json(p.peaks)},
               {"title", p.title},
               {"vendor", p.vendor},
               {"version", kVersion}};
  each_figure([&](const auto& named, const auto& units) { write_figure(json, p, named, units); });
  if (p.banks.count.value == 0) return json;
  Json banks = Json::object();
  each_bank_figure([&](const auto& named, const auto& units) { write_figure(banks, p.banks, named, units); });
  json["banks"] = std::move(banks);
  return json;
}

Result<DeviceProfile> read_device_profile(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  DeviceProfile p;
  const std::string format = reader.text("format");
  if (reader.status().ok() && format != kFormat)
    return invalid_argument_error(fmt::format("{}.format is \"{}\", not \"{}\"", where, format, kFormat));
  read_bounded(reader, "version", kVersion, kVersion);
  p.name = reader.text("name");
  p.title = reader.text("title");
  p.vendor = reader.text("vendor");
  p.kind = read_word<ResourceKind>(
      reader, "kind", [](const std::string& text) { return parse_resource_kind(text); }, "cpu, gpu, npu, pim");
  const Json& match = reader.object("match");
  if (reader.status().ok()) reader.fail(read_match(match, where + ".match", p));
  const Json& peaks = reader.object("peaks");
  if (reader.status().ok()) {
    Result<std::map<std::string, Figure>> read = read_peaks(peaks, where + ".peaks");
    if (read.has_value())
      p.peaks = std::move(read).value();
    else
      reader.fail(std::move(read).error());
  }
  each_figure([&](const auto& named, const auto& units) { read_into(reader, p, named, units); });
  if (const Json* banks = reader.optional("banks"); banks != nullptr) {
    Result<BankFigures> read = read_banks(*banks, where + ".banks");
    if (read.has_value())
      p.banks = std::move(read).value();
    else
      reader.fail(std::move(read).error());
  }
  p.engines = read_list<ProfileEngine>(reader, "engines", read_engine);
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (p.name.empty() || p.title.empty()) return invalid_argument_error(where + " needs a name and a title");
  return p;
}

Result<DeviceProfile> parse_device_profile(std::string_view json) {
  AXLE_ASSIGN_OR_RETURN(const Json value, parse_json(json, kMaxProfileBytes, 8));
  return read_device_profile(value, "profile");
}

Result<std::string> device_profile_to_json(const DeviceProfile& profile) {
  return canonical_json(device_profile_to_json_value(profile));
}

}  // namespace axle
