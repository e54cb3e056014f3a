#include "engine/worker_confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "base/errno_status.h"

namespace axle {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;  // no filter
#endif

constexpr uint32_t kForeignAbi = 0x40000000;  // x32 numbers of x86-64 begin there

// What no engine needs and an attacker does. Refused with EPERM, as by a kernel that has them not for us.
constexpr std::array kRefused = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_setns,
    SYS_unshare,
    SYS_bpf,
    SYS_userfaultfd,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_acct,
    SYS_quotactl,
    SYS_add_key,
    SYS_keyctl,
    SYS_request_key,
    SYS_open_by_handle_at,
    SYS_chroot,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
};

sock_filter statement(uint16_t code, uint32_t value) { return {code, 0, 0, value}; }
sock_filter jump(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) { return {code, if_true, if_false, value}; }

// One comparison for each refused call; the last two instructions allow and refuse.
std::vector<sock_filter> filter_program() {
  std::vector<sock_filter> program;
  const auto refusal = static_cast<uint32_t>(SECCOMP_RET_ERRNO) | EPERM;
  program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  program.push_back(statement(BPF_RET | BPF_K, refusal));
  program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  program.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, kForeignAbi, static_cast<uint8_t>(kRefused.size() + 1), 0));
  for (size_t i = 0; i < kRefused.size(); ++i) {
    const auto to_refusal = static_cast<uint8_t>(kRefused.size() - i);
    program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(kRefused[i]), to_refusal, 0));
  }
  program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(statement(BPF_RET | BPF_K, refusal));
  return program;
}

bool has_filters() {
  const uint32_t action = SECCOMP_RET_ERRNO;
  return kArchitecture != 0 && ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool has_no_new_privileges() { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0; }

Status stay_on(const std::vector<int32_t>& cpu_set) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int32_t cpu : cpu_set) {
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  }
  return ::sched_setaffinity(0, sizeof(set), &set) == 0 ? ok_status() : errno_status(errno, "cannot stay on the given CPUs");
}

// A kernel that refuses is what doctor tells; the engine runs all the same, as it did before there were filters.
void refuse_system_calls() {
  if (!has_no_new_privileges() || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !has_filters()) return;
  std::vector<sock_filter> program = filter_program();
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  (void)::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

}  // namespace

Status confine_this_process(const std::vector<int32_t>& cpu_set, uint64_t memory_limit_bytes) {
  if (!cpu_set.empty()) AXLE_RETURN_IF_ERROR(stay_on(cpu_set));
  if (memory_limit_bytes > 0) {
    // Of what is allocated: files and shared memory that are mapped do not count.
    const rlimit limit{memory_limit_bytes, memory_limit_bytes};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) return errno_status(errno, "cannot limit the memory");
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  refuse_system_calls();
  return ok_status();
}

std::vector<WorkerSafeguard> worker_safeguards() {
  const bool privileges = has_no_new_privileges(), filters = privileges && has_filters();
  return {
      {"memory limit", true, "by RLIMIT_DATA, where one is set: AXLE_WORKER_MEMORY=2GiB, or worker_memory_bytes of a runtime"},
      {"no core files", true, "by RLIMIT_CORE"},
      {"no new privileges", privileges,
       privileges ? "programs that it starts gain none" : "this kernel does not know PR_SET_NO_NEW_PRIVS"},
      {"system calls refused", filters,
       filters ? std::to_string(kRefused.size()) + " that no engine needs, by seccomp"
               : "this kernel has no seccomp filters, or not for this processor"}};
}

}  // namespace axle
