// Values as bytes and back: every alternative of events, records and commands, with every field
// set.
#include <set>

#include <gtest/gtest.h>

#include "pool/command.hpp"
#include "pool/event.hpp"
#include "pool/image/reader.hpp"
#include "pool/image/shape.hpp"
#include "pool/task_table.hpp"

namespace warmpool {
namespace {

// Gives every field a value that it does not have by itself, and each number another one.
class Filler {
 public:
  template <class T>
  void fill(T& value) {
    using namespace image;
    if constexpr (std::same_as<T, bool>) {
      value = true;
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(1);
    } else if constexpr (std::integral<T>) {
      value = static_cast<T>(++number_ % 100 + 1);
      if (std::signed_integral<T> && number_ % 2 != 0) value = static_cast<T>(-value);
    } else if constexpr (Text<T>) {
      value = "text " + std::to_string(++number_);
    } else if constexpr (Optioned<T>) {
      for (const auto& row : rows_of(value)) {
        if (is_left_out(row.name)) continue;
        std::visit([&](auto field) { fill(value.*field); }, row.field);
      }
    } else if constexpr (List<T>) {
      fill(value.emplace_back());
      fill(value.emplace_back());
    } else if constexpr (Array<T>) {
      for (auto& each : value) fill(each);
    } else if constexpr (Optional<T>) {
      fill(value.emplace());
    } else if constexpr (Variant<T>) {
      fill(value.template emplace<0>());
    } else {
      auto fields = fields_of(value);
      std::apply([this](auto&... each) { (this->fill(each), ...); }, fields);
    }
  }

 private:
  std::uint64_t number_ = 0;
};

template <class T>
std::uint32_t digest_of(const T& value) {
  image::DigestSink sink;
  image::walk(sink, value);
  return sink.digest();
}

template <std::size_t At = 0, class Variant, class Check>
void each_alternative(Check check) {
  if constexpr (At < std::variant_size_v<Variant>) {
    Variant plain{std::in_place_index<At>}, filled{std::in_place_index<At>};
    Filler().fill(std::get<At>(filled));
    check(plain);
    check(filled);
    if (!std::is_empty_v<std::variant_alternative_t<At, Variant>>) {
      EXPECT_NE(digest_of(plain), digest_of(filled)) << "alternative " << At;
    }
    each_alternative<At + 1, Variant>(check);
  }
}

template <class T>
void comes_back(const T& value) {
  const auto bytes = image::bytes_of(value);
  image::Reader reader(bytes);
  T back;
  reader.get(back);
  EXPECT_TRUE(reader.good() && reader.empty()) << "alternative " << value.index();
  EXPECT_EQ(image::bytes_of(back), bytes) << "alternative " << value.index();
  EXPECT_EQ(digest_of(back), digest_of(value));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    image::Reader cut(std::string_view(bytes).substr(0, size));
    cut.get(back);
    EXPECT_FALSE(cut.good()) << "alternative " << value.index() << " of " << size << " bytes";
  }
}

TEST(Image, BringsBackEveryEvent) { each_alternative<0, Event>(comes_back<Event>); }
TEST(Image, BringsBackEveryRecord) { each_alternative<0, Record>(comes_back<Record>); }
TEST(Image, DigestsEveryFieldOfACommand) {
  std::set<std::uint32_t> digests;
  std::size_t count = 0;
  each_alternative<0, Command>([&](const Command& command) {
    digests.insert(digest_of(command));
    ++count;
  });
  EXPECT_EQ(digests.size(), count);
}

TEST(Image, HoldsEveryFieldOfASubmit) {
  event::Submit submit{ClientId{7}, RequestId{8}, {}};
  submit.spec.priority = 3;
  submit.spec.delay = Duration{-5};
  submit.spec.key = IdempotencyKey{~0ULL, 1, 2, KeyUse::Reconnect};
  const auto bytes = image::bytes_of(submit);
  image::Reader reader(bytes);
  event::Submit back{};
  reader.get(back);
  EXPECT_TRUE(reader.good() && reader.empty());
  EXPECT_EQ(back.client, submit.client);
  EXPECT_EQ(back.request, submit.request);
  EXPECT_EQ(back.spec.priority, 3);
  EXPECT_EQ(back.spec.delay, Duration{-5});
  EXPECT_EQ(back.spec.key, submit.spec.key);
}

// Options are walked by their rows: a field without one would be lost.
TEST(Image, FindsARowForEveryOption) {
  EXPECT_EQ(image::count_fields<Options>(), pool_option_rows().size());
  EXPECT_EQ(image::count_fields<ClassOptions>(), class_option_rows().size());
}

TEST(Image, LeavesOutCommandsAndEnvironments) {
  event::ClassDeclared declared{ClassId{1}, default_class_options()};
  declared.options.command = {"worker", "--password=hunter2"};
  declared.options.environment = {"PASSWORD=hunter2"};
  EXPECT_EQ(image::bytes_of(declared).find("hunter2"), std::string::npos);
}

TEST(Image, RefusesNumbersThatDoNotFitAndWordsThatAreNone) {
  const auto refuses = [](auto value, std::uint64_t number) {
    std::string bytes;
    image::ByteSink(bytes).number(number);
    image::Reader reader(bytes);
    reader.get(value);
    return !reader.good();
  };
  EXPECT_TRUE(refuses(std::uint8_t{}, 256));
  EXPECT_FALSE(refuses(std::uint8_t{}, 255));
  EXPECT_TRUE(refuses(bool{}, 2));
  EXPECT_TRUE(refuses(std::int32_t{}, image::zigzag(1LL << 31)));
  EXPECT_TRUE(refuses(EndCause{}, Words<EndCause>::rows.size()));
  EXPECT_FALSE(refuses(EndCause{}, Words<EndCause>::rows.size() - 1));
  EXPECT_TRUE(refuses(Event{}, std::variant_size_v<Event>));
  EXPECT_TRUE(refuses(std::string{}, 1));
  EXPECT_TRUE(refuses(std::vector<std::uint64_t>{}, ~0ULL));
  image::Reader endless(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  EXPECT_EQ(endless.number(), 0U);
  EXPECT_FALSE(endless.good());
}

TEST(Image, RefusesATaskThatStandsTwice) {
  const auto reads = [](const TaskTable& tasks) {
    const auto bytes = image::bytes_of(tasks);
    image::Reader reader(bytes);
    TaskTable there;
    reader.get(there);
    return reader.good() && there.find(TaskId{7}) == tasks.find(TaskId{7});
  };
  TaskTable tasks;
  tasks.add(TaskId{6});
  const auto second = tasks.add(TaskId{7});
  EXPECT_TRUE(reads(tasks));
  tasks[second].id = TaskId{6};
  EXPECT_FALSE(reads(tasks));
}

struct Small {
  std::uint32_t a;
  bool b;
};
struct Wider {
  std::uint64_t a;
  bool b;
};
struct Longer {
  std::uint32_t a;
  bool b;
  std::optional<Duration> c;
};

TEST(Image, HasAnotherShapeWithOtherFields) {
  EXPECT_EQ(image::shape_of<Small>(), image::shape_of<Small>());
  EXPECT_NE(image::shape_of<Small>(), image::shape_of<Wider>());
  EXPECT_NE(image::shape_of<Small>(), image::shape_of<Longer>());
}

}  // namespace
}  // namespace warmpool
