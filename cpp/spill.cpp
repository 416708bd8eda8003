#include "spill.hpp"

#if defined(__linux__)
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>
#endif

namespace ramify {

#if defined(__linux__)

namespace {

[[noreturn]] void fail(const std::string& folder, std::size_t bytes, int reason) {
    struct statvfs system;
    std::string problem = std::strerror(reason);
    if (statvfs(folder.c_str(), &system) == 0) problem += "; " + std::to_string(std::size_t(system.f_bavail) * system.f_frsize) + " bytes are free";
    throw SpillError("the folder " + folder + " cannot hold " + std::to_string(bytes) + " more bytes of the training (" + problem +
                     "): free space there, or use another folder (ramify train --memory: --out on another disk)");
}

// A signal may interrupt the call, for example that of a timer or of a debugger.
int reserve(int file, std::size_t bytes) {
    int reason = EINTR;
    while (reason == EINTR) reason = posix_fallocate(file, 0, off_t(bytes));
    return reason;
}

int unnamed_file(const std::string& folder) {
    const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
    std::string name = folder + "/.ramify-XXXXXX";  // a file system without unnamed files
    const int named = mkstemp(name.data());
    if (named >= 0) unlink(name.c_str());
    return named;
}

}  // namespace

void* map_spilled(const std::string& folder, std::size_t bytes) {
    const int file = unnamed_file(folder);
    if (file < 0) fail(folder, bytes, errno);
    // Blocks are reserved now: a write to a mapped file on a full disk would end the process.
    const int reason = reserve(file, bytes);
    void* const memory = reason == 0 ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    const int problem = reason == 0 ? errno : reason;
    close(file);
    if (memory == MAP_FAILED) fail(folder, bytes, problem);
    return memory;
}

void unmap_spilled(void* memory, std::size_t bytes) { munmap(memory, bytes); }

#else

void* map_spilled(const std::string&, std::size_t bytes) { return ::operator new(bytes); }

void unmap_spilled(void* memory, std::size_t) { ::operator delete(memory); }

#endif

}  // namespace ramify
