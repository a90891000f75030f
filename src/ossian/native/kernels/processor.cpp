// Which of the kernels this processor can run. Compiled for the plainest x86-64, so that asking is always safe.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include <cpuid.h>

namespace nb = nanobind;

namespace {

bool has_avx_vnni() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4));
}

// The best first.
std::vector<std::string> instruction_sets() {
    __builtin_cpu_init();
    std::vector<std::string> sets;
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (avx2 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        sets.push_back("avx512");
    if (avx2 && has_avx_vnni()) sets.push_back("avxvnni");
    if (avx2) sets.push_back("avx2");
    return sets;
}

}  // namespace

NB_MODULE(_processor, module) { module.def("instruction_sets", &instruction_sets); }
