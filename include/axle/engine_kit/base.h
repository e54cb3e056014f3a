// The small things every plugin needs: errors that are thrown and become axle_error_t, texts, options, the host's services.
// Views (Options, Text) are valid during the verb they came with.
#pragma once

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "axle/engine_abi.h"

namespace axle::kit {

inline std::string_view text(axle_text_t value) noexcept {
  return value.data == nullptr ? std::string_view() : std::string_view(value.data, value.size);
}
inline axle_text_t to_text(std::string_view value) noexcept { return {value.data(), value.size()}; }

// Thrown anywhere inside a plugin; the boundary turns it into an axle_error_t.
//   throw kit::Error(AXLE_UNAVAILABLE, "libfoo.so is missing").hint("pip install foo");
class Error : public std::exception {
 public:
  // `code` is an axle_code_t, of this version or a later one.
  Error(int32_t code, std::string message) : code_(code), message_(std::move(message)) {}

  Error&& hint(std::string text) && { return hint_ = std::move(text), std::move(*this); }
  Error&& vendor_code(int64_t code) && { return vendor_code_ = code, std::move(*this); }
  // With AXLE_OUT_OF_RANGE from bind_output or run: what the output needs.
  Error&& required_bytes(uint64_t bytes) && { return required_bytes_ = bytes, std::move(*this); }

  int32_t code() const noexcept { return code_; }
  int64_t vendor_code() const noexcept { return vendor_code_; }
  uint64_t required_bytes() const noexcept { return required_bytes_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int32_t code_;
  int64_t vendor_code_ = 0;
  uint64_t required_bytes_ = 0;
  std::string message_;
  std::string hint_;
};

inline Error invalid_argument(std::string message) { return {AXLE_INVALID_ARGUMENT, std::move(message)}; }
inline Error unimplemented(std::string message) { return {AXLE_UNIMPLEMENTED, std::move(message)}; }
inline Error unavailable(std::string message) { return {AXLE_UNAVAILABLE, std::move(message)}; }
inline Error failed_precondition(std::string message) { return {AXLE_FAILED_PRECONDITION, std::move(message)}; }
inline Error out_of_range(std::string message) { return {AXLE_OUT_OF_RANGE, std::move(message)}; }
inline Error internal(std::string message) { return {AXLE_INTERNAL, std::move(message)}; }

// The options of one verb. Later entries win. Values arrive as text; the readers throw INVALID_ARGUMENT naming the key.
class Options {
 public:
  Options() = default;
  Options(const axle_option_t* options, size_t count) : options_(options, options == nullptr ? 0 : count) {}

  std::optional<std::string_view> find(std::string_view key) const {
    for (size_t i = options_.size(); i-- > 0;) {
      if (text(options_[i].key) == key) return text(options_[i].value);
    }
    return std::nullopt;
  }
  std::string text_or(std::string_view key, std::string_view fallback) const {
    return std::string(find(key).value_or(fallback));
  }
  int64_t integer_or(std::string_view key, int64_t fallback) const {
    const auto found = find(key);
    if (!found) return fallback;
    int64_t number = 0;
    const auto [end, code] = std::from_chars(found->data(), found->data() + found->size(), number);
    if (code != std::errc() || end != found->data() + found->size()) throw bad(key, *found, "an integer");
    return number;
  }
  double number_or(std::string_view key, double fallback) const {
    const auto found = find(key);
    if (!found) return fallback;
    double number = 0;
    const auto [end, code] = std::from_chars(found->data(), found->data() + found->size(), number);
    if (code != std::errc() || end != found->data() + found->size()) throw bad(key, *found, "a number");
    return number;
  }
  bool boolean_or(std::string_view key, bool fallback) const {
    const auto found = find(key);
    if (!found) return fallback;
    if (*found == "true") return true;
    if (*found == "false") return false;
    throw bad(key, *found, "true or false");
  }
  std::string choice_or(std::string_view key, std::initializer_list<std::string_view> choices,
                        std::string_view fallback) const {
    const auto found = find(key);
    if (!found) return std::string(fallback);
    std::string list;
    for (const std::string_view choice : choices) {
      if (choice == *found) return std::string(choice);
      list += list.empty() ? "" : ", ";
      list += choice;
    }
    throw bad(key, *found, "one of " + list);
  }
  // Refuses every key that is not in `known`.
  void check_known(std::span<const std::string_view> known) const {
    for (const axle_option_t& option : options_) {
      bool found = false;
      for (const std::string_view name : known) found = found || name == text(option.key);
      if (!found) throw invalid_argument("unknown option '" + std::string(text(option.key)) + "'");
    }
  }
  void check_known(std::initializer_list<std::string_view> known) const {
    check_known(std::span<const std::string_view>(known.begin(), known.size()));
  }
  std::span<const axle_option_t> entries() const noexcept { return options_; }

