#include "peerless/cluster/client.h"

#include <algorithm>
#include <limits>

#include "peerless/base/error.h"

namespace peerless::cluster {
namespace {

using Kind = Message::Kind;

constexpr std::chrono::seconds kGoodbye{2};
constexpr std::chrono::milliseconds kFirstPause{20};
constexpr std::chrono::milliseconds kLongestPause{1000};
constexpr std::chrono::seconds kLongestConnect{10};
constexpr std::chrono::milliseconds kBetweenQuestions{200};  // of stopped()
constexpr std::size_t kMaxAttempt = 512;

std::int64_t in_ms(Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

Loss to_loss(const Message& message) {
  Loss loss{message.rank, printable(message.texts[0])};
  for (std::size_t i = 1; i < message.texts.size(); ++i) loss.activities.push_back(from_row(message.texts[i]));
  return loss;
}

}  // namespace

Client::Client(Options options) : options_(std::move(options)), beat_(std::min(options_.beat, options_.silence / 5)) {
  meet();
  thread_ = std::thread([this] { watch(); });
}

Client::~Client() { stop(); }

// ---- meeting --------------------------------------------------------------------------------------------------------

void Client::meet() {
  const auto until = Clock::now() + options_.timeout;
  std::string trouble;
  for (auto pause = kFirstPause; stage_ != Stage::gathered; pause = std::min(2 * pause, kLongestPause)) {
    try {
      try_to_meet(until);
      trouble.clear();
    } catch (const Error& error) {
      if (error.code() != ExitCode::peer) throw;
      trouble = error.what();
    }
    if (stage_ == Stage::gathered) return;
    check_stopped();
    const auto next = Clock::now() + pause;
    if (next >= until) {
      throw Error(ExitCode::peer, "rank ", options_.rank, " waited ", in_seconds(options_.timeout), " for the ",
                  options_.world_size, " processes of this run", missing_.empty() ? "" : "; missing ranks: ", missing_,
                  trouble.empty() ? "" : "; ", trouble);
    }
    std::this_thread::sleep_until(next);
  }
}

// Error(peer): it may go better later.
void Client::try_to_meet(Time until) {
  stage_ = Stage::unknown;
  const auto address = options_.address();
  if (!address) throw Error(ExitCode::peer, "the address of rank 0 is not known yet");
  attempt_ = options_.attempt + address->start;
  if (attempt_.size() > kMaxAttempt)
    throw Error(ExitCode::config, "the name of the attempt has ", attempt_.size(), " bytes, at most ", kMaxAttempt,
                " are possible: '", printable(attempt_.substr(0, 40)), "...'");
  const auto place = concat("rank 0 at ", printable(address->host), ":", address->port);
  const auto soon = std::min(until, Clock::now() + kLongestConnect);
  link_.emplace(connect_to(address->host, address->port, soon), options_.silence, kMaxHandshake);
  const auto give_up = std::min(until, Clock::now() + options_.handshake);
  try {
    while (stage_ < Stage::admitted && Clock::now() < give_up) meet_a_little(give_up);
    if (stage_ < Stage::admitted) throw Error(ExitCode::peer, "it does not answer");
    while (stage_ < Stage::gathered && Clock::now() < until) meet_a_little(until);
  } catch (const Error& error) {
    if (error.code() == ExitCode::preempted) throw;
    throw Error(error.code(), place, ": ", error.what());
  }
}

void Client::meet_a_little(Time until) {
  check_stopped();
  round(std::min(until, Clock::now() + kBetweenQuestions));
}

void Client::check_stopped() const {
  if (options_.stopped()) throw Error(ExitCode::preempted, "asked to stop while it waited for the other processes");
}

void Client::shake_hands(const Message& message) {
  if (message.kind == Kind::refused) {
    const auto code = message.number == static_cast<std::int64_t>(ExitCode::config) ? ExitCode::config : ExitCode::peer;
    throw Error(code, "refused: ", printable(message.texts[0]));
  }
  if (message.kind == Kind::challenge && stage_ == Stage::unknown) {
    if (message.number != kProtocol) {
      throw Error(ExitCode::config, "it speaks version ", message.number, " of the protocol, this process version ",
                  kProtocol, "; run the same program everywhere");
    }
    introduction_ = {message.texts[0], random_nonce(), options_.rank, options_.world_size, attempt_};
    link_->post({.kind = Kind::hello,
                 .rank = options_.rank,
                 .number = options_.world_size,
                 .texts = {introduction_.client_nonce, proof(options_.secret, Role::client, introduction_), attempt_}});
    stage_ = Stage::challenged;
  } else if (message.kind == Kind::welcome && stage_ == Stage::challenged) {
    if (!is_proof(message.texts[0], options_.secret, Role::server, introduction_)) {
      throw Error(ExitCode::peer, "it does not know the secret");
    }
    link_->set_limits(kMaxMessage, std::numeric_limits<std::size_t>::max());
    stage_ = Stage::admitted;
    next_beat_ = Clock::now();
  } else {
    throw Error(ExitCode::peer, "it is no coordinator");
  }
}

// ---- the thread -----------------------------------------------------------------------------------------------------

void Client::watch() {
  try {
    while (!stopping_ && !verdict_ && !rank_0_left_) round(Time::max());
  } catch (const std::exception& error) {
    verdict_ = Loss{0, error.what()};
  }
  {
    const std::lock_guard lock(mutex_);
    if (leaving_ || stopping_) verdict_.reset();
    if (verdict_) verdict_->activity = activity_;
  }
  if (verdict_ && options_.on_loss) options_.on_loss(*verdict_);
  {
    const std::lock_guard lock(mutex_);
    loss_ = verdict_;
    end_ = loss_ ? loss_->text() : rank_0_left_ ? "rank 0 has left" : "this process has left the run";
  }
  answered_.notify_all();
}

void Client::round(Time until) {
  // Silence is judged as the server does it.
  const auto now = Clock::now();
  if (now - std::exchange(last_round_, now) > options_.silence / 2) link_->count_silence_from(now);
  if (stage_ >= Stage::admitted) {
    std::unique_lock lock(mutex_);
    auto out = std::exchange(outbox_, {});
    if (now >= next_beat_) {
      out += encode({.kind = Kind::beat, .id = exchanges_, .number = in_ms(now - active_since_), .texts = {activity_}});
      next_beat_ = now + beat_;
    }
    lock.unlock();
    link_->post(out);
    until = std::min({until, next_beat_, now + options_.silence / 4});
  }
  wait_for({&*link_}, {wakeup_.descriptor()}, until);
  wakeup_.clear();
  link_->exchange();
  while (auto message = link_->next()) handle(std::move(*message));
  const auto silent = now - link_->heard();
  if (silent > options_.silence) throw Error(ExitCode::peer, "it was silent for ", in_seconds(silent));
}

void Client::handle(Message message) {
  if (stage_ < Stage::admitted) return shake_hands(message);
  switch (message.kind) {
    case Kind::beat:
      return;
    case Kind::waiting:
      missing_ = printable(message.texts[0]);
      return;
    case Kind::gathered:
      stage_ = Stage::gathered;
      return;
    case Kind::lost:
      verdict_ = to_loss(message);
      return;
    case Kind::goodbye:
      rank_0_left_ = true;
      return;
    case Kind::reply:
    case Kind::failed: {
      const std::lock_guard lock(mutex_);
      const auto call = calls_.find(message.id);
      if (call != calls_.end()) call->second = std::move(message);
      answered_.notify_all();
      return;
    }
    default:
      throw Error(ExitCode::peer, "it sent what no server sends");
  }
}

void Client::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  wakeup_.ring();
  thread_.join();
  link_.reset();
}

// ---- requests -------------------------------------------------------------------------------------------------------

Message Client::call(Message request, std::optional<std::size_t> texts, std::optional<Milliseconds> patience) {
  request.id = ++last_id_;
  const auto encoded = encode(request);
  if (encoded.size() > kMaxMessage) {
    throw Error(ExitCode::internal, "the store takes no request of ", encoded.size(), " bytes, at most ", kMaxMessage);
  }
  std::unique_lock lock(mutex_);
  const auto call = calls_.emplace(request.id, std::nullopt).first;
  outbox_ += encoded;
  wakeup_.ring();
  const auto is_over = [&] { return call->second || !end_.empty(); };
  patience ? void(answered_.wait_for(lock, *patience, is_over)) : answered_.wait(lock, is_over);
  const auto answer = std::move(call->second);
  calls_.erase(call);
  if (!answer) throw Error(ExitCode::peer, end_);
  if (answer->kind == Kind::failed) {
    const bool is_ours = answer->number == static_cast<std::int64_t>(ExitCode::internal);
    throw Error(is_ours ? ExitCode::internal : ExitCode::peer, printable(answer->texts[0]));
  }
  if (texts && answer->texts.size() != *texts) throw Error(ExitCode::peer, "rank 0 sent an answer that is none");
  return *answer;
}

void Client::set(const std::string& key, const std::string& value) { call({.kind = Kind::set, .texts = {key, value}}); }

void Client::append(const std::string& key, const std::string& value) {
  call({.kind = Kind::append, .texts = {key, value}});
}

std::string Client::get(const std::string& key, Milliseconds timeout) { return std::move(get_all({key}, timeout)[0]); }

std::vector<std::string> Client::get_all(const Keys& keys, Milliseconds timeout) {
  return call({.kind = Kind::get, .number = timeout.count(), .texts = keys}, keys.size()).texts;
}

void Client::wait(const Keys& keys, Milliseconds timeout) {
  call({.kind = Kind::wait, .number = timeout.count(), .texts = keys});
}

bool Client::check(const Keys& keys) { return call({.kind = Kind::check, .texts = keys}).number == 1; }

std::int64_t Client::add(const std::string& key, std::int64_t number) {
  return call({.kind = Kind::add, .number = number, .texts = {key}}).number;
}

std::string Client::compare_set(const std::string& key, const std::string& expected, const std::string& desired) {
  return call({.kind = Kind::compare_set, .texts = {key, expected, desired}}, 1).texts[0];
}

bool Client::remove(const std::string& key) { return call({.kind = Kind::remove, .texts = {key}}).number == 1; }

std::int64_t Client::num_keys() { return call({.kind = Kind::count}).number; }

// ---- watching over each other ---------------------------------------------------------------------------------------

void Client::set_activity(std::string activity) {
  const std::lock_guard lock(mutex_);
  activity_ = std::move(activity);
  active_since_ = Clock::now();
}

std::optional<Loss> Client::wait_for_loss(Milliseconds timeout) {
  std::unique_lock lock(mutex_);
  answered_.wait_for(lock, timeout, [&] { return !end_.empty(); });
  return loss_;
}

void Client::report_lost(std::int64_t rank, const std::string& why) {
  const auto report = encode({.kind = Kind::report, .rank = rank, .texts = {why}});
  const std::lock_guard lock(mutex_);
  outbox_ += report;
  wakeup_.ring();
}

void Client::goodbye() { part({.kind = Kind::goodbye}); }

void Client::fail(const std::string& why) { part({.kind = Kind::report, .rank = options_.rank, .texts = {why}}); }

void Client::part(Message last_word) {
  {
    const std::lock_guard lock(mutex_);
    if (leaving_ || !end_.empty()) return;
    leaving_ = true;
  }
  try {
    call(std::move(last_word), std::nullopt, kGoodbye);
  } catch (const Error&) {
    // A server that does not answer any more has nobody to tell.
  }
  stop();
}

}  // namespace peerless::cluster
