// What comes from the network: frames, and requests to the coordinator's store by members who do as they like.
#include "peerless/cluster/message.h"

#include "peerless/cluster/store.h"
#include "tests/fuzz/targets.h"

namespace peerless::fuzz {
namespace {

using namespace cluster;

void check_answer(const Message& answer) {
  const auto bytes = encode(answer);
  const auto decoded = decode(bytes, kMaxMessage);
  PEERLESS_CHECK(decoded.state == Decoded::State::whole && decoded.message == answer, "another answer");
  if (answer.kind == Message::Kind::failed) check_message(answer.texts[0]);
}

// Members by turns ask what the frames say; time passes between them. Whether there is nothing else than frames.
bool ask_store(std::string_view bytes) {
  Store store([](std::int64_t, const Message& answer) {
    check_answer(answer);
    return true;
  });
  Time now{};
  for (std::int64_t client = 0;; client = (client + 1) % 3) {
    const auto decoded = decode(bytes, kMaxMessage);
    if (decoded.state != Decoded::State::whole) return bytes.empty();
    PEERLESS_CHECK(decoded.bytes <= bytes.size(), decoded.bytes, " of ", bytes.size(), " bytes");
    PEERLESS_CHECK(encode(decoded.message) == bytes.substr(0, decoded.bytes), "encoded otherwise");
    bytes.remove_prefix(decoded.bytes);
    if (Store::handles(decoded.message.kind)) store.handle(client, decoded.message, now);
    if (decoded.message.kind == Message::Kind::goodbye) store.forget(client);
    now += std::chrono::milliseconds(100);
    store.expire(now);
    PEERLESS_CHECK(store.next_expiry() > now, "somebody waits for too long");
  }
}

}  // namespace

bool messages(Bytes bytes) {
  const auto text = text_of(bytes);
  const auto stranger = decode(text, kMaxHandshake);
  PEERLESS_CHECK(stranger.bytes <= kMaxHandshake + 4, "a stranger's message of ", stranger.bytes, " bytes");
  const auto row = from_row(text);
  PEERLESS_CHECK(from_row(to_row(row)) == row, "another row");
  return ask_store(text);
}

}  // namespace peerless::fuzz
