// Raw text on disk as a stream of documents.
//
//   .jsonl        one JSON object per line, one document each: its text is a field, "text" by default; blank lines pass
//   other files   one document per file
//
// Inputs     Files, folders (searched through, for files of the given suffixes) and globs. Files come in the order of
//            the bytes of their normal paths, each once: "a.txt", "./b/../a.txt" and a link to it are one. Within
//            folders, links are passed over; an input itself may be one.
// Memory     One document at a time: a .jsonl is streamed. A document has at most 1 GiB.
// Invalid    A document that is not UTF-8 is handed on as it is: it is for the caller to leave out and to count.
// Errors     no_input  an input is absent or unreadable, or nothing fits
//            data      a line that is no JSON object with the text; a document above 1 GiB; with file and line
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peerless/base/files.h"

namespace peerless {

struct TextSources {
  std::vector<std::string> inputs;
  std::vector<std::string> suffixes = {".txt", ".jsonl"};  // what counts inside folders
  std::string field = "text";
};

struct TextFiles {
  std::vector<std::filesystem::path> paths = {};  // in order
  std::int64_t passed_over = 0;                   // files in folders that have none of the suffixes
};
TextFiles text_files(const TextSources& sources);

// A document as it lies in the file: of a .jsonl, its line.
struct RawDocument {
  std::filesystem::path file;
  std::uint64_t line = 0;  // from 1; 0 when the file is the document
  std::string bytes;

  std::string where() const;  // "file" or "file:line", for messages
};

class DocumentReader {
 public:
  explicit DocumentReader(const TextSources& sources);

  std::optional<RawDocument> next();

  std::int64_t passed_over() const { return passed_over_; }
  std::uint64_t bytes_read() const { return bytes_read_; }    // so far
  std::uint64_t total_bytes() const { return total_bytes_; }  // of all files, when it began

 private:
  std::optional<std::string> next_line();
  RawDocument whole_file();

  std::vector<std::filesystem::path> paths_;
  std::size_t next_path_ = 0;
  std::unique_ptr<InputFile> file_;  // the .jsonl being read
  std::uint64_t offset_ = 0, line_ = 0;
  std::string buffer_;  // read, from `begin_` on not yet handed out
  std::size_t begin_ = 0;
  std::int64_t passed_over_ = 0;
  std::uint64_t bytes_read_ = 0, total_bytes_ = 0;
};

// The text of a document that is UTF-8; of a .jsonl line, the field's value.
std::string text_of(RawDocument document, const std::string& field);

}  // namespace peerless
