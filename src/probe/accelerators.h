// GPUs, NPUs and memory that computes as resources: from the PCI bus, the device tree, USB and drivers, joined with what their drivers tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "axle/device.h"
#include "probe/pci.h"
#include "probe/system_files.h"

namespace axle {

// Ids and indices are not set yet. Every source returns its resources in a stable order.
std::vector<Resource> pci_accelerators(const SystemFiles& files, const std::vector<PciDevice>& devices);
std::vector<Resource> platform_accelerators(const SystemFiles& files);
std::vector<Resource> usb_accelerators(const SystemFiles& files);
std::vector<Resource> memory_accelerators(const SystemFiles& files);  // one, of all modules together

// Adds what /proc/driver/nvidia knows (name, UUID, node) to the GPU at the same address.
void add_nvidia_details(const SystemFiles& files, Resource& gpu);
// Sets env.cuda_index on the NVIDIA GPUs that `visible` (CUDA_VISIBLE_DEVICES; absent = all) lets a process see. `gpus` are
// in PCI order, which is CUDA's own under CUDA_DEVICE_ORDER=PCI_BUS_ID.
void set_cuda_indices(std::vector<Resource>& resources, const std::optional<std::string>& visible);

}  // namespace axle
