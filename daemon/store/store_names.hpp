// Names behind the numbers that records hold. The core numbers types, tenants and slots anew in
// each life, so a store on disk keeps their names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/store/blob.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

class StoreNames {
 public:
  virtual ~StoreNames() = default;

  virtual std::string name_of(TypeId type) const = 0;
  virtual std::string name_of(TenantId tenant) const = 0;
  virtual std::string name_of(SlotId slot) const = 0;
  virtual std::string name_of(ClassId worker_class) const = 0;

  // The number in this life of a name from an earlier one, that nothing may serve any more.
  virtual TypeId type_of(std::string_view name) = 0;
  virtual TenantId tenant_of(std::string_view name) = 0;
  virtual SlotId slot_of(std::string_view name) = 0;
  // None: there is no such class in this life.
  virtual std::optional<ClassId> class_of(std::string_view name) const = 0;
  // Of one that there is not: it is paused, should it come.
  virtual void pause_absent(std::string_view name) = 0;
  // A body of so many bytes, not 0, that is held by descriptor from now on: it is counted.
  virtual Blob hold(ipc::UniqueFd fd, std::uint64_t bytes) = 0;
};

}  // namespace warmpool::daemon
