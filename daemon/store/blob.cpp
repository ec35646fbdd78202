// The box is a header of 8 bytes with the bytes behind it, or with a shared string or a shared
// descriptor behind it; the highest bit of the size tells of the last. A
// std::string would cost 32 bytes in every row and a shared_ptr 16 bytes and a control block.
// The store thread writes what the main thread goes on using, so whoever is last deletes the box.
#include "daemon/store/blob.hpp"

#include <atomic>
#include <cstring>
#include <new>

#include "pool/require.hpp"

namespace warmpool::daemon {

struct alignas(8) Blob::Box {
  static constexpr std::uint32_t kByDescriptor = 1U << 31U;
  std::uint32_t size_and_kind;
  std::atomic<std::uint32_t> owners;

  using Shared = ipc::SharedBytes;
  std::uint32_t size() const { return size_and_kind & ~kByDescriptor; }
  bool by_descriptor() const { return (size_and_kind & kByDescriptor) != 0; }
  bool is_shared() const { return !by_descriptor() && size_and_kind >= kSharedBytesMin; }
  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  Shared* shared() { return std::launder(reinterpret_cast<Shared*>(this + 1)); }
  ipc::SharedFd* descriptor() { return std::launder(reinterpret_cast<ipc::SharedFd*>(this + 1)); }
};

Blob::Blob(ipc::Bytes bytes, const ipc::Memory& memory) {
  if (bytes.empty()) return;
  REQUIRE(bytes.size() < Box::kByDescriptor);
  const bool is_shared = bytes.size() >= kSharedBytesMin;
  const std::size_t behind = is_shared ? sizeof(Box::Shared) : bytes.size();
  box_ =
      new (::operator new(sizeof(Box) + behind)) Box{static_cast<std::uint32_t>(bytes.size()), {1}};
  if (is_shared) {
    new (box_->bytes()) Box::Shared(memory ? Box::Shared(bytes, memory) : Box::Shared(bytes));
  } else {
    std::memcpy(box_->bytes(), bytes.data(), bytes.size());
  }
}

Blob::Blob(ipc::SharedFd descriptor, std::uint64_t bytes) {
  REQUIRE(descriptor && bytes > 0 && bytes < Box::kByDescriptor);
  const auto size = static_cast<std::uint32_t>(bytes) | Box::kByDescriptor;
  box_ = new (::operator new(sizeof(Box) + sizeof(ipc::SharedFd))) Box{size, {1}};
  new (box_->bytes()) ipc::SharedFd(std::move(descriptor));
}

Blob Blob::share() const {
  Blob other;
  if (box_ != nullptr) box_->owners.fetch_add(1, std::memory_order_relaxed);
  other.box_ = box_;
  return other;
}

void Blob::release() {
  auto* box = std::exchange(box_, nullptr);
  if (box == nullptr) return;
  // Alone is the usual case, and then nobody else can come.
  const bool alone = box->owners.load(std::memory_order_acquire) == 1;
  if (!alone && box->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (box->is_shared()) std::destroy_at(box->shared());
  if (box->by_descriptor()) std::destroy_at(box->descriptor());
  std::destroy_at(box);
  ::operator delete(box);
}

std::size_t Blob::size() const { return box_ == nullptr ? 0 : box_->size(); }

ipc::Bytes Blob::bytes() const {
  if (box_ == nullptr || box_->by_descriptor()) return {};
  if (box_->is_shared()) return box_->shared()->bytes();
  return {box_->bytes(), box_->size()};
}

bool Blob::is_by_descriptor() const { return box_ != nullptr && box_->by_descriptor(); }

ipc::SharedFd Blob::descriptor() const {
  return is_by_descriptor() ? *box_->descriptor() : nullptr;
}

ipc::SharedBytes Blob::shared() const {
  return box_ != nullptr && box_->is_shared() ? *box_->shared() : ipc::SharedBytes();
}

}  // namespace warmpool::daemon
