#include "peerless/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>
#include <mutex>

namespace peerless::log {
namespace {

// The line goes in as an argument: user text is never a format.
constexpr const char* kLine = "{}{}{}";

struct Log {
  std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  spdlog::logger logger{"peerless", sinks};
  std::mutex mutex;  // guards `file`
  spdlog::sink_ptr file;
  std::string speaker;  // set before there are other threads

  Log() {
    auto screen = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    screen->set_pattern("%H:%M:%S %v");
    sinks->add_sink(std::move(screen));
    logger.flush_on(spdlog::level::trace);
    logger.set_error_handler([](const std::string&) {});
  }
};

// Never destroyed: threads may log while the program ends.
Log& instance() {
  static Log& log = *new Log();
  return log;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

const char* prefix(Level level) {
  switch (level) {
    case Level::info:
      return "";
    case Level::warning:
      return "warning: ";
    case Level::error:
      return "error: ";
  }
  return "";
}

}  // namespace

void only_warnings_of(const std::string& speaker) {
  instance().speaker = speaker;
  instance().logger.set_level(spdlog::level::warn);
}

void open_file(const std::filesystem::path& path) {
  close_file();
  auto& log = instance();
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    file->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %v");
    const std::lock_guard lock(log.mutex);
    log.file = file;
    log.sinks->add_sink(std::move(file));
  } catch (const spdlog::spdlog_ex&) {
    warning(path, ": cannot open the log file; this run logs to the terminal only");
  }
}

void close_file() {
  auto& log = instance();
  const std::lock_guard lock(log.mutex);
  if (log.file) log.sinks->remove_sink(log.file);
  log.file.reset();
}

void write(Level level, const std::string& line) {
  auto& log = instance();
  log.logger.log(spdlog_level(level), kLine, log.speaker, prefix(level), printable(line));
}

void write_to_file(Level level, const std::string& line) {
  auto& log = instance();
  const std::lock_guard lock(log.mutex);
  if (!log.file) return;
  spdlog::logger file("peerless", log.file);
  file.flush_on(spdlog::level::trace);
  file.set_error_handler([](const std::string&) {});
  file.log(spdlog_level(level), kLine, log.speaker, prefix(level), printable(line));
}

}  // namespace peerless::log
