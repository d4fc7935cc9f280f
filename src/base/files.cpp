#include "peerless/base/files.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "peerless/base/log.h"

namespace peerless {
namespace {

std::string reason(int system_error) {
  return system_error == 0 ? "the file ends before" : std::generic_category().message(system_error);
}

std::filesystem::path temporary_of(const std::filesystem::path& file) { return hidden_beside(file, ".tmp"); }

std::unique_ptr<OutputFile> create_again(Files& files, const std::filesystem::path& file) {
  if (exists(files, file)) files.remove(file);  // left by a writer that died
  return files.create(file);
}

}  // namespace

IoError::IoError(ExitCode code, std::string_view operation, const std::filesystem::path& path, int system_error)
    : Error(code, printable(path.string()), ": cannot ", operation, ": ", reason(system_error)),
      system_error_(system_error) {}

std::filesystem::path without_slash(const std::filesystem::path& entry) {
  return entry.has_filename() ? entry : entry.parent_path();
}

std::filesystem::path folder_of(const std::filesystem::path& entry) {
  return entry.has_parent_path() ? entry.parent_path() : ".";
}

std::filesystem::path hidden_beside(const std::filesystem::path& entry, std::string_view suffix) {
  return folder_of(entry) / concat(".", entry.filename(), suffix);
}

bool exists(const Files& files, const std::filesystem::path& entry) { return files.info(entry).has_value(); }

void make_folders(Files& files, const std::filesystem::path& folder) {
  if (folder.empty() || exists(files, folder)) return;
  if (folder.filename().empty()) return make_folders(files, folder.parent_path());  // "a/b/" means "a/b"
  make_folders(files, folder.parent_path());
  try {
    files.make_folder(folder);
  } catch (const IoError& error) {
    const auto now = files.info(folder);  // somebody else may have made it since
    if (error.system_error() != EEXIST || !now || now->kind != FileInfo::Kind::folder) throw;
  }
  files.sync_folder(folder_of(folder));
}

void sync_way_to(Files& files, const std::filesystem::path& folder) {
  for (auto at = std::filesystem::absolute(folder).lexically_normal(); at.has_relative_path(); at = at.parent_path())
    try {
      files.sync_folder(at.parent_path());
    } catch (const IoError& error) {
      const bool may_not = error.system_error() == EACCES || error.system_error() == EPERM;
      if (!may_not) log::warning(error.what());
    }
}

void remove_tree(Files& files, const std::filesystem::path& entry) {
  const auto info = files.info(entry);
  if (!info) return;
  if (info->kind == FileInfo::Kind::folder) {
    for (const auto& name : files.list(entry)) remove_tree(files, entry / name);
  }
  files.remove(entry);
}

std::string read_text(const Files& files, const std::filesystem::path& file, std::uint64_t limit) {
  const auto input = files.open(file);
  if (input->size() > limit) {
    throw Error(ExitCode::data, printable(file.string()), ": must not exceed ", limit, " bytes, got ", input->size());
  }
  std::string text(input->size(), '\0');
  input->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

AtomicFile::AtomicFile(Files& files, std::filesystem::path file)
    : files_(files), file_(std::move(file)), output_(create_again(files, temporary_of(file_))) {}

void AtomicFile::commit() {
  output_->sync();
  output_->close();
  files_.rename(temporary_of(file_), file_);
  files_.sync_folder(folder_of(file_));
}

void write_atomically(Files& files, const std::filesystem::path& file, std::string_view content) {
  AtomicFile output(files, file);
  output.write(content);
  output.commit();
}

void expect_new(Files& files, const std::filesystem::path& file) {
  const auto refuse = [&](const char* why) { throw Error(ExitCode::output, printable(file.string()), ": ", why); };
  if (!file.has_filename()) refuse("names a folder; name a file");
  if (exists(files, file)) refuse("already there; remove it, or name another file");
  make_folders(files, folder_of(file));
  sync_way_to(files, file);
  create_again(files, temporary_of(file))->close();
  files.remove(temporary_of(file));
}

}  // namespace peerless
