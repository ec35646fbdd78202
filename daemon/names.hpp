// Names that clients use, as the dense numbers that the core uses: task types and tenants.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pool/event.hpp"

namespace warmpool::daemon {

// '*' stands for any number of bytes, '?' for one.
bool matches_pattern(std::string_view pattern, std::string_view name);
bool is_pattern(std::string_view name);

// Bounds: kTypesMax distinct types, so that a client that invents names cannot fill memory.
class TypeTable {
 public:
  static constexpr std::size_t kTypesMax = 65'536;

  static constexpr std::size_t kClassesMax =
      std::tuple_size_v<decltype(event::TypeDeclared::classes)>;

  struct Type {
    std::string name;
    std::vector<ClassId> classes;  // that serve it, the first is preferred; at most kClassesMax
  };

  // Exact names of all classes are known from the start.
  explicit TypeTable(const std::vector<ClassOptions>& classes);

  std::optional<TypeId> find(std::string_view name) const;
  // Known, or new and served by some class, or new while a class has types_later. None: refuse it.
  // Order: a new one must be declared() to the core before it is used.
  struct Interned {
    TypeId type;
    bool is_new;
  };
  std::optional<Interned> intern(std::string_view name);
  // Of tasks of an earlier life, whether or not a class serves it and whatever the bound.
  Interned remember(std::string_view name);
  event::TypeDeclared declared(TypeId type) const;
  void set_types_later(ClassId worker_class, bool later);
  // From now on this class, which may be the next number, serves these: names, or patterns. Returns
  // the types that are new or served by other classes than before: each must be declared() again.
  // Bounds: names beyond kTypesMax are not known before somebody submits one.
  std::vector<TypeId> serve(ClassId worker_class, const std::vector<std::string>& patterns);

  // The first of these that this class could not serve, because kClassesMax others do: a pattern
  // too where one of its types is such. Null: none. Owns: nothing.
  const std::string* full_type(ClassId worker_class,
                               const std::vector<std::string>& patterns) const;

  const Type& at(TypeId type) const { return types_[type.value]; }
  std::size_t size() const { return types_.size(); }
  // What can be submitted: exact names and patterns, for people; at most 30.
  std::string known_text() const;

 private:
  struct Class {
    std::vector<std::string> patterns;
    bool later = false;
  };
  TypeId add(std::string_view name);
  std::vector<ClassId> classes_of(std::string_view name) const;

  std::vector<Class> classes_;
  std::vector<Type> types_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

// Bounds: kTenantsMax distinct names. Number 0 is the empty name.
class TenantTable {
 public:
  static constexpr std::size_t kTenantsMax = 65'536;

  TenantTable() { names_.emplace_back(); }
  std::optional<TenantId> intern(std::string_view name);  // none: there are too many
  TenantId remember(std::string_view name);               // whatever the bound
  const std::string& at(TenantId tenant) const { return names_[tenant.value]; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

}  // namespace warmpool::daemon
