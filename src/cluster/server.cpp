#include "peerless/cluster/server.h"

#include <fcntl.h>

#include <algorithm>
#include <system_error>

#include "peerless/base/log.h"
#include "peerless/base/ranges.h"

namespace peerless::cluster {
namespace {

using Kind = Message::Kind;

constexpr std::size_t kMaxStrangers = 64;
constexpr int kAcceptsPerRound = 16;
constexpr std::chrono::milliseconds kFairTime{200};  // that the oldest stranger has, however many come
constexpr std::int64_t kWarnings = 10;               // in a second
constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::milliseconds kReportWaits{500};
constexpr std::chrono::milliseconds kRank0Waits{500};  // to hear of a loss, for those who do not take it in
constexpr std::size_t kEnoughUnsent = std::size_t{1} << 20;
constexpr std::size_t kTooMuchUnsent = std::size_t{128} << 20;
constexpr std::size_t kMaxSaid = 512;            // bytes of an activity or a reason
constexpr std::int64_t kMaxAge = 1'000'000'000;  // ms of an activity

std::chrono::milliseconds in_ms(Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

}  // namespace

Server::Server(int listening, Options options)
    : options_(std::move(options)),
      listening_(listening),
      members_(static_cast<std::size_t>(options_.world_size)),
      store_([this](std::int64_t client, const Message& answer) {
        post(client, answer);
        return !members_[static_cast<std::size_t>(client)].overdue;
      }) {
  PEERLESS_CHECK(options_.world_size > 0 && options_.world_size < std::int64_t{kMaxTexts}, "one row for each rank");
  ::fcntl(listening, F_SETFL, O_NONBLOCK);
  ::fcntl(listening, F_SETFD, FD_CLOEXEC);
  thread_ = std::thread([this] { run(); });
}

Server::~Server() {
  stopping_ = true;
  wakeup_.ring();
  thread_.join();
}

void Server::run() {
  try {
    while (!stopping_) round();
  } catch (const std::exception& error) {
    log::error("the coordinator failed: ", error.what());
  }
  if (members_[0].left) post_to_all({.kind = Kind::goodbye});
  for (auto& member : members_) member.link.reset();
}

void Server::round() {
  // Silence is judged by the time before all that is there was heard, and anew after a long pause: whoever spoke while
  // this process was stopped, or was stopped together with it, is not taken for silent.
  const auto now = Clock::now();
  std::vector<Link*> links;
  for (auto& stranger : strangers_) links.push_back(&stranger.link);
  for (auto& member : members_) {
    if (member.link) links.push_back(&*member.link);
  }
  if (now - last_round_ > options_.silence / 2) {
    for (auto* const link : links) link->count_silence_from(now);
    for (auto& member : members_) member.behind_since.reset();
  }
  last_round_ = now;
  std::vector<int> others = {wakeup_.descriptor()};
  if (now >= accepts_from()) others.push_back(listening_.descriptor());
  const auto until = next_round(now);
  wait_for(links, others, until);
  wakeup_.clear();
  hear_members();
  hear_strangers(now);
  accept_strangers();
  judge(now);
  tell_rank_0();
  store_.expire(Clock::now());
}

Time Server::next_round(Time now) const {
  const auto tick = std::min<Clock::duration>({kTick, options_.silence / 4, options_.handshake / 4});
  auto next = std::min(now + tick, store_.next_expiry());
  if (report_) next = std::min(next, report_->due);
  if (!verdict_.empty()) next = std::min(next, verdict_due_);
  return accepts_from() > now ? std::min(next, accepts_from()) : next;
}

// ---- strangers ------------------------------------------------------------------------------------------------------

void Server::accept_strangers() {
  const auto now = Clock::now();
  for (int i = 0; i < kAcceptsPerRound && now >= accepts_from(); ++i) {
    auto accepted = accept_from(listening_);
    if (!accepted) return;
    if (accepted->error != 0) {
      if (!strangers_.empty()) drop_oldest_stranger();
      log::warning("rank 0 can accept no connection for now: ", std::generic_category().message(accepted->error));
      accept_after_ = now + kTick;
      return;
    }
    if (strangers_.size() == kMaxStrangers) drop_oldest_stranger();
    Link link(std::move(accepted->socket), options_.silence, kMaxHandshake);
    strangers_.push_back({std::move(link), std::move(accepted->address), random_nonce(), now});
    auto& stranger = strangers_.back();
    stranger.link.post({.kind = Kind::challenge, .number = kProtocol, .texts = {stranger.nonce}});
  }
}

// Where there are too many strangers, the oldest makes room once it had its time.
Time Server::accepts_from() const {
  return strangers_.size() < kMaxStrangers ? accept_after_
                                           : std::max(accept_after_, strangers_.front().since + kFairTime);
}

void Server::drop_oldest_stranger() {
  warn(strangers_.front().address, "others came before it proved who it is");
  strangers_.pop_front();
}

void Server::hear_strangers(Time now) {
  strangers_.remove_if([&](Stranger& stranger) {
    try {
      if (!hear(stranger)) return true;
      if (now - stranger.since <= options_.handshake) return false;
      warn(stranger.address, concat("it did not prove who it is within ", in_seconds(options_.handshake)));
    } catch (const Error& error) {
      warn(stranger.address, error.what());
    }
    return true;
  });
  warn_of_the_rest(now);
}

bool Server::hear(Stranger& stranger) {
  stranger.link.exchange();
  const auto message = stranger.link.next();
  if (!message) return true;
  if (message->kind != Kind::hello) throw Error(ExitCode::peer, "it did not prove who it is");
  const Introduction hello{stranger.nonce, message->texts[0], message->rank, message->number, message->texts[2]};
  const auto refusal = objection(hello, message->texts[1]);
  if (refusal) {
    const auto code = static_cast<std::int64_t>(refusal->code());
    warn(stranger.address, refusal->what());
    stranger.link.post({.kind = Kind::refused, .number = code, .texts = {refusal->what()}});
    return false;
  }
  stranger.link.set_limits(kMaxMessage, kEnoughUnsent);
  stranger.link.post({.kind = Kind::welcome, .texts = {proof(options_.secret, Role::server, hello)}});
  auto& member = members_[static_cast<std::size_t>(hello.rank)];
  member = {.link = std::move(stranger.link), .active_since = Clock::now()};
  if (gathered_ || !missing().empty()) return false;
  gathered_ = true;
  post_to_all({.kind = Kind::gathered});
  return false;
}

// Error(peer): the client may come to the right coordinator later. Error(config): it never will.
std::optional<Error> Server::objection(const Introduction& hello, std::string_view proof) const {
  const auto world_size = options_.world_size;
  if (!is_proof(proof, options_.secret, Role::client, hello)) {
    return Error(ExitCode::config, "the secret is not that of rank 0; give all processes the same one");
  }
  if (hello.attempt != options_.attempt) {
    constexpr std::size_t kShown = 64;  // so that it fits what a client takes from a stranger
    return Error(ExitCode::peer, "attempt '", printable(hello.attempt.substr(0, kShown)), "' is not that of rank 0, '",
                 printable(options_.attempt.substr(0, kShown)), "'");
  }
  if (!over_.empty()) return Error(ExitCode::peer, "the run is over: ", over_);
  if (hello.world_size != world_size) {
    return Error(ExitCode::config, "a world of ", hello.world_size, " processes, where that of rank 0 has ", world_size,
                 "; start all with the same number");
  }
  if (hello.rank < 0 || hello.rank >= world_size) {
    return Error(ExitCode::config, "there is no rank ", hello.rank, " among ", world_size, " processes");
  }
  const auto& member = members_[static_cast<std::size_t>(hello.rank)];
  if (!member.link && !member.left) return std::nullopt;
  // Until all have come, and of one that has left, it may be the same process, started again.
  return Error(member.left || !gathered_ ? ExitCode::peer : ExitCode::config, "another process is rank ", hello.rank,
               " already; give each a rank of its own");
}

void Server::warn(std::string_view address, std::string_view why) {
  warn_of_the_rest(Clock::now());
  if (++warned_ <= kWarnings) log::warning("refused ", address, ": ", why);
}

void Server::warn_of_the_rest(Time now) {
  if (now - warned_since_ < std::chrono::seconds(1)) return;
  if (warned_ > kWarnings) log::warning("refused ", warned_ - kWarnings, " more connections");
  warned_since_ = now;
  warned_ = 0;
}

// ---- members --------------------------------------------------------------------------------------------------------

void Server::hear_members() {
  for (std::int64_t rank = 0; rank < options_.world_size; ++rank) {
    auto& link = members_[static_cast<std::size_t>(rank)].link;
    if (!link) continue;
    try {
      link->exchange();
      while (auto message = link->next()) handle(rank, std::move(*message));
      if (members_[static_cast<std::size_t>(rank)].overdue)
        throw Error(ExitCode::peer, "it does not read what it asked for");
    } catch (const Error& error) {
      depart(rank, error.what());
    }
  }
}

void Server::handle(std::int64_t rank, Message message) {
  auto& member = members_[static_cast<std::size_t>(rank)];
  const auto now = Clock::now();
  switch (message.kind) {
    case Kind::beat:
      if (member.left) return;
      if (!message.texts.empty()) member.activity = message.texts[0].substr(0, kMaxSaid);
      if (static_cast<std::int64_t>(message.id) != member.exchanges) member.behind_since.reset();
      member.exchanges = static_cast<std::int64_t>(message.id);
      member.active_since = now - std::chrono::milliseconds(std::clamp<std::int64_t>(message.number, 0, kMaxAge));
      if (gathered_) return post(rank, {.kind = Kind::beat});
      return post(rank, {.kind = Kind::waiting, .texts = {missing()}});
    case Kind::report:
      note_report(rank, message);
      if (message.id != 0) post(rank, {.kind = Kind::reply, .id = message.id});
      return;
    case Kind::goodbye:
      member.left = true;
      member.activity = "has left";
      member.active_since = now;
      return post(rank, {.kind = Kind::reply, .id = message.id});
    default:
      if (!Store::handles(message.kind)) throw Error(ExitCode::peer, "it sent what no client sends");
      return store_.handle(rank, std::move(message), now);
  }
}

void Server::note_report(std::int64_t reporter, const Message& report) {
  if (!gathered_ || report.rank < 0 || report.rank >= options_.world_size) return;
  members_[static_cast<std::size_t>(reporter)].reported = true;
  if (report.rank == reporter)
    return lose(reporter, concat("it failed: ", printable(report.texts[0].substr(0, kMaxSaid))));
  if (report_) return;
  report_ = {report.rank, concat("rank ", reporter, " reports: ", printable(report.texts[0].substr(0, kMaxSaid))),
             Clock::now() + kReportWaits};
}

void Server::judge(Time now) {
  if (report_ && now >= report_->due) lose(report_->rank, report_->why);
  for (std::int64_t rank = 0; rank < options_.world_size; ++rank) {
    const auto& member = members_[static_cast<std::size_t>(rank)];
    if (!member.link || member.left) continue;
    const auto silent = now - member.link->heard();
    if (silent <= options_.silence) continue;
    const auto why = concat("it was silent for ", in_seconds(silent));
    // The connection stays: one that was only stopped must hear that it is lost.
    gathered_ ? lose(rank, why) : depart(rank, why);
  }
  if (gathered_) judge_progress(now);
}

void Server::judge_progress(Time now) {
  std::int64_t most = 0;
  for (const auto& member : members_) most = std::max(most, member.exchanges);
  const Member* last = nullptr;
  for (auto& member : members_) {
    const bool behind = member.link && !member.left && member.exchanges < most;
    member.behind_since = behind ? std::optional(member.behind_since.value_or(now)) : std::nullopt;
    if (behind && (last == nullptr || member.exchanges < last->exchanges)) last = &member;
  }
  if (last == nullptr || now - *last->behind_since <= options_.patience) return;
  lose(last - members_.data(), concat("the others have waited ", in_seconds(now - *last->behind_since),
                                      " for it to begin exchange ", last->exchanges + 1));
}

void Server::depart(std::int64_t rank, const std::string& why) {
  auto& member = members_[static_cast<std::size_t>(rank)];
  member.link.reset();
  store_.forget(rank);
  if (member.left) return;
  if (!gathered_) {
    log::warning("rank ", rank, " went away before all had come: ", why);
  } else if (report_ && member.reported) {
    lose(report_->rank, report_->why);
  } else {
    lose(rank, why);
  }
}

void Server::lose(std::int64_t rank, std::string why) {
  report_.reset();
  if (!over_.empty()) return;
  over_ = concat("rank ", rank, " is lost: ", why);
  Message message{.kind = Kind::lost, .rank = rank, .texts = rows()};
  message.texts.insert(message.texts.begin(), why);
  verdict_ = encode(message);
  verdict_due_ = Clock::now() + kRank0Waits;
  for (auto member = members_.begin() + 1; member != members_.end(); ++member) {
    if (member->link) member->link->post(verdict_);
  }
}

// What rank 0 hears may end its process, and with it this thread: the others have it before.
void Server::tell_rank_0() {
  const auto has_it = [](const Member& member) { return !member.link || member.link->unsent() == 0; };
  if (verdict_.empty() || (Clock::now() < verdict_due_ && !std::all_of(members_.begin() + 1, members_.end(), has_it))) {
    return;
  }
  if (members_[0].link) members_[0].link->post(verdict_);
  verdict_.clear();
}

// ---- what is said ---------------------------------------------------------------------------------------------------

// One value that is set may answer many requests, long before their member is heard again.
void Server::post(std::int64_t rank, const Message& message) {
  auto& member = members_[static_cast<std::size_t>(rank)];
  if (!member.link || member.overdue) return;
  member.link->post(message);
  member.overdue = member.link->unsent() > kTooMuchUnsent;
}

void Server::post_to_all(const Message& message) {
  for (std::int64_t rank = 0; rank < options_.world_size; ++rank) post(rank, message);
}

std::string Server::missing() const {
  std::vector<std::int64_t> ranks;
  for (std::int64_t rank = 0; rank < options_.world_size; ++rank) {
    if (!members_[static_cast<std::size_t>(rank)].link) ranks.push_back(rank);
  }
  return ranges(ranks);
}

std::vector<std::string> Server::rows() const {
  const auto now = Clock::now();
  std::vector<std::string> rows;
  for (const auto& member : members_) {
    const auto heard = member.link ? member.link->heard() : member.active_since;
    rows.push_back(
        to_row({printable(member.activity), member.exchanges, in_ms(now - member.active_since), in_ms(now - heard)}));
  }
  return rows;
}

}  // namespace peerless::cluster
