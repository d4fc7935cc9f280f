#include "peerless/train/event_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/memory_files.h"

namespace peerless {
namespace {

// An event as another reader of the format sees it.
struct Event {
  std::uint64_t step = 0;
  std::string version;
  bool start = false;
  std::vector<std::pair<std::string, float>> scalars = {};
  bool operator==(const Event&) const = default;
};

// A cursor over protocol-buffer bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  template <class T>
  T fixed() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  }
  std::string_view take(std::size_t count) {
    const auto part = bytes_.substr(0, count);
    EXPECT_EQ(part.size(), count);
    bytes_.remove_prefix(count);
    return part;
  }
  std::string_view message() { return take(varint()); }

 private:
  std::string_view bytes_;
};

std::pair<std::string, float> scalar_of(std::string_view bytes) {
  std::pair<std::string, float> scalar;
  for (Reader reader(bytes); !reader.done();) {
    if (reader.varint() == (1 << 3 | 2)) {
      scalar.first = reader.message();
    } else {
      scalar.second = reader.fixed<float>();
    }
  }
  return scalar;
}

Event event_of(std::string_view bytes) {
  Event event;
  for (Reader reader(bytes); !reader.done();) {
    switch (reader.varint()) {
      case 1 << 3 | 1:
        EXPECT_GT(reader.fixed<double>(), 1.7e9);  // wall time
        break;
      case 2 << 3 | 0:
        event.step = reader.varint();
        break;
      case 3 << 3 | 2:
        event.version = reader.message();
        break;
      case 5 << 3 | 2:
        for (Reader values(reader.message()); !values.done();) {
          EXPECT_EQ(values.varint(), 1u << 3 | 2u);
          event.scalars.push_back(scalar_of(values.message()));
        }
        break;
      case 7 << 3 | 2:
        event.start = reader.message() == "\x08\x01";
        break;
      default:
        ADD_FAILURE() << "unknown field";
        return event;
    }
  }
  return event;
}

std::uint32_t masked(std::string_view bytes) {
  const auto crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

std::vector<Event> events_of(std::string_view file) {
  std::vector<Event> events;
  for (Reader reader(file); !reader.done();) {
    const auto head = reader.take(8);
    EXPECT_EQ(reader.fixed<std::uint32_t>(), masked(head));
    const auto bytes = reader.take(Reader(head).fixed<std::uint64_t>());
    EXPECT_EQ(reader.fixed<std::uint32_t>(), masked(bytes));
    events.push_back(event_of(bytes));
  }
  return events;
}

class EventFileTest : public testing::Test {
 protected:
  void SetUp() override { files.make_folder("/run"); }
  std::vector<std::vector<Event>> all() const {
    std::vector<std::vector<Event>> all;
    for (const auto& [path, content] : files.tree("/run")) all.push_back(events_of(content));
    return all;
  }
  MemoryFiles files;
};

const Event kVersion{0, "brain.Event:2"};

TEST(Crc32c, IsThatOfItsDefinition) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);            // the check value in catalogues of CRCs
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
}

TEST_F(EventFileTest, HoldsWhatWasWritten) {
  EventFile file(files, "/run", 0);
  file.write(10, {{"train/loss", 3.5}, {"train/lr", 1e-3}});
  file.write(300, {{"val/cpp/loss", 2.25}});
  EXPECT_EQ(all(), (std::vector<std::vector<Event>>{{kVersion,
                                                     {10, "", false, {{"train/loss", 3.5f}, {"train/lr", 1e-3f}}},
                                                     {300, "", false, {{"val/cpp/loss", 2.25f}}}}}));
}

TEST_F(EventFileTest, GoingOnCutsWhatCameAfterAndBeginsAnotherFile) {
  {
    EventFile first(files, "/run", 0);
    for (const std::int64_t step : {100, 200, 300}) first.write(step, {{"a", 1}});
  }
  {
    EventFile second(files, "/run", 200);
    for (const std::int64_t step : {300, 400}) second.write(step, {{"a", 2}});
  }
  EventFile third(files, "/run", 300);
  const auto at = [](std::uint64_t step, float value) { return Event{step, "", false, {{"a", value}}}; };
  EXPECT_EQ(all(), (std::vector<std::vector<Event>>{{kVersion, at(100, 1), at(200, 1)},
                                                    {kVersion, {201, "", true}, at(300, 2)},
                                                    {kVersion, {301, "", true}}}));
}

TEST_F(EventFileTest, ATornRecordIsCut) {
  { EventFile(files, "/run", 0).write(1, {{"a", 1}}); }
  const auto path = files.tree("/run").begin()->first;
  const auto whole = files.content(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    files.content(path) = whole.substr(0, size);
    { EventFile again(files, "/run", 1); }
    EXPECT_EQ(events_of(files.content(path)).size(), size < 42u ? 0u : 1u) << size;  // the version takes 42 bytes
    files.remove(std::prev(files.tree("/run").end())->first);
  }
}

TEST_F(EventFileTest, OtherFilesStayAsTheyAre) {
  for (const char* name : {"/run/metrics.jsonl", "/run/events.out.tfevents.5.host.1.0"}) files.put(name, "{}\n");
  EventFile file(files, "/run", 7);
  for (const char* name : {"/run/metrics.jsonl", "/run/events.out.tfevents.5.host.1.0"})
    EXPECT_EQ(files.content(name), "{}\n") << name;
}

}  // namespace
}  // namespace peerless
