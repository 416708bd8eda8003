#include "isa.hpp"

#include <cstdlib>
#include <cstring>

namespace ramify {

Isa detect_isa() {
#if defined(__x86_64__)
    Isa found = Isa::baseline;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
        __builtin_cpu_supports("bmi2"))
        found = Isa::avx2;
    if (found == Isa::avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found = Isa::avx512;
    if (const char* wish = std::getenv("RAMIFY_ISA")) {
        if (std::strcmp(wish, "baseline") == 0) return Isa::baseline;
        if (std::strcmp(wish, "avx2") == 0 && found == Isa::avx512) return Isa::avx2;
    }
    return found;
#else
    return Isa::baseline;
#endif
}

}  // namespace ramify
