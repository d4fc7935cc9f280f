// One log for the whole program: standard error, and the run's log.txt once it is opened.
//
// A failure to write a log line never stops the program. Thread-safe. log.txt is the one file that is not written
// through `Files`: nothing is ever read back from it, so that it need not be durable, and lines must not wait for the
// disk.
#pragma once

#include <filesystem>
#include <string>

#include "peerless/base/text.h"

namespace peerless::log {

enum class Level { info, warning, error };

// From now on: lines begin with this ("process 3: "), and info is not written. For the processes beside the first.
void only_warnings_of(const std::string& speaker);

// Also appends every later line to `path`.
void open_file(const std::filesystem::path& path);
void close_file();

// Writes one line now and flushes it: what is logged is what a crash leaves behind.
void write(Level level, const std::string& line);

// The same for the file alone, where there is one: what the screen shows by other means.
void write_to_file(Level level, const std::string& line);

template <class... Parts>
void info(const Parts&... parts) {
  write(Level::info, concat(parts...));
}
template <class... Parts>
void warning(const Parts&... parts) {
  write(Level::warning, concat(parts...));
}
template <class... Parts>
void error(const Parts&... parts) {
  write(Level::error, concat(parts...));
}

}  // namespace peerless::log
