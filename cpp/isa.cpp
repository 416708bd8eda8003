#include "isa.hpp"

#include <cstdlib>
#include <cstring>
#if defined(__x86_64__) && defined(_WIN32)
#include <cpuid.h>
#endif

namespace ramify {

#if defined(__x86_64__)
namespace {

#if defined(_WIN32)  // clang-cl links no runtime library, which __builtin_cpu_supports needs
struct Features {
    bool avx2, avx512;
};

Features features() {
    constexpr unsigned kFma = 1u << 12, kOsxsave = 1u << 27, kF16c = 1u << 29;  // leaf 1, ecx
    constexpr unsigned kAvx2 = 1u << 5, kBmi2 = 1u << 8;  // leaf 7, ebx
    constexpr unsigned kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
    unsigned a, b, c, d, state, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (kFma | kOsxsave | kF16c)) != (kFma | kOsxsave | kF16c)) return {};
    __asm__ volatile("xgetbv" : "=a"(state), "=d"(high) : "c"(0));  // registers that the system saves
    if ((state & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
    const bool avx2 = (b & (kAvx2 | kBmi2)) == (kAvx2 | kBmi2);
    return {avx2, avx2 && (state & 0xe6) == 0xe6 && (b & kAvx512) == kAvx512};
}
#else
struct Features {
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
                __builtin_cpu_supports("bmi2");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
};

Features features() { return {}; }
#endif

}  // namespace
#endif

Isa detect_isa() {
#if defined(__x86_64__)
    const Features has = features();
    const Isa found = has.avx512 ? Isa::avx512 : has.avx2 ? Isa::avx2 : Isa::baseline;
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
