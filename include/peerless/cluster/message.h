// What the coordinator's server and its clients say to each other, and how it is laid out in bytes.
//
// Frame    u32 length of what follows | u8 kind | u64 id | i64 rank | i64 number | texts, each u32 length and its
//          bytes. Little-endian. Each kind has its number of texts
// Rule     decode() is a pure function, made for hostile bytes: it reads none beyond them, and what it allocates is
//          bounded by what is there, never by what a length claims. It accepts only what encode() makes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace peerless::cluster {

struct Message {
  // Where one is added or changes its meaning, count kProtocol up; challenge and refused stay as they are.
  enum class Kind : std::uint8_t {
    // Until a client is admitted (proof.h).
    challenge = 1,  // server: number is kProtocol; its nonce
    hello,          // client: rank, number is the world size; its nonce, its proof, its attempt
    welcome,        // server: its proof
    refused,        // server: number is an ExitCode; why
    // At any time.
    beat,      // client: exchanges it began, in place of the id; number of ms since it does so; what it does.
               // Server, in answer to it: nothing
    waiting,   // server, in answer to a beat: the ranks that are missing
    gathered,  // server: all are here
    report,    // client: rank is lost; why. Server: answers with reply where it has an id
    lost,      // server: rank is lost; why, and a row for each rank
    goodbye,   // client: answer me, then I leave. Server: I leave
    // Requests, answered under their id by reply (number; texts), or by failed (number is an ExitCode; why).
    set,          // key, value
    get,          // number of ms to wait; keys -> their values
    add,          // number; key -> number
    check,        // keys -> number: 1 if all are there
    wait,         // number of ms to wait; keys
    compare_set,  // key, expected, desired -> value
    remove,       // key -> number: 1 if it was there
    count,        // -> number of keys
    append,       // key, value
    reply,
    failed,
  };

  Kind kind = Kind::beat;
  std::uint64_t id = 0;
  std::int64_t rank = 0;
  std::int64_t number = 0;
  std::vector<std::string> texts = {};
  bool operator==(const Message&) const = default;
};

constexpr std::int64_t kProtocol = 1;
constexpr std::size_t kMaxTexts = 4096;  // in a message: so many keys, or ranks
constexpr std::size_t kMaxValue = std::size_t{16} << 20;
constexpr std::size_t kMaxMessage = 2 * kMaxValue + (std::size_t{1} << 20);
constexpr std::size_t kMaxHandshake = 1024;  // a message of one who is not admitted

std::string encode(const Message& message);

struct Decoded {
  enum class State { partial, whole, invalid } state = State::invalid;
  Message message = {};   // of a whole one
  std::size_t bytes = 0;  // that it takes
};
// The message at the front of `bytes`; one longer than `limit` is invalid as soon as its length is there.
Decoded decode(std::string_view bytes, std::size_t limit);

// What one process did when it was heard of last.
struct RankActivity {
  std::string what = {};                  // as its client's set_activity said; "" before that
  std::int64_t exchanges = 0;             // that it has begun
  std::chrono::milliseconds unchanged{};  // for so long
  std::chrono::milliseconds silent{};     // so long ago it was heard of, whatever it said
  bool operator==(const RankActivity&) const = default;
};
std::string to_row(const RankActivity& activity);
RankActivity from_row(std::string_view row);

}  // namespace peerless::cluster
