// How fast each core is at this moment: what tells a quiet machine from one that is shared behind our back.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace axle {

// CPUs this process may use, at most `most` of them, spread evenly.
std::vector<int32_t> usable_cpus(size_t most);

// Nanoseconds that a fixed piece of vector arithmetic (about 0.1 ms; the better of two runs) takes on each CPU, one after the
// other, on a thread of its own; 0 where the thread could not go. Vector units are what the siblings of a core share: another
// guest of the same host slows kernels to half through them, while neither the steal counter nor a chain of dependent integer
// operations shows it (seen on a cloud machine: 0.54 to 0.92 ms against 0.406 to 0.408 ms).
std::vector<int64_t> time_cores(std::span<const int32_t> cpus);

// The least that time_cores ever gave for each CPU: what the core needs when nobody else is on it. As text ("0 101200\n1 100900\n"),
// so that a program that starts while the machine is shared does not take that for normal.
class CoreSpeeds {
 public:
  CoreSpeeds() = default;
  // Lines that are not two positive numbers are left out.
  static CoreSpeeds parse(std::string_view text);
  std::string text() const;

  // Takes the times in (0 = no time); true when a core took more than `slack` times its least.
  bool slow(std::span<const int32_t> cpus, std::span<const int64_t> times_ns, double slack);

 private:
  std::map<int32_t, int64_t> least_ns_;
};

}  // namespace axle
