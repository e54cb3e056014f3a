// OpenVINO IR (versions 10 and 11): layers and edges of the XML, streamed through expat.
#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "base/checked.h"
#include "base/text.h"
#include "model/inspect.h"

namespace axle {
namespace {

constexpr int kMaxXmlDepth = 64;

struct Port {
  std::string names;  // comma-separated tensor names
  std::string precision;
  SymbolicShape shape;
};

struct Layer {
  std::string name, type;
  std::string element_type, shape;  // of Parameter and Const
  std::map<int64_t, Port> outputs;
};

int64_t to_number(std::string_view text, int64_t fallback) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : fallback;
}

DataType data_type_of(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (text == "boolean") return DataType::kBool;
  if (text.starts_with("fp")) text = "f" + text.substr(2);
  return parse_data_type(text).value_or(DataType::kUndefined);
}

SymbolicShape parse_shape(std::string_view text) {
  SymbolicShape shape;
  if (trim(text).empty()) return shape;
  for (const std::string_view part : split(text, ','))
    shape.push_back(Dim{std::max<int64_t>(-1, to_number(trim(part), -1)), {}});
  return shape;
}

class IrInspector {
 public:
  IrInspector(const std::string& path, const ModelLimits& limits) : path_(path), limits_(limits) {}

  Result<Inspection> inspect(Bytes xml) {
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate("UTF-8"), &XML_ParserFree);
    if (parser == nullptr) return resource_exhausted_error("no memory for an XML parser");
    parser_ = parser.get();
    XML_SetUserData(parser_, this);
    XML_SetElementHandler(parser_, &IrInspector::on_start, &IrInspector::on_end);
    XML_SetCharacterDataHandler(parser_, &IrInspector::on_text);
    // An IR declares no entities; refusing them rules out expansion bombs.
    XML_SetEntityDeclHandler(
        parser_, [](void* self, const XML_Char*, int, const XML_Char*, int, const XML_Char*, const XML_Char*, const XML_Char*,
                    const XML_Char*) { static_cast<IrInspector*>(self)->fail("it declares entities"); });
    constexpr size_t kChunk = 1u << 20;
    for (size_t at = 0;; at += kChunk) {
      const size_t size = std::min(kChunk, xml.size() - at);
      const bool last = at + size == xml.size();
      if (XML_Parse(parser_, reinterpret_cast<const char*>(xml.data()) + at, static_cast<int>(size), last) != XML_STATUS_OK)
        return parse_error();
      if (last) break;
    }
    if (!saw_net_)
      return invalid_argument_error(fmt::format("{} is XML, but not an OpenVINO IR", path_))
          .with_hint("give the .xml file of the IR");
    finish();
    return std::move(out_);
  }

