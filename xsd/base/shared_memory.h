// SPDX-License-Identifier: Apache-2.0
//
// Memory that goes from one process to another by descriptor (memfd_create(2)), sealed so that the receiver
// cannot be harmed by what the sender does later: SealedBytes can no longer be changed at all, a SharedPage
// can be written to by both but neither shrinks (which would make the other's access end in SIGBUS) nor
// grows.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"

namespace xsd {

/// Whether memory has all of these seals (F_GET_SEALS of fcntl(2)); it may have others, which the kernel
/// adds.
Status check_seals(int fd, unsigned wanted);

/// A descriptor with these bytes, sealed. `name` is shown in /proc.
Result<UniqueFd> seal_bytes(const char* name, std::string_view bytes);
/// The bytes of such a descriptor; an error if it is not sealed, or there are more than `most`.
Result<std::string> read_sealed(int fd, std::size_t most);

/// A mapping of shared memory; unmapped with the object.
class SharedPage {
 public:
  SharedPage() noexcept = default;
  SharedPage(SharedPage&& other) noexcept;
  SharedPage& operator=(SharedPage&& other) noexcept;
  ~SharedPage();

  /// New, zeroed, sealed, of at least `size` bytes.
  static Result<SharedPage> create(const char* name, std::size_t size);
  /// By a descriptor that came from elsewhere; an error if it is not sealed against shrinking or has another
  /// size.
  static Result<SharedPage> attach(UniqueFd fd, std::size_t size);

  void* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  int fd() const noexcept { return fd_.get(); }

 private:
  static Result<SharedPage> map(UniqueFd fd, std::size_t size);

  UniqueFd fd_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace xsd
