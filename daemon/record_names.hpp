// The names behind the numbers of this life, for a store that keeps names.
#pragma once

#include "daemon/services.hpp"
#include "daemon/workers.hpp"

namespace warmpool::daemon {

// A type that comes from an earlier life is declared to the core when it is first named here.
class RecordNames : public StoreNames {
 public:
  RecordNames(Services& services, Workers& workers) : services_(services), workers_(workers) {}

  std::string name_of(TypeId type) const override { return services_.types.at(type).name; }
  std::string name_of(TenantId tenant) const override { return services_.tenants.at(tenant); }
  std::string name_of(SlotId slot) const override { return workers_.places().slot_name(slot); }
  std::string name_of(ClassId worker_class) const override {
    return services_.options_of(worker_class).name;
  }

  TypeId type_of(std::string_view name) override {
    const auto known = services_.types.remember(name);
    if (known.is_new) services_.declare(known.type);
    return known.type;
  }
  TenantId tenant_of(std::string_view name) override { return services_.tenants.remember(name); }
  SlotId slot_of(std::string_view name) override { return workers_.places().earlier_slot(name); }
  std::optional<ClassId> class_of(std::string_view name) const override {
    const auto& classes = services_.configuration.classes;
    for (std::size_t at = 0; at < classes.size(); ++at) {
      if (classes[at].values.name == name) return ClassId{static_cast<std::uint16_t>(at)};
    }
    return std::nullopt;
  }
  void pause_absent(std::string_view name) override {
    workers_.strangers().paused_absent.emplace(name);
  }
  Blob hold(ipc::UniqueFd fd, std::uint64_t bytes) override {
    return services_.large.hold(std::move(fd), bytes);
  }

 private:
  Services& services_;
  Workers& workers_;
};

}  // namespace warmpool::daemon
