// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/shared_memory.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xsd {
namespace {

constexpr unsigned kFixedSize = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Result<UniqueFd> make_memory(const char* name) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return Error::from_errno(errno, "memfd_create");
  return fd;
}

Status seal(int fd, unsigned seals) {
  if (fcntl(fd, F_ADD_SEALS, seals) == 0) return {};
  return Error::from_errno(errno, "seal memory");
}

}  // namespace

Status check_seals(int fd, unsigned wanted) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return Error::from_errno(errno, "seals of memory");
  if ((static_cast<unsigned>(seals) & wanted) != wanted) return Error("the memory is not sealed");
  return {};
}

Result<UniqueFd> seal_bytes(const char* name, std::string_view bytes) {
  auto fd = make_memory(name);
  if (!fd) return fd;
  while (!bytes.empty()) {
    const ssize_t written = write(fd->get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Error::from_errno(errno, "write to memory");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (Status status = seal(fd->get(), kFixedSize | F_SEAL_WRITE); !status) return std::move(status.error());
  return fd;
}

Result<std::string> read_sealed(int fd, std::size_t most) {
  if (Status status = check_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE); !status)
    return std::move(status.error());
  struct stat info {};
  if (fstat(fd, &info) != 0) return Error::from_errno(errno, "size of memory");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > most) return Error("the memory holds more than " + std::to_string(most) + " bytes");
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t count = pread(fd, bytes.data() + got, size - got, static_cast<off_t>(got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error::from_errno(count < 0 ? errno : EIO, "read memory");
    got += static_cast<std::size_t>(count);
  }
  return bytes;
}

SharedPage::SharedPage(SharedPage&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SharedPage& SharedPage::operator=(SharedPage&& other) noexcept {
  if (this == &other) return *this;
  if (data_ != nullptr) (void)munmap(data_, size_);  // a mapping of ours: cannot fail
  fd_ = std::move(other.fd_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

SharedPage::~SharedPage() {
  if (data_ != nullptr) (void)munmap(data_, size_);  // as above
}

Result<SharedPage> SharedPage::create(const char* name, std::size_t size) {
  auto fd = make_memory(name);
  if (!fd) return std::move(fd.error());
  if (ftruncate(fd->get(), static_cast<off_t>(size)) != 0) return Error::from_errno(errno, "size memory");
  if (Status status = seal(fd->get(), kFixedSize); !status) return std::move(status.error());
  return map(std::move(*fd), size);
}

Result<SharedPage> SharedPage::attach(UniqueFd fd, std::size_t size) {
  if (Status status = check_seals(fd.get(), F_SEAL_SHRINK); !status) return std::move(status.error());
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return Error::from_errno(errno, "size of memory");
  if (info.st_size < 0 || static_cast<std::size_t>(info.st_size) != size)
    return Error("the memory has another size");
  return map(std::move(fd), size);
}

Result<SharedPage> SharedPage::map(UniqueFd fd, std::size_t size) {
  void* const data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return Error::from_errno(errno, "map memory");
  SharedPage page;
  page.fd_ = raise_fd(std::move(fd));
  page.data_ = data;
  page.size_ = size;
  return page;
}

}  // namespace xsd
