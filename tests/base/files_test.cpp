#include "peerless/base/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>

#include "tests/support/complaint.h"
#include "tests/support/memory_files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void write(const fs::path& file, std::string_view content) {
    const auto output = files.create(file);
    output->write(content);
    output->close();
  }

  std::string read(const fs::path& file) { return read_text(files, file, 1 << 20); }

  // The message of the Error that `action` throws, its code in front; the folder's name is TMP.
  template <class Action>
  std::string failure(const Action& action) {
    auto [code, what] = test::complaint(action);
    for (std::size_t at; (at = what.find(folder.path().string())) != std::string::npos;) {
      what.replace(at, folder.path().string().size(), "TMP");
    }
    return concat(name(code), " ", what);
  }

  static mode_t mode(const fs::path& entry) {
    struct stat status;
    return ::lstat(entry.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }

  TemporaryFolder folder;
  Files& files = disk();
};

TEST_F(FilesTest, WhatWasWrittenIsRead) {
  const auto output = files.create(folder / "a");
  output->reserve(1 << 20);
  output->write("hello ");
  output->write("world");
  output->sync();
  output->close();
  EXPECT_EQ(read(folder / "a"), "hello world");  // reserving did not change the size

  const auto input = files.open(folder / "a");
  std::array<char, 3> middle;
  input->read(4, std::as_writable_bytes(std::span(middle)));
  EXPECT_EQ(std::string_view(middle.data(), 3), "o w");
}

TEST_F(FilesTest, ReadingPastTheEndSaysSo) {
  write(folder / "a", "hello");
  std::array<std::byte, 4> into;
  EXPECT_EQ(failure([&] { files.open(folder / "a")->read(3, into); }),
            "IO TMP/a: cannot read 2 bytes at offset 5: the file ends before");
}

TEST_F(FilesTest, ModesDoNotDependOnTheUmask) {
  for (const mode_t mask : {0777, 0077, 0000}) {
    const mode_t before = ::umask(mask);
    write(folder / "file", "");
    files.append(folder / "log")->close();
    files.lock(folder / "lock", "me");
    files.make_folder(folder / "folder");
    ::umask(before);
    for (const char* name : {"file", "log", "lock"}) EXPECT_EQ(mode(folder / name), 0640u) << name;
    EXPECT_EQ(mode(folder / "folder"), 0750u);
    for (const auto& name : files.list(folder.path())) files.remove(folder / name);
  }
}

TEST_F(FilesTest, CreatingNeverReplacesNorFollowsALink) {
  write(folder / "a", "old");
  fs::create_symlink("missing", folder / "link");
  EXPECT_EQ(failure([&] { files.create(folder / "a"); }), "OUTPUT TMP/a: cannot create: File exists");
  EXPECT_EQ(failure([&] { files.create(folder / "link"); }), "OUTPUT TMP/link: cannot create: File exists");
  EXPECT_EQ(failure([&] { files.append(folder / "link"); }),
            "OUTPUT TMP/link: cannot append: Too many levels of symbolic links");
  EXPECT_EQ(failure([&] { files.create(folder / "no/where"); }),
            "OUTPUT TMP/no/where: cannot create: No such file or directory");
  EXPECT_FALSE(exists(files, folder / "missing"));
}

TEST_F(FilesTest, AppendingMakesTheFileOrContinuesIt) {
  files.append(folder / "log")->write("one\n");
  files.append(folder / "log")->write("two\n");
  EXPECT_EQ(read(folder / "log"), "one\ntwo\n");
  files.truncate(folder / "log", 4);
  EXPECT_EQ(read(folder / "log"), "one\n");
}

TEST_F(FilesTest, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(failure([&] { files.open(folder / "none"); }), "NOINPUT TMP/none: cannot open: No such file or directory");
  EXPECT_EQ(failure([&] { files.open(folder.path()); }),
            "DATA TMP: cannot open what is no regular file: Is a directory");
  EXPECT_EQ(failure([&] { files.open(folder / "fifo"); }),
            "DATA TMP/fifo: cannot open what is no regular file: Invalid argument");
  EXPECT_EQ(failure([&] { files.open("/dev/zero"); }),
            "DATA /dev/zero: cannot open what is no regular file: Invalid argument");
}

TEST_F(FilesTest, FoldersAreListedInTheOrderOfTheirBytes) {
  for (const char* name : {"b", "B", "a", ".hidden"}) write(folder / name, "");
  EXPECT_EQ(files.list(folder.path()), (std::vector<std::string>{".hidden", "B", "a", "b"}));
  EXPECT_EQ(failure([&] { files.list(folder / "none"); }), "NOINPUT TMP/none: cannot list: No such file or directory");
}