 private:
  static Error bad(std::string_view key, std::string_view value, const std::string& wanted) {
    return invalid_argument("option '" + std::string(key) + "' is '" + std::string(value) + "', wanted " + wanted);
  }
  std::span<const axle_option_t> options_;
};

enum class LogLevel : int32_t { kTrace = 0, kDebug = 1, kInfo = 2, kWarning = 3, kError = 4 };

// The host's service table. A value; lives as long as the process.
class Host {
 public:
  Host() = default;
  explicit Host(const axle_host_api_t* api) : api_(api) {}

  const axle_host_api_t* api() const noexcept { return api_; }
  uint32_t abi_version() const noexcept { return api_->abi_version; }

  void log(LogLevel level, std::string_view module, std::string_view message) const noexcept {
    if (api_ != nullptr && api_->log != nullptr)
      api_->log(api_->host, static_cast<int32_t>(level), to_text(module), to_text(message));
  }
  bool cancelled(const axle_cancel_t* token) const noexcept {
    return token != nullptr && api_->cancelled(api_->host, token) != 0;
  }
  // Throws std::bad_alloc.
  void* allocate(size_t size_bytes, size_t alignment = 64) const {
    void* memory = api_->allocate(api_->host, size_bytes == 0 ? 1 : size_bytes, alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  void release(void* memory) const noexcept {
    if (memory != nullptr) api_->release(api_->host, memory);
  }

 private:
  const axle_host_api_t* api_ = nullptr;
};

// Memory from the host's allocator. Move-only.
class HostBuffer {
 public:
  HostBuffer() = default;
  HostBuffer(Host host, size_t size_bytes, size_t alignment = 64)
      : host_(host), data_(host.allocate(size_bytes, alignment)), size_bytes_(size_bytes) {}
  HostBuffer(HostBuffer&& other) noexcept
      : host_(other.host_), data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  HostBuffer& operator=(HostBuffer&& other) noexcept {
    if (this != &other) {
      if (data_ != nullptr) host_.release(data_);
      host_ = other.host_;
      data_ = std::exchange(other.data_, nullptr);
      size_bytes_ = std::exchange(other.size_bytes_, 0);
    }
    return *this;
  }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  ~HostBuffer() {
    if (data_ != nullptr) host_.release(data_);
  }
  void* data() const noexcept { return data_; }
  size_t size_bytes() const noexcept { return size_bytes_; }

 private:
  Host host_;
  void* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Polled by long verbs. A value, valid until the verb (or the async run) completes.
class Cancel {
 public:
  Cancel() = default;
  Cancel(Host host, const axle_cancel_t* token) : host_(host), token_(token) {}
  bool cancelled() const noexcept { return host_.cancelled(token_); }
  // Throws CANCELLED.
  void check() const {
    if (cancelled()) throw Error(AXLE_CANCELLED, "cancelled by the caller");
  }
  // False when the caller can never cancel: skip watching threads then.
  bool possible() const noexcept { return token_ != nullptr; }

 private:
  Host host_;
  const axle_cancel_t* token_ = nullptr;
};

class Progress {
 public:
  Progress() = default;
  Progress(Host host, void* token) : host_(host), token_(token) {}
  void report(uint64_t done, uint64_t total, std::string_view what) const noexcept {
    if (token_ != nullptr && host_.api()->progress != nullptr) {
      host_.api()->progress(host_.api()->host, token_, done, total, to_text(what));
    }
  }

 private:
  Host host_;
  void* token_ = nullptr;
};

// Receives the events of one run; off when the caller records nothing.
class Profile {
 public:
  Profile() = default;
  Profile(Host host, void* token) : host_(host), token_(token) {}
  bool on() const noexcept { return token_ != nullptr && host_.api()->trace != nullptr; }
  // Times are CLOCK_MONOTONIC nanoseconds (std::chrono::steady_clock).
  void event(std::string_view name, std::string_view category, int64_t start_ns, int64_t duration_ns,
             std::string_view arguments_json = {}) const noexcept {
    if (!on()) return;
    axle_trace_event_t event{};
    event.struct_size = sizeof(event);
    event.name = to_text(name);
    event.category = to_text(category);
    event.start_ns = start_ns;
    event.duration_ns = duration_ns;
    event.arguments = to_text(arguments_json);
    event.profile = token_;
    host_.api()->trace(host_.api()->host, &event);
  }

 private:
  Host host_;
  void* token_ = nullptr;
};

}  // namespace axle::kit
