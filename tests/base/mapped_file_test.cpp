#include "peerless/base/mapped_file.h"

#include <gtest/gtest.h>

#include "peerless/base/files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheContent) {
  const TemporaryFolder folder;
  write_atomically(disk(), folder / "a", "hello");
  EXPECT_EQ(text_of(MappedFile(folder / "a")), "hello");
}

TEST(MappedFile, OfAnEmptyFileIsEmpty) {
  const TemporaryFolder folder;
  write_atomically(disk(), folder / "a", "");
  EXPECT_TRUE(MappedFile(folder / "a").bytes().empty());
}

TEST(MappedFile, Moves) {
  const TemporaryFolder folder;
  write_atomically(disk(), folder / "a", "hello");
  write_atomically(disk(), folder / "b", "world");
  MappedFile a(folder / "a");
  MappedFile b(folder / "b");
  b = std::move(a);
  const MappedFile c = std::move(b);
  EXPECT_EQ(text_of(c), "hello");
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_THROW(MappedFile(folder / "none"), IoError);
  EXPECT_THROW(MappedFile(folder.path()), IoError);
}

}  // namespace
}  // namespace peerless