TEST_F(FilesTest, InfoTellsTheEntryItselfAndNotWhereALinkLeads) {
  write(folder / "a", "12345");
  fs::create_symlink("a", folder / "link");
  EXPECT_EQ(files.info(folder / "a")->kind, FileInfo::Kind::file);
  EXPECT_EQ(files.info(folder / "a")->size, 5u);
  EXPECT_EQ(files.info(folder / "link")->kind, FileInfo::Kind::link);
  EXPECT_EQ(files.info(folder.path())->kind, FileInfo::Kind::folder);
  EXPECT_FALSE(files.info(folder / "none").has_value());
  EXPECT_FALSE(files.info(folder / "a/below").has_value());
}

TEST_F(FilesTest, InfoTellsWhoElseMayWriteIt) {
  write(folder / "a", "");
  fs::create_symlink("a", folder / "link");
  for (const mode_t closed : {0750, 0775, 01770}) {
    ASSERT_EQ(::chmod(folder.path().c_str(), closed), 0);
    EXPECT_FALSE(files.info(folder.path())->is_open_to_all) << closed;
  }
  for (const mode_t open : {0752, 01777}) {
    ASSERT_EQ(::chmod(folder.path().c_str(), open), 0);
    EXPECT_TRUE(files.info(folder.path())->is_open_to_all) << open;
  }
  EXPECT_FALSE(files.info(folder / "link")->is_open_to_all) << "what counts is where it leads";
}

TEST_F(FilesTest, InfoTellsWhatIsAnothersButRootIsAStrangerNowhere) {
  EXPECT_FALSE(files.info(folder.path())->is_strangers);
  EXPECT_EQ(files.create(folder / "ours")->info().owner, ::geteuid());
  if (::geteuid() != 0) {
    EXPECT_TRUE(files.info("/")->is_strangers);
    return;
  }
  ASSERT_EQ(::chown(folder.path().c_str(), 1234, 1234), 0);
  EXPECT_FALSE(files.info(folder.path())->is_strangers);
  ASSERT_EQ(::seteuid(4321), 0);
  EXPECT_TRUE(files.info(folder.path())->is_strangers);
  ASSERT_EQ(::seteuid(0), 0);
}

TEST_F(FilesTest, RenamingReplacesAFileButNoFolderThatHoldsSomething) {
  write(folder / "a", "new");
  write(folder / "b", "old");
  files.rename(folder / "a", folder / "b");
  EXPECT_EQ(read(folder / "b"), "new");

  make_folders(files, folder / "from");
  make_folders(files, folder / "to/held");
  EXPECT_EQ(failure([&] { files.rename(folder / "from", folder / "to"); }),
            "OUTPUT TMP/from: cannot rename to TMP/to: Directory not empty");
  EXPECT_EQ(failure([&] { files.remove(folder / "to"); }), "IO TMP/to: cannot remove: Directory not empty");
}

TEST_F(FilesTest, FoldersAreMadeWithTheirParents) {
  make_folders(files, folder / "a/b/c/");
  make_folders(files, folder / "a/b");
  EXPECT_EQ(files.info(folder / "a/b/c")->kind, FileInfo::Kind::folder);
  EXPECT_EQ(files.list(folder / "a/b"), std::vector<std::string>{"c"});
}

// Two processes that make the same folders: the other one was faster between the look and the making.
class Raced : public MemoryFiles {
 public:
  std::function<void()> other;
  void make_folder(const Path& made) override {
    if (other) std::exchange(other, nullptr)();
    MemoryFiles::make_folder(made);
  }
};

TEST_F(FilesTest, AFolderThatSomebodyElseMakesMeanwhileIsFine) {
  Raced raced;
  raced.other = [&] { raced.MemoryFiles::make_folder("/a"); };
  make_folders(raced, "/a/b");
  EXPECT_EQ(raced.info("/a/b")->kind, FileInfo::Kind::folder);
  raced.other = [&] { raced.create("/c"); };
  EXPECT_EQ(failure([&] { make_folders(raced, "/c"); }), "OUTPUT /c: cannot make the folder: File exists");
}

TEST_F(FilesTest, AFolderIsOneWhereALinkLeads) {
  write(folder / "a", "");
  fs::create_directory_symlink(folder.path(), folder / "link");
  fs::create_symlink("loop", folder / "loop");
  EXPECT_TRUE(is_folder(folder.path()));
  EXPECT_TRUE(is_folder(folder / "link"));
  for (const char* name : {"a", "none", "a/below"}) EXPECT_FALSE(is_folder(folder / name)) << name;
  EXPECT_EQ(failure([&] { is_folder(folder / "loop"); }),
            "NOINPUT TMP/loop: cannot look up: Too many levels of symbolic links");
}

