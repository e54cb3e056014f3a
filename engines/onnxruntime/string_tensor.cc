#include "string_tensor.h"

#include <cstring>

namespace axle::ort {

void fill_strings(const Api& api, OrtValue* value, const axle_text_t* texts, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    char* place = nullptr;
    check(api, api->GetResizedStringTensorElementBuffer(value, i, texts[i].size, &place), "filling a string tensor");
    if (texts[i].size > 0) std::memcpy(place, texts[i].data, texts[i].size);
  }
}

void read_strings(const Api& api, const OrtValue* value, size_t count, Strings& out) {
  size_t size = 0;
  check(api, api->GetStringTensorDataLength(value, &size), "reading a string tensor");
  out.bytes.resize(size);
  std::vector<size_t> starts(count);
  if (count > 0) {
    check(api, api->GetStringTensorContent(value, out.bytes.data(), size, starts.data(), count), "reading a string tensor");
  }
  out.texts.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t end = i + 1 < count ? starts[i + 1] : size;
    out.texts[i] = {out.bytes.data() + starts[i], end - starts[i]};
  }
}

}  // namespace axle::ort
