// SPDX-License-Identifier: MIT
// Memory that several processes map, without a name that could outlive them.
#ifndef JOBLOT_PROCESS_SHARED_MEMORY_HPP
#define JOBLOT_PROCESS_SHARED_MEMORY_HPP

#if defined(__linux__)

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <joblot/error.hpp>
#include <joblot/process/file_descriptor.hpp>

namespace joblot::detail {

/// A new file in `folder` whose name is gone before anyone else can use it; none (and errno) if
/// that fails. For file systems without O_TMPFILE.
inline FileDescriptor open_and_unlink(char const* folder) {
  std::string path = fmt::format("{}/joblot-XXXXXX", folder);
  FileDescriptor file(::mkostemp(path.data(), O_CLOEXEC));
  if (file.get() >= 0) ::unlink(path.c_str());
  return file;
}

/// A new file in `folder` that never has a name; none (and errno) if that fails.
inline FileDescriptor open_unnamed(char const* folder) {
#if defined(O_TMPFILE)
  FileDescriptor file(::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.get() >= 0) return file;
#endif
  return open_and_unlink(folder);
}

/// Memory shared by all processes that map it, zero at first. The descriptor is all there is of it
/// outside: nothing has to be cleaned up after any death of anyone.
class SharedMemory {
 public:
  /// New memory of `bytes` > 0. Throws `Error` if there is none to be had.
  explicit SharedMemory(std::size_t bytes) : SharedMemory(make_file(bytes), bytes) {}

  /// The first `bytes` of the memory behind `fd`, which stays the caller's. Throws `Error` if it is
  /// smaller: a look behind the end of the file would be a SIGBUS.
  static SharedMemory attach(int fd, std::size_t bytes) {
    if (size_of(fd) < bytes) {
      throw Error(
          fmt::format("shared memory has {} bytes, {} were to be mapped", size_of(fd), bytes));
    }
    FileDescriptor own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (own.get() < 0) throw_errno("fcntl of shared memory");
    return {std::move(own), bytes};
  }

  /// Bytes of memory behind `fd`.
  [[nodiscard]] static std::size_t size_of(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) throw_errno("fstat of shared memory");
    return static_cast<std::size_t>(about.st_size);
  }

  SharedMemory(SharedMemory&& other) noexcept
      : file_(std::move(other.file_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    if (this != &other) {
      unmap();
      file_ = std::move(other.file_);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~SharedMemory() { unmap(); }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// To be handed to another process; -1 after `close_fd`.
  [[nodiscard]] int fd() const noexcept { return file_.get(); }

  /// The mapping needs no descriptor; who will not hand it on can spare it.
  void close_fd() noexcept { file_.close(); }

 private:
  SharedMemory(FileDescriptor file, std::size_t bytes) : file_(std::move(file)), size_(bytes) {
    auto* const where = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (where == MAP_FAILED) throw_errno(fmt::format("mmap of {} bytes of shared memory", bytes));
    data_ = static_cast<std::byte*>(where);
  }

  static FileDescriptor make_file(std::size_t bytes) {
#if defined(MFD_CLOEXEC)
    // First choice: not bounded by the size of any file system (/dev/shm has 64 MB in containers).
    if (FileDescriptor file(::memfd_create("joblot", MFD_CLOEXEC)); file.get() >= 0) {
      if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) {
        throw_errno(fmt::format("ftruncate of shared memory to {} bytes", bytes));
      }
      return file;
    }
#endif
    int error = 0;
    for (auto const* folder : {"/dev/shm", "/tmp"}) {
      auto file = open_unnamed(folder);
      // Allocated now: a full file system is an error here, and would be a SIGBUS at first use.
      error = file.get() < 0 ? errno : ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
      if (error == 0) return file;
    }
    throw_errno(fmt::format("memfd_create and a file of {} bytes in /dev/shm or /tmp", bytes),
                error);
  }

  void unmap() noexcept {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  FileDescriptor file_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace joblot::detail

#endif

#endif
