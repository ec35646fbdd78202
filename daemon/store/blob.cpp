// The box is a header of 8 bytes with the bytes behind it, or with a shared string behind it. A
// std::string would cost 32 bytes in every row and a shared_ptr 16 bytes and a control block.
#include "daemon/store/blob.hpp"

#include <cstring>
#include <new>

#include "pool/require.hpp"

namespace warmpool::daemon {

struct alignas(8) Blob::Box {
  std::uint32_t size;
  bool is_shared;

  using Shared = std::shared_ptr<const std::string>;
  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  Shared* shared() { return std::launder(reinterpret_cast<Shared*>(this + 1)); }
};

Blob::Blob(ipc::Bytes bytes) {
  if (bytes.empty()) return;
  REQUIRE(bytes.size() < (std::size_t{1} << 32));
  const bool is_shared = bytes.size() >= kSharedBytesMin;
  const std::size_t behind = is_shared ? sizeof(Box::Shared) : bytes.size();
  box_ = new (::operator new(sizeof(Box) + behind))
      Box{static_cast<std::uint32_t>(bytes.size()), is_shared};
  if (is_shared) {
    new (box_->bytes()) Box::Shared(std::make_shared<const std::string>(ipc::text_of(bytes)));
  } else {
    std::memcpy(box_->bytes(), bytes.data(), bytes.size());
  }
}

void Blob::release() {
  if (box_ == nullptr) return;
  if (box_->is_shared) std::destroy_at(box_->shared());
  ::operator delete(box_);
  box_ = nullptr;
}

std::size_t Blob::size() const { return box_ == nullptr ? 0 : box_->size; }

ipc::Bytes Blob::bytes() const {
  if (box_ == nullptr) return {};
  if (box_->is_shared) return ipc::bytes_of(**box_->shared());
  return {box_->bytes(), box_->size};
}

std::shared_ptr<const std::string> Blob::shared() const {
  return box_ != nullptr && box_->is_shared ? *box_->shared() : nullptr;
}

}  // namespace warmpool::daemon
