#include <algorithm>
#include <chrono>
#include <cstring>

#include "bank_kernels.h"
#include "pim_program.h"

namespace axle::pim {
namespace {

constexpr int32_t kFloat32 = 1, kInt8 = 3, kInt32 = 6, kInt64 = 7;
constexpr size_t kMostAxes = kit::kMostBroadcastAxes;
constexpr int64_t kBlock = 4096;  // elements between two looks at the cancel token

int64_t count_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

std::string event_arguments(const Step& step, const Cost& cost) {
  return R"({"simulated": true, "model": ")" + std::string(kModelName) + R"(", "modelled_us": )" +
         std::to_string(static_cast<double>(cost.modelled_ns) / 1e3) + R"(, "bytes_to_banks": )" +
         std::to_string(cost.to_banks_bytes) + R"(, "bytes_from_banks": )" + std::to_string(cost.from_banks_bytes) +
         R"(, "bank_cycles": )" + std::to_string(cost.bank_cycles) + R"(, "banks": )" + std::to_string(step.layout.banks) + "}";
}

int64_t row_number(const Slot& rows, int64_t index) {
  return rows.dtype == kInt64 ? static_cast<const int64_t*>(rows.data)[index] : static_cast<const int32_t*>(rows.data)[index];
}

int32_t byte_at(const Slot& slot, int64_t index) {
  return slot.dtype == kInt8 ? static_cast<const int8_t*>(slot.data)[index] : static_cast<const uint8_t*>(slot.data)[index];
}

// The part of an image that lies in one bank.
BankMemory bank_of(const std::vector<std::byte>& image, const Layout& layout, int64_t bank) {
  const std::span<const std::byte> all(image);
  return {all.subspan(static_cast<size_t>(bank) * layout.bank_bytes(), layout.bank_bytes()), layout.padded_row_bytes()};
}

float apply(Kind kind, float a, float b) {
  switch (kind) {
    case Kind::kAdd: return a + b;
    case Kind::kSub: return a - b;
    case Kind::kMul: return a * b;
    case Kind::kRelu: return a > 0 ? a : (a < 0 ? 0 : a);  // keeps NaN
    default: return a;
  }
}

// Integers wrap.
int32_t apply(Kind kind, int32_t a, int32_t b) {
  const auto x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
  switch (kind) {
    case Kind::kAdd: return static_cast<int32_t>(x + y);
    case Kind::kSub: return static_cast<int32_t>(x - y);
    case Kind::kMul: return static_cast<int32_t>(x * y);
    default: return a;
  }
}

template <typename T>
void compute_each(Kind kind, const Slot& left, const Slot& right, const Slot& out, T* to, const kit::Cancel& cancel) {
  const auto* x = static_cast<const T*>(left.data);
  const auto* y = static_cast<const T*>(right.data);
  kit::BroadcastWalk at(left.shape, right.shape, out.shape);
  for (int64_t done = 0; done < out.count; ++done, at.next()) {
    if (done % kBlock == 0) cancel.check();
    to[done] = apply(kind, x[at.left()], y[at.right()]);
  }
}

}  // namespace

Machine::Machine(kit::Host host, const Program& program)
    : host_(host), program_(program), slots_(static_cast<size_t>(program.slot_count)), buffers_(program.steps.size()),
      asked_(static_cast<size_t>(program.geometry.banks)) {
  for (Slot& slot : slots_) slot.shape.reserve(kMostAxes);
  for (size_t i = 0; i < program.weights.size(); ++i) {
    const kit::Weight& weight = program.weights[i];
    Slot& slot = slots_[static_cast<size_t>(program.first_weight_slot) + i];
    slot.shape.assign(weight.shape().begin(), weight.shape().end());
    slot.dtype = weight.dtype();
    slot.data = weight.data();
    slot.count = count_of(slot.shape);
    if (reinterpret_cast<uintptr_t>(weight.data()) % kWordBytes == 0) continue;
    aligned_weights_.emplace_back(host_, weight.size_bytes());  // a mapped file aligns nothing
    std::memcpy(aligned_weights_.back().data(), weight.data(), weight.size_bytes());
    slot.data = aligned_weights_.back().data();
  }
}

void Machine::set_input(uint32_t index, const axle_tensor_t& tensor) {
  Slot& slot = slots_[index];
  slot.shape.assign(tensor.shape, tensor.shape + tensor.rank);
  slot.dtype = tensor.dtype;
  slot.data = tensor.data;
  slot.count = count_of(slot.shape);
}

const Slot* Machine::given(const Step& step, size_t index) const {
  return step.inputs[index] < 0 ? nullptr : &slot(step.inputs[index]);
}

std::byte* Machine::reserve(size_t step, Slot& out, int32_t dtype) {
  out.dtype = dtype;
  out.count = count_of(out.shape);
  kit::HostBuffer& buffer = buffers_[step];
  if (buffer.data() == nullptr || buffer.size_bytes() < out.size_bytes()) {
    buffer = kit::HostBuffer();
    buffer = kit::HostBuffer(host_, out.size_bytes());
  }
  out.data = buffer.data();
  return static_cast<std::byte*>(buffer.data());
}

void Machine::float_bank(const Step& step, int64_t bank, const Slot& a, int64_t vector, float* results) const {
  const int64_t first = step.layout.first_row(bank), count = step.layout.row_count(bank);
  const auto length = static_cast<size_t>(step.weight.length);
  const auto* values = static_cast<const float*>(a.data) + static_cast<size_t>(vector) * length;
  float_products(bank_of(program_.images[static_cast<size_t>(step.image)], step.layout, bank), count, {values, length},
                 results);
  const Slot* addend = given(step, 2);
  if (addend == nullptr && step.alpha == 1) return;
  for (int64_t r = 0; r < count; ++r) {
    results[r] *= step.alpha;
    if (addend != nullptr)
      results[r] += step.beta * static_cast<const float*>(addend->data)[addend->count == 1 ? 0 : first + r];
  }
}

void Machine::integer_bank(const Step& step, int64_t bank, const Slot& a, int64_t vector, int32_t* results) const {
  const int64_t first = step.layout.first_row(bank), count = step.layout.row_count(bank);
  const Slot* zero = given(step, 2);
  const IntegerVector values{static_cast<const std::byte*>(a.data) + vector * step.weight.length, step.weight.length,
                             a.dtype == kInt8, zero == nullptr ? 0 : byte_at(*zero, 0)};
  std::span<const int32_t> b_zeros(step.b_zeros);
  if (b_zeros.size() > 1) b_zeros = b_zeros.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
  integer_products(bank_of(program_.images[static_cast<size_t>(step.image)], step.layout, bank), count, values,
                   step.weight_is_signed, b_zeros, results);
}

Cost Machine::product(size_t index, const kit::Cancel& cancel) {
  const Step& step = program_.steps[index];
  const Slot& a = slot(step.inputs[0]);
  const int64_t length = step.weight.length, rows = step.weight.rows;
  if (a.shape.empty() || a.shape.back() != length)
    throw kit::invalid_argument("node '" + step.node + "' multiplies vectors of " + std::to_string(length) + " numbers");
  const int64_t vectors = a.count / length;
  if (vectors > kMostVectors)
    throw kit::unimplemented("node '" + step.node + "' was given " + std::to_string(vectors) + " vectors; pim takes up to " +
                             std::to_string(kMostVectors));
  Slot& out = slots_[static_cast<size_t>(step.out)];
  out.shape.assign(a.shape.begin(), a.shape.end());
  out.shape.back() = rows;
  const bool integer = step.kind == Kind::kIntegerProduct;
  std::byte* to = reserve(index, out, integer ? kInt32 : kFloat32);
  for (int64_t v = 0; v < vectors; ++v) {
    for (int64_t b = 0; b < step.layout.banks; ++b) {
      cancel.check();
      const int64_t at = v * rows + step.layout.first_row(b);
      if (integer)
        integer_bank(step, b, a, v, reinterpret_cast<int32_t*>(to) + at);
      else
        float_bank(step, b, a, v, reinterpret_cast<float*>(to) + at);
    }
  }
  const uint64_t addend = !integer && given(step, 2) != nullptr ? float_cycles().add : 0;
  const Cost one = product_cost(program_.geometry, step.layout, length, step.weight.element_bytes,
                                integer ? byte_cycles() : float_cycles(), addend);
  Cost cost;
  for (int64_t v = 0; v < vectors; ++v) cost += one;
  return cost;
}

Cost Machine::lookup(size_t index, const kit::Cancel& cancel) {
  const Step& step = program_.steps[index];
  const Slot& rows = slot(step.inputs[1]);
  Slot& out = slots_[static_cast<size_t>(step.out)];
  out.shape.assign(rows.shape.begin(), rows.shape.end());
  out.shape.insert(out.shape.end(), step.row_shape.begin(), step.row_shape.end());
  std::byte* to = reserve(index, out, slot(step.inputs[0]).dtype);
  const std::vector<std::byte>& image = program_.images[static_cast<size_t>(step.image)];
  std::fill(asked_.begin(), asked_.end(), 0);
  for (int64_t i = 0; i < rows.count; ++i) {
    if (i % kBlock == 0) cancel.check();
    const int64_t asked = row_number(rows, i);
    const int64_t row = asked < 0 ? asked + step.weight.rows : asked;
    if (row < 0 || row >= step.weight.rows)
      throw kit::invalid_argument("node '" + step.node + "' looks up row " + std::to_string(asked) + " of a table of " +
                                  std::to_string(step.weight.rows));
    const int64_t b = step.layout.bank_of(row);
    const BankMemory bank = bank_of(image, step.layout, b);
    std::memcpy(to + static_cast<uint64_t>(i) * step.weight.row_bytes(), bank.row(row - step.layout.first_row(b)),
                step.weight.row_bytes());
    ++asked_[static_cast<size_t>(b)];
  }
  const int64_t most = *std::max_element(asked_.begin(), asked_.end());
  const auto banks = std::count_if(asked_.begin(), asked_.end(), [](int64_t n) { return n > 0; });
  return lookup_cost(program_.geometry, step.layout, most, banks);
}

Cost Machine::elementwise(size_t index, const kit::Cancel& cancel) {
  const Step& step = program_.steps[index];
  const Slot& left = slot(step.inputs[0]);
  const Slot& right = step.inputs[1] < 0 ? left : slot(step.inputs[1]);
  Slot& out = slots_[static_cast<size_t>(step.out)];
  kit::broadcast_shape(left.shape, right.shape, out.shape);
  std::byte* to = reserve(index, out, left.dtype);
  const bool floats = left.dtype == kFloat32;
  if (floats)
    compute_each(step.kind, left, right, out, reinterpret_cast<float*>(to), cancel);
  else
    compute_each(step.kind, left, right, out, reinterpret_cast<int32_t*>(to), cancel);
  const Cycles cycles = floats ? float_cycles() : integer_cycles();
  return elementwise_cost(program_.geometry, out.count, 4, step.inputs[1] < 0 ? 1 : 2,
                          step.kind == Kind::kMul ? cycles.multiply : cycles.add);
}

Cost Machine::run_step(size_t index, const kit::Cancel& cancel) {
  const Kind kind = program_.steps[index].kind;
  if (kind == Kind::kLookup) return lookup(index, cancel);
  return is_elementwise(kind) ? elementwise(index, cancel) : product(index, cancel);
}

void Machine::run(const kit::Cancel& cancel, const kit::Profile& profile) {
  cancel.check();
  run_cost_ = {};
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Cost cost = run_step(i, cancel);
    run_cost_ += cost;
    if (!profile.on()) continue;
    const auto duration = std::chrono::steady_clock::now() - start;
    const Step& step = program_.steps[i];
    profile.event(step.node, "kernel", start.time_since_epoch().count(), duration.count(), event_arguments(step, cost));
  }
}

}  // namespace axle::pim
