// When alerts are raised, counted, resolved and told again.
#include "daemon/alerts/alert_book.hpp"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/support/places.hpp"

namespace warmpool::daemon {
namespace {

Instant at(std::int64_t second) { return Instant{1} + seconds(second); }

Sighting slow(const std::string& slot) { return {Alert::Slow, slot, slot + " is slow"}; }
Sighting death(const std::string& slot) { return {Alert::WorkerFailure, slot, slot + " died"}; }

class Book : public testing::Test {
 protected:
  Book() { book.set_times({minutes(10), seconds(10), Duration{}}); }

  // "raised slow worker-0, resolved ..."
  std::string news() {
    std::string text;
    for (const auto& one : book.take_news()) {
      text.append(text.empty() ? "" : ", ").append(name_of(one.change)).append(" ");
      text.append(row_of(one.alert.what.alert).name).append(" ").append(one.alert.what.subject);
    }
    return text;
  }

  AlertBook book;
};

TEST_F(Book, RaisesAStateOnceAndResolvesItWhenItsCauseIsGone) {
  book.see({slow("worker-0")}, at(1));
  EXPECT_EQ(news(), "raised slow worker-0");
  book.see({slow("worker-0")}, at(2));
  book.see({slow("worker-0")}, at(100));
  EXPECT_EQ(news(), "");
  book.see({}, at(101));
  EXPECT_EQ(news(), "") << "it may come again";
  EXPECT_TRUE(book.present().empty());
  EXPECT_EQ(book.active().size(), 1U);
  book.see({}, at(109));
  EXPECT_EQ(news(), "");
  book.see({}, at(110));
  EXPECT_EQ(news(), "resolved slow worker-0");
  EXPECT_TRUE(book.active().empty());
  ASSERT_EQ(book.past().size(), 1U);
  EXPECT_EQ(book.past().front().count, 1U);
  EXPECT_EQ(book.past().front().resolved_at, at(110));
}

TEST_F(Book, CountsACauseThatComesAndGoesAsOneAlert) {
  for (int second = 1; second <= 20; ++second) {
    book.see(second % 2 == 1 ? std::vector{slow("worker-0")} : std::vector<Sighting>{}, at(second));
  }
  EXPECT_EQ(news(), "raised slow worker-0");
  EXPECT_EQ(book.active().front()->count, 10U);
}

TEST_F(Book, KeepsSubjectsApart) {
  book.see({slow("worker-0"), slow("worker-1")}, at(1));
  EXPECT_EQ(news(), "raised slow worker-0, raised slow worker-1");
  book.see({slow("worker-1")}, at(2));
  book.see({slow("worker-1")}, at(12));
  EXPECT_EQ(news(), "resolved slow worker-0");
}

TEST_F(Book, LetsAnEventStayForItsTimeAndCountsThoseThatFollow) {
  book.happened(death("worker-0"), at(1));
  book.happened(death("worker-0"), at(500));
  EXPECT_EQ(news(), "raised worker-failure worker-0");
  EXPECT_EQ(book.present().front()->count, 2U);
  book.see({}, at(1'099));
  EXPECT_EQ(news(), "") << "10 minutes after the last one";
  EXPECT_EQ(book.present().size(), 1U);
  book.see({}, at(1'100));
  EXPECT_EQ(news(), "resolved worker-failure worker-0");
}

TEST_F(Book, TellsAgainUntilSomebodyAcknowledges) {
  book.set_times({minutes(10), seconds(10), minutes(1)});
  book.see({slow("worker-0")}, at(0));
  EXPECT_EQ(news(), "raised slow worker-0");
  book.see({slow("worker-0")}, at(59));
  EXPECT_EQ(news(), "");
  book.see({slow("worker-0")}, at(60));
  EXPECT_EQ(news(), "repeated slow worker-0");
  EXPECT_EQ(book.acknowledge(Alert::Slow, "worker-1"), 0U);
  EXPECT_EQ(book.acknowledge(Alert::Slow, ""), 1U);
  book.see({slow("worker-0")}, at(600));
  EXPECT_EQ(news(), "");
  EXPECT_TRUE(book.present().front()->acknowledged);
  book.see({}, at(601));
  book.see({}, at(611));
  EXPECT_EQ(news(), "resolved slow worker-0") << "its end is told all the same";
}

TEST_F(Book, NamesTheMostUrgentFirst) {
  book.see({slow("worker-0"), {Alert::Socket, "", "gone"}}, at(1));
  EXPECT_EQ(book.present().front()->what.alert, Alert::Socket);
}

TEST_F(Book, HasBounds) {
  std::vector<Sighting> many;
  for (std::size_t i = 0; i < AlertBook::kActiveMax + 3; ++i)
    many.push_back(slow(std::to_string(i)));
  book.see(many, at(1));
  EXPECT_EQ(book.active().size(), AlertBook::kActiveMax);
  EXPECT_EQ(book.dropped(), 3U);
  book.set_past_max(5);
  book.see({}, at(100));
  EXPECT_EQ(book.past().size(), 5U);
  book.set_past_max(0);
  EXPECT_TRUE(book.past().empty());
}

TEST(AlertTable, IsWhatThePageSays) {
  std::ifstream file(test::source_file("docs/daemon.md"));
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(page.find(alerts_markdown()), std::string::npos)
      << "replace the table of docs/daemon.md by:\n"
      << alerts_markdown();
}

TEST(AlertTable, KnowsItsNames) {
  EXPECT_EQ(unknown_alert("slow, socket"), std::nullopt);
  EXPECT_EQ(unknown_alert(""), std::nullopt);
  EXPECT_EQ(unknown_alert("slow,slwo"), "slwo");
  EXPECT_TRUE(is_among("slow, socket", "socket"));
  EXPECT_FALSE(is_among("slow", "slo"));
}

}  // namespace
}  // namespace warmpool::daemon
