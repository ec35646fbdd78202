// docs/protocol.md is what others build clients and workers from: its tables must be ours, and its
// examples must be the golden bytes.
#include <gtest/gtest.h>

#include "ipc/message_rows.hpp"
#include "ipc/meta_binding.hpp"
#include "ipc/peer.hpp"
#include "ipc/verb.hpp"
#include "pool/notification.hpp"
#include "tests/ipc/hex.hpp"
#include "tests/ipc/page.hpp"
#include "tests/ipc/samples.hpp"

namespace warmpool::ipc::test {
namespace {

void append(std::string& list, const std::string& word) {
  list += (list.empty() ? "" : ", ") + word;
}

std::string parties_text(std::uint8_t parties) {
  if (parties == kAny) return "any";
  std::string text;
  const auto add = [&](Party party, const char* name) {
    if (includes(parties, party)) text += (text.empty() ? "" : " or ") + std::string(name);
  };
  add(Party::Client, "client");
  add(Party::Worker, "worker");
  add(Party::Daemon, "daemon");
  return text;
}

std::string feature_text(std::uint64_t feature) {
  for (const FeatureRow& row : kFeatureRows) {
    if (row.bit == feature) return std::string(row.name);
  }
  return {};
}

Cells cells_of_kind(const KindRow& row) {
  std::string uses, flags, meta;
  for (const UseRow& use : kUseRows) {
    if ((row.fields & use.bit) != 0) append(uses, std::string(use.name));
  }
  for (const FlagRow& flag : row.flags) {
    append(flags, std::to_string(flag.bit) + " " + std::string(flag.name));
  }
  for (const Field& field : row.meta) append(meta, std::string(field.name));
  return {std::to_string(static_cast<int>(row.kind)),
          std::string(row.name),
          parties_text(row.from),
          parties_text(row.to),
          feature_text(row.needs),
          uses,
          flags,
          meta.empty() ? "" : "[" + meta + "]"};
}

Cells first_cells(const Cells& cells, std::size_t count) {
  return {cells.begin(),
          cells.begin() + static_cast<std::ptrdiff_t>(std::min(count, cells.size()))};
}

TEST(ProtocolPage, HasTheFeatures) {
  const auto page = table_after(protocol_page(), "## 3. Features");
  ASSERT_EQ(page.size(), std::size(kFeatureRows));
  for (std::size_t i = 0; i < page.size(); ++i) {
    EXPECT_EQ(first_cells(page[i], 2),
              (Cells{std::to_string(kFeatureRows[i].bit), std::string(kFeatureRows[i].name)}));
  }
}

TEST(ProtocolPage, HasTheKinds) {
  const auto page = table_after(protocol_page(), "## 4. Kinds");
  ASSERT_EQ(page.size(), kind_rows().size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    const KindRow& row = kind_rows()[i];
    EXPECT_EQ(first_cells(page[i], 8), cells_of_kind(row)) << row.name;
    ASSERT_EQ(page[i].size(), 9U) << row.name;
    EXPECT_EQ(!page[i][8].empty(), row.payload) << row.name;
  }
}

std::string number_type(std::uint64_t least, std::uint64_t most) {
  if (least == 0 && most == rows::kU64) return "u64";
  if (least == 0 && most == rows::kU32) return "u32";
  if (least == 0 && most == rows::kU16) return "u16";
  if (least == 0 && most == rows::kU8) return "u8";
  return std::to_string(least) + ".." + std::to_string(most);
}

std::string field_type(const Field& field) {
  switch (field.kind) {
    case FieldKind::Number:
      return number_type(field.minimum, field.maximum);
    case FieldKind::Time:
      return "time";
    case FieldKind::Text:
      return "text, " + std::to_string(field.maximum);
    case FieldKind::Texts:
      return std::to_string(field.maximum) + " texts, 255 each";
    case FieldKind::Arguments:
      return "see section 6";
  }
  return {};
}

template <class T>
std::string default_text(const T& value) {
  if constexpr (std::is_unsigned_v<T> || std::is_enum_v<T>) {
    return std::to_string(static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_same_v<T, Duration>) {
    return std::to_string(value.ns);
  } else {
    return value.empty() ? "none" : "?";
  }
}
template <class T>
std::string default_text(const std::optional<T>& value) {
  return value ? "?" : "the daemon's";
}

template <class Meta>
void expect_fields(std::vector<Cells>& expected) {
  const Meta defaults;
  std::size_t i = 0;
  const auto add = [&](auto member) {
    const Field& field = Binding<Meta>::fields[i++];
    expected.push_back({std::string(Binding<Meta>::name), std::string(field.name),
                        field_type(field), default_text(defaults.*member)});
  };
  std::apply([&](auto... members) { (add(members), ...); }, Binding<Meta>::members);
}

TEST(ProtocolPage, HasTheFieldsOfMeta) {
  std::vector<Cells> expected;
  expect_fields<HelloMeta>(expected);
  expect_fields<WelcomeMeta>(expected);
  expect_fields<ErrorMeta>(expected);
  expect_fields<TypeNameMeta>(expected);
  expect_fields<SubmitMeta>(expected);
  expect_fields<RefusedMeta>(expected);
  expect_fields<SettledMeta>(expected);
  expect_fields<ProgressMeta>(expected);
  expect_fields<CancelledMeta>(expected);
  expect_fields<AssignMeta>(expected);
  expect_fields<CancelAttemptMeta>(expected);
  expect_fields<DoneMeta>(expected);
  expect_fields<FailedMeta>(expected);
  expect_fields<ReportMeta>(expected);
  const auto page = table_after(protocol_page(), "### Fields of meta");
  ASSERT_EQ(page.size(), expected.size());
  for (std::size_t i = 0; i < page.size(); ++i) EXPECT_EQ(first_cells(page[i], 4), expected[i]);
}

std::string argument_text(const ArgumentRow& row) {
  std::string type;
  switch (row.kind) {
    case ArgumentKind::Number:
      type = number_type(0, row.maximum);
      break;
    case ArgumentKind::Text:
      type = "text";
      break;
    case ArgumentKind::Flag:
      type = "flag";
      break;
    case ArgumentKind::Ids:
      type = "list of u64";
      break;
  }
  return std::string(row.name) + ": " + type + (row.may_be_nil ? " or nil" : "");
}

TEST(ProtocolPage, HasTheVerbs) {
  const auto page = table_after(protocol_page(), "## 6. Requests");
  ASSERT_EQ(page.size(), verb_rows().size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    const VerbRow& row = verb_rows()[i];
    std::string arguments;
    for (const ArgumentRow& argument : row.arguments) append(arguments, argument_text(argument));
    EXPECT_EQ(first_cells(page[i], 4),
              (Cells{std::to_string(static_cast<int>(row.verb)), std::string(row.name), arguments,
                     std::string(warmpool::name_of(row.right))}));
  }
}

TEST(ProtocolPage, HasTheRoles) {
  const std::array kinds{PeerKind::Owner, PeerKind::Root, PeerKind::Group, PeerKind::Other};
  const auto page = table_after(protocol_page(), "### Who may do what");
  ASSERT_EQ(page.size(), kinds.size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    ASSERT_EQ(page[i].size(), 1 + Words<Right>::rows.size());
    for (const auto& right : Words<Right>::rows) {
      constexpr std::array kCells{"no", "own", "yes"};
      const auto grant = static_cast<std::size_t>(grant_of(kinds[i], right.value));
      EXPECT_EQ(page[i][1 + static_cast<std::size_t>(right.value)], kCells[grant]) << page[i][0];
    }
  }
}

template <class Enum>
void expect_words(std::string_view heading) {
  const auto page = table_after(protocol_page(), heading);
  ASSERT_EQ(page.size(), Words<Enum>::rows.size()) << heading;
  std::size_t i = 0;
  for (const auto& row : Words<Enum>::rows) {
    EXPECT_EQ(page[i++], (Cells{std::to_string(static_cast<int>(row.value)), std::string(row.name),
                                std::string(row.meaning)}));
  }
}

TEST(ProtocolPage, HasTheCodes) { expect_words<Refusal>("## 7. Codes"); }

TEST(ProtocolPage, HasTheWords) {
  expect_words<Content>("### Content");
  expect_words<Verdict>("### Verdict");
  expect_words<EndCause>("### End cause");
  expect_words<Outcome>("### Outcome");
  expect_words<TaskState>("### Task state");
  expect_words<Rung>("### Rung");
  expect_words<Durability>("### Durability");
}

TEST(ProtocolPage, HasTheEvents) {
  const auto page = table_after(protocol_page(), "## 11. Events");
  ASSERT_EQ(page.size(), kNoticeRows.size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    const NoticeRow& row = kNoticeRows[i];
    std::string fields;
    for (std::uint8_t f = 0; f < row.field_count; ++f) {
      append(fields, std::string(row_of(row.fields[f]).name));
    }
    EXPECT_EQ(page[i], (Cells{std::string(row.name), fields, std::string(row.meaning)}));
  }
}

TEST(ProtocolPage, HasTheFieldsOfEvents) {
  constexpr std::array kTypes{"number", "number of ms", "text", "flag"};
  const auto page = table_after(protocol_page(), "### Fields of events");
  ASSERT_EQ(page.size(), kNoticeFieldRows.size());
  for (std::size_t i = 0; i < page.size(); ++i) {
    const NoticeFieldRow& row = kNoticeFieldRows[i];
    EXPECT_EQ(static_cast<std::size_t>(row.field), i) << row.name;
    EXPECT_EQ(page[i], (Cells{std::string(row.name), kTypes[static_cast<std::size_t>(row.value)],
                              std::string(row.meaning)}));
  }
}

TEST(ProtocolPage, ItsExamplesAreTheGoldenBytes) {
  const auto all = samples();
  const auto blocks = hex_blocks(protocol_page());
  EXPECT_GE(blocks.size(), 13U);
  for (const auto& [name, text] : blocks) {
    EXPECT_EQ(from_hex(text), bytes_of_sample(sample(all, name))) << name;
  }
}

}  // namespace
}  // namespace warmpool::ipc::test
