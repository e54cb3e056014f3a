// A fake of NVIDIA's management library for tests: one device, whose counter grows by 250 mJ with each look.
#include <cstring>

namespace {
int device = 0;
unsigned long long millijoules = 1'000;
}  // namespace

#pragma GCC visibility push(default)
extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* pci_address, void** out) {
  if (std::strcmp(pci_address, "0000:52:00.0") != 0) return 6;
  *out = &device;
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* handle, unsigned long long* out) {
  if (handle != &device) return 2;
  *out = millijoules += 250;
  return 0;
}
}
#pragma GCC visibility pop
