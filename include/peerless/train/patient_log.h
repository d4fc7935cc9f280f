// A file that lines are added to, and whose disk may fill up for a while: what cannot be written is kept, and written
// when that goes again. Losing a record must not end a run.
//
// Errors   IoError of the constructor; later ones are warnings, one when it begins to fail
// Memory   64 MiB of records at most; later ones are dropped, and a warning says how many once writing goes again
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "peerless/base/files.h"

namespace peerless {

class PatientLog {
 public:
  PatientLog(Files& files, std::filesystem::path file);

  void write(std::string_view text);  // one record
  void sync();                        // as far as the disk allows

 private:
  template <class Action>
  void attempt(const Action& action);
  void flush();

  Files& files_;
  std::filesystem::path file_;
  std::unique_ptr<OutputFile> open_;  // null after an error
  std::uint64_t size_ = 0;            // of what is written whole
  std::string pending_;
  std::int64_t dropped_ = 0;  // records, since writing began to fail
  bool failing_ = false;
};

}  // namespace peerless
