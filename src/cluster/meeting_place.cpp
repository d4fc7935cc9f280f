#include "peerless/cluster/meeting_place.h"

#include <charconv>

#include "peerless/base/files.h"
#include "peerless/base/hash.h"
#include "peerless/cluster/network.h"
#include "peerless/cluster/proof.h"

namespace peerless {
namespace {

constexpr const char* kLoopback = "127.0.0.1";
constexpr std::size_t kMaxText = 1024;

// "HOST PORT DIGITS": a start is named by all of it, so that who is sent to another address by a forged text proves
// himself for another attempt than rank 0's.
std::string name_start(const std::string& host, std::uint16_t port) {
  return concat(host, " ", port, " ", digest(cluster::random_nonce()).hex());
}

// None where it is no start and the end of a line: half a file, or another one.
std::optional<cluster::Address> from_text(const std::string& text) {
  const auto start = text.substr(0, text.find('\n'));
  const auto parts = split(start, ' ');
  if (parts.size() != 3 || !text.ends_with('\n')) return std::nullopt;
  cluster::Address address{parts[0], 0, start};
  const auto* const last = parts[1].data() + parts[1].size();
  const auto [end, error] = std::from_chars(parts[1].data(), last, address.port);
  if (error != std::errc() || end != last) return std::nullopt;
  return address;
}

}  // namespace

Board file_board(const std::filesystem::path& file) {
  return {[file](const std::string& text) { write_atomically(disk(), file, text); },
          [file]() -> std::optional<std::string> {
            try {
              if (!exists(disk(), file)) return std::nullopt;
              return read_text(disk(), file, kMaxText);
            } catch (const Error& error) {
              throw Error(ExitCode::peer, error.what());  // it may be readable at the next attempt
            }
          }};
}

MeetingPlace::MeetingPlace(const Launch& launch, std::optional<Board> board)
    : launch_(launch), board_(std::move(board)) {
  PEERLESS_CHECK(board_ || launch.port != 0, "a launch by ", launch.launcher, " has no place to meet");
}

MeetingPlace::Opened MeetingPlace::open() {
  const int listening = listen_at(host(), board_ ? std::uint16_t{0} : launch_.port);
  cluster::Address address{host(), port_of(listening)};
  if (board_) address.start = name_start(address.host, address.port);
  if (board_) board_->write(address.start + "\n");
  return {listening, std::move(address)};
}

std::optional<cluster::Address> MeetingPlace::find() const {
  if (!board_) return cluster::Address{host_of_rank_0(), launch_.port};
  const auto text = board_->read();
  return text ? from_text(*text) : std::nullopt;
}

std::string MeetingPlace::host() const {
  if (launch_.one_host()) return kLoopback;
  if (launch_.host.empty()) return host_address();
  if (is_loopback(launch_.host)) return launch_.host;  // said on purpose: the others will ask there
  const auto address = local_address_towards(launch_.host);
  return is_loopback(address) ? host_address() : address;
}

std::string MeetingPlace::host_of_rank_0() const {
  if (launch_.one_host()) return kLoopback;
  const bool is_this_host = !is_loopback(launch_.host) && is_loopback(local_address_towards(launch_.host));
  return is_this_host ? host_address() : launch_.host;
}

}  // namespace peerless