 private:
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    static_cast<IrInspector*>(self)->start(name, attributes);
  }
  static void on_end(void* self, const XML_Char* name) { static_cast<IrInspector*>(self)->end(name); }
  static void on_text(void* self, const XML_Char* text, int size) {
    auto* inspector = static_cast<IrInspector*>(self);
    if (inspector->in_dim_ && inspector->dim_.size() < 32) inspector->dim_.append(text, static_cast<size_t>(size));
  }

  void fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
    XML_StopParser(parser_, XML_FALSE);
  }

  Status parse_error() const {
    const std::string why = failure_.empty() ? XML_ErrorString(XML_GetErrorCode(parser_)) : failure_;
    const bool truncated =
        XML_GetErrorCode(parser_) == XML_ERROR_NO_ELEMENTS || XML_GetErrorCode(parser_) == XML_ERROR_UNCLOSED_TOKEN;
    const std::string text = fmt::format("{} is not a whole OpenVINO IR: line {}, column {}: {}", path_,
                                         XML_GetCurrentLineNumber(parser_), XML_GetCurrentColumnNumber(parser_), why);
    return (truncated ? data_loss_error(text) : invalid_argument_error(text))
        .with_hint("convert the model again, or fetch the file again");
  }

  static std::string attribute(const XML_Char** attributes, std::string_view name) {
    for (; *attributes != nullptr; attributes += 2) {
      if (name == attributes[0]) return attributes[1];
    }
    return {};
  }

  // Nested bodies (If, Loop, TensorIterator) have layers of their own: those are counted, and nothing else.
  bool in_body() const { return bodies_ > 0; }

  void start(std::string_view name, const XML_Char** attributes) {
    if (++depth_ > kMaxXmlDepth) return fail("elements are nested too deep");
    if (name == "net") {
      saw_net_ = true;
      out_.name = attribute(attributes, "name");
      out_.metadata["ir.version"] = attribute(attributes, "version");
    } else if (name == "body" || name == "then_body" || name == "else_body") {
      ++bodies_;
    } else if (name == "layer") {
      start_layer(attributes);
    } else if (in_body() || layer_ == nullptr) {
      if (name == "edge" && !in_body()) add_edge(attributes);
    } else if (name == "data") {
      read_data(attributes);
    } else if (name == "output") {
      in_output_ = true;
    } else if (name == "port" && in_output_) {
      port_ = &layer_->outputs[to_number(attribute(attributes, "id"), 0)];
      port_->names = attribute(attributes, "names");
      port_->precision = attribute(attributes, "precision");
      if (layer_->outputs.size() > limits_.max_attributes_per_node) fail("a layer has too many ports");
    } else if (name == "dim" && port_ != nullptr) {
      in_dim_ = true;
      dim_.clear();
    }
  }

  void start_layer(const XML_Char** attributes) {
    const std::string type = attribute(attributes, "type");
    if (++layer_count_ > limits_.max_nodes) return fail(fmt::format("it has more than {} layers", limits_.max_nodes));
    if (type != "Const" && type != "Parameter" && type != "Result") ++out_.op_counts[type];
    if (in_body()) return;
    const int64_t id = to_number(attribute(attributes, "id"), -1);
    layer_ = &layers_[id];
    layer_->name = attribute(attributes, "name");
    layer_->type = type;
    order_.push_back(id);
  }

  void read_data(const XML_Char** attributes) {
    layer_->element_type = attribute(attributes, "element_type");
    layer_->shape = attribute(attributes, "shape");
    if (layer_->type != "Const") return;
    const int64_t offset = to_number(attribute(attributes, "offset"), -1);
    const int64_t size = to_number(attribute(attributes, "size"), -1);
    const auto end = checked_add(offset, size);
    if (offset < 0 || size < 0 || !end)
      return fail(fmt::format("constant '{}' has an impossible range", printable(layer_->name, 80)));
    out_.weight_bytes = std::max(out_.weight_bytes, static_cast<uint64_t>(*end));
    std::optional<uint64_t> elements = 1;
    for (const Dim& dim : parse_shape(layer_->shape)) {
      if (elements) elements = checked_mul<uint64_t>(*elements, static_cast<uint64_t>(std::max<int64_t>(0, dim.size)));
    }
    if (!elements) return fail(fmt::format("constant '{}' has an impossible shape", printable(layer_->name, 80)));
    out_.parameter_count += *elements;
  }

  void add_edge(const XML_Char** attributes) {
    const int64_t to = to_number(attribute(attributes, "to-layer"), -1);
    sources_[to] = {to_number(attribute(attributes, "from-layer"), -1), to_number(attribute(attributes, "from-port"), 0)};
    if (sources_.size() > limits_.max_values) fail("it has too many edges");
  }

  void end(std::string_view name) {
    --depth_;
    if (name == "body" || name == "then_body" || name == "else_body") --bodies_;
    if (in_body()) return;
    if (name == "layer") {
      layer_ = nullptr;
      port_ = nullptr;
    } else if (name == "output") {
      in_output_ = false;
    } else if (name == "port") {
      port_ = nullptr;
    } else if (name == "dim") {
      if (port_ != nullptr && in_dim_) port_->shape.push_back(Dim{std::max<int64_t>(-1, to_number(trim(dim_), -1)), {}});
      if (port_ != nullptr && port_->shape.size() > limits_.max_rank) fail("a port has too many axes");
      in_dim_ = false;
    }
  }

  static std::string first_name(const Port& port, const std::string& fallback) {
    return port.names.empty() ? fallback : port.names.substr(0, port.names.find(','));
  }

  void finish() {
    for (const int64_t id : order_) {
      const Layer& layer = layers_[id];
      if (layer.type == "Parameter") {
        const auto port = layer.outputs.empty() ? Port{} : layer.outputs.begin()->second;
        out_.inputs.push_back(IoSpec{first_name(port, layer.name), data_type_of(layer.element_type), parse_shape(layer.shape),
                                     layer.shape != "...", false});
      } else if (layer.type == "Result") {
        const auto source = sources_.find(id);
        if (source == sources_.end()) continue;
        const Layer& from = layers_[source->second.first];
        const auto port = from.outputs.find(source->second.second);
        if (port == from.outputs.end()) continue;
        out_.outputs.push_back(IoSpec{first_name(port->second, layer.name), data_type_of(port->second.precision),
                                      port->second.shape, true, false});
      }
    }
  }

  const std::string& path_;
  const ModelLimits& limits_;
  XML_Parser parser_ = nullptr;
  Inspection out_;
  std::map<int64_t, Layer> layers_;
  std::vector<int64_t> order_;
  std::map<int64_t, std::pair<int64_t, int64_t>> sources_;  // of a layer's last input: layer, port
  Layer* layer_ = nullptr;
  Port* port_ = nullptr;
  std::string dim_, failure_;
  int depth_ = 0, bodies_ = 0;
  uint32_t layer_count_ = 0;
  bool saw_net_ = false, in_output_ = false, in_dim_ = false;
};

}  // namespace

Result<Inspection> inspect_openvino_xml(Bytes xml, const std::string& path, const ModelLimits& limits) {
  return IrInspector(path, limits).inspect(xml);
}

}  // namespace axle