TEST_F(FilesTest, WhereNoFileCanBeMadeIsKnownBefore) {
  expect_new(files, folder / "sub/a");
  EXPECT_EQ(files.list(folder.path()), std::vector<std::string>{"sub"});
  EXPECT_TRUE(files.list(folder / "sub").empty());
  EXPECT_EQ(failure([&] { expect_new(files, folder / "sub/b/"); }), "OUTPUT TMP/sub/b/: names a folder; name a file");
  EXPECT_EQ(failure([&] { expect_new(files, folder / "sub"); }),
            "OUTPUT TMP/sub: already there; remove it, or name another file");
  write(folder / "file", "");
  EXPECT_EQ(failure([&] { expect_new(files, folder / "file/a"); }),
            "OUTPUT TMP/file/.a.tmp: cannot create: Not a directory");
}

TEST_F(FilesTest, AFileSystemThatCannotSyncAFolderIsNamedAsTheCause) {
  EXPECT_EQ(failure([&] { files.sync_folder("/proc"); }),
            "IO /proc: cannot sync the folder (its file system cannot, so nothing there is durable; take another): "
            "Invalid argument");
}

TEST_F(FilesTest, ALockNamesItsHolderUntilItEnds) {
  auto lock = files.lock(folder / "lock", "the first");
  EXPECT_EQ(failure([&] { files.lock(folder / "lock", "the second"); }), "OUTPUT TMP: in use by the first");
  lock.reset();
  lock = files.lock(folder / "lock", "the second");
  EXPECT_EQ(read(folder / "lock"), "the second");
}

TEST_F(FilesTest, ALockStaysExclusiveWhereItsHoldersRemoveItsFile) {
  std::atomic<int> inside = 0, overlaps = 0;
  const auto work = [&] {
    for (int i = 0; i < 3000; ++i) {
      try {
        const auto lock = files.lock(folder / "lock", "a thread");
        overlaps += ++inside != 1;
        --inside;
        files.remove(folder / "lock");
      } catch (const IoError&) {
        ++overlaps;             // somebody else removed the file of a lock that is held
      } catch (const Error&) {  // in use
      }
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(overlaps, 0);
}

TEST_F(FilesTest, RemovingATreeDoesNotFollowLinks) {
  make_folders(files, folder / "keep");
  write(folder / "keep/file", "");
  make_folders(files, folder / "tree/deep");
  write(folder / "tree/deep/file", "");
  fs::create_directory_symlink(folder / "keep", folder / "tree/link");
  remove_tree(files, folder / "tree");
  remove_tree(files, folder / "tree");
  EXPECT_EQ(files.list(folder.path()), std::vector<std::string>{"keep"});
  EXPECT_TRUE(exists(files, folder / "keep/file"));
}

TEST_F(FilesTest, TextLargerThanItsLimitIsRefused) {
  write(folder / "a", "12345");
  EXPECT_EQ(read_text(files, folder / "a", 5), "12345");
  EXPECT_EQ(failure([&] { read_text(files, folder / "a", 4); }), "DATA TMP/a: must not exceed 4 bytes, got 5");
}

TEST_F(FilesTest, AtomicWritingReplacesTheContentAndLeavesNothingElse) {
  write(folder / ".a.tmp", "left by a writer that died");
  write_atomically(files, folder / "a", "one");
  write_atomically(files, folder / "a", "two");
  EXPECT_EQ(read(folder / "a"), "two");
  EXPECT_EQ(files.list(folder.path()), std::vector<std::string>{"a"});
}

TEST_F(FilesTest, AFullDiskIsAnErrorOfWriting) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ(failure([&] { files.append("/dev/full")->write("12345"); }),
            "IO /dev/full: cannot write 5 bytes: No space left on device");
}

TEST_F(FilesTest, AFileSizeLimitShortensAWriteAndThenFails) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit limit = before;
  limit.rlim_cur = 3;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto message = failure([&] { files.create(folder / "a")->write("12345"); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(message, "IO TMP/a: cannot write 2 bytes: File too large");
}

TEST_F(FilesTest, FreeBytesAreThoseOfTheFolder) {
  EXPECT_GT(files.free_bytes(folder.path()), 0u);
  EXPECT_EQ(failure([&] { files.free_bytes(folder / "none"); }),
            "IO TMP/none: cannot look up free space: No such file or directory");
}

}  // namespace
}  // namespace peerless
