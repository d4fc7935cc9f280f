#include "peerless/data/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/shards.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using testing::ElementsAre;

class Sources : public testing::Test {
 protected:
  TemporaryFolder folder;

  std::string path(const std::string& name) const { return (folder / name).string(); }
  void write(const std::string& name, std::string_view text) { spill(folder / name, text); }

  // The names of the files found, relative to the folder.
  std::vector<std::string> found(TextSources sources) const {
    std::vector<std::string> names;
    for (const auto& file : text_files(sources).paths) names.push_back(file.lexically_relative(folder.path()).string());
    return names;
  }
  std::vector<std::string> texts(const TextSources& sources) const {
    DocumentReader reader(sources);
    std::vector<std::string> texts;
    while (auto document = reader.next()) texts.push_back(text_of(std::move(*document), sources.field));
    return texts;
  }
  std::string refusal(const std::string& jsonl) {
    write("bad.jsonl", jsonl);
    return complaint(ExitCode::data, [&] { texts({{path("bad.jsonl")}}); });
  }
};

TEST_F(Sources, FoldersAreSearchedInTheOrderOfBytes) {
  for (const auto* name : {"b.txt", "a/z.txt", "a.txt", "a/B.jsonl", "a/image.png", "a/deep/er/x.txt"}) write(name, "");
  EXPECT_THAT(found({{folder.path().string()}}),
              ElementsAre("a.txt", "a/B.jsonl", "a/deep/er/x.txt", "a/z.txt", "b.txt"));
}

TEST_F(Sources, SuffixesChooseInFoldersOnly) {
  for (const auto* name : {"x.h", "x.cuh", "x.cpp", "y.txt"}) write(name, "");
  EXPECT_THAT(found({.inputs = {folder.path().string()}, .suffixes = {".h", ".cuh"}}), ElementsAre("x.cuh", "x.h"));
  EXPECT_THAT(found({.inputs = {path("x.cpp")}}), ElementsAre("x.cpp"));
  EXPECT_EQ(text_files({.inputs = {folder.path().string()}, .suffixes = {".h", ".cuh"}}).passed_over, 2);
}

TEST_F(Sources, GlobsAreExpandedAndEachFileComesOnce) {
  for (const auto* name : {"a1.txt", "a2.txt", "b1.txt", "[x].txt"}) write(name, "");
  EXPECT_THAT(found({{path("a*.txt"), path("a1.txt"), path("?1.txt")}}), ElementsAre("a1.txt", "a2.txt", "b1.txt"));
  EXPECT_THAT(found({{path("[x].txt")}}), ElementsAre("[x].txt")) << "a file of that very name";
}

TEST_F(Sources, AFileSpelledInSeveralWaysComesOnce) {
  for (const auto* name : {"a.txt", "b/c.txt"}) write(name, "");
  EXPECT_THAT(found({{path("a.txt"), path("./a.txt"), path("b/../a.txt"), path("b"), path("b//c.txt")}}),
              ElementsAre("a.txt", "b/c.txt"));
}

TEST_F(Sources, LinksInsideFoldersAreNotFollowed) {
  write("data/a.txt", "");
  write("elsewhere/b.txt", "");
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "data/link");
  std::filesystem::create_symlink(folder / "elsewhere/b.txt", folder / "data/b.txt");
  EXPECT_THAT(found({{path("data")}}), ElementsAre("data/a.txt"));
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "given");
  EXPECT_THAT(found({{path("given")}}), ElementsAre("given/b.txt")) << "an input may be a link";
}

TEST_F(Sources, NothingFoundIsNoInput) {
  write("x.cpp", "");
  EXPECT_EQ(complaint(ExitCode::no_input, [&] { text_files({{folder.path().string()}}); }),
            folder.path().string() + ": none of the 1 files there ends in .txt or .jsonl; --suffix names others");
  EXPECT_EQ(complaint(ExitCode::no_input, [&] { text_files({{path("*.md")}}); }),
            path("*.md") + ": no file fits this pattern");
  EXPECT_EQ(complaint(ExitCode::no_input, [&] { texts({{path("absent.txt")}}); }),
            path("absent.txt") + ": cannot open: No such file or directory");
}

TEST_F(Sources, WhatCannotBeLookedUpIsNoInput) {
  std::filesystem::create_symlink("loop", folder / "loop");
  for (const auto* name : {"loop", "loop/a.txt", "loop/*.txt"}) {
    EXPECT_EQ(complaint(ExitCode::no_input, [&] { text_files({{path(name)}}); }),
              path(name) + ": cannot look up: Too many levels of symbolic links");
  }
}

TEST_F(Sources, ATextFileIsADocumentAndAJsonlHoldsOnePerLine) {
  write("a.txt", "one\ntwo\n");
  write("b.jsonl", "{\"text\": \"x\\ny\"}\n\n  \r\n{\"id\": 3, \"text\": \"é\\u00e9\\u0000\"}");
  EXPECT_THAT(texts({{folder.path().string()}}), ElementsAre("one\ntwo\n", "x\ny", std::string("éé\0", 5)));
}

TEST_F(Sources, TheFieldCanBeChosen) {
  write("a.jsonl", "{\"content\": \"x\", \"text\": 1}\n");
  EXPECT_THAT(texts({.inputs = {path("a.jsonl")}, .field = "content"}), ElementsAre("x"));
}

TEST_F(Sources, LinesOfAnyLengthAreStreamed) {
  std::string text;
  std::vector<std::string> expected;
  for (const auto length : {0, 10, 1 << 20, 3, (1 << 20) - 13, 5 << 20, 1}) {
    expected.emplace_back(length, 'x');
    text += "{\"text\":\"" + expected.back() + "\"}\n";
  }
  write("a.jsonl", text);
  EXPECT_TRUE(texts({{path("a.jsonl")}}) == expected);
  EXPECT_THAT(refusal(text + "{"), testing::StartsWith(path("bad.jsonl") + ":8: not JSON")) << "lines are counted";
  write("a.jsonl", text.substr(0, text.size() - 1));
  EXPECT_TRUE(texts({{path("a.jsonl")}}) == expected) << "without the last newline";
}

TEST_F(Sources, DocumentsThatAreNotUtf8AreHandedOn) {
  write("a.txt", "a\xff");
  write("b.jsonl", "{\"text\": \"\xff\"}\n");
  DocumentReader reader({{folder.path().string()}});
  EXPECT_EQ(reader.next()->bytes, "a\xff");
  EXPECT_EQ(reader.next()->bytes, "{\"text\": \"\xff\"}");
}

TEST_F(Sources, ReadersTellHowFarTheyAre) {
  write("a.txt", "12345");
  write("b.jsonl", "{\"text\": \"x\"}\n\n");
  DocumentReader reader({{folder.path().string()}});
  EXPECT_EQ(reader.total_bytes(), 20u);
  reader.next();
  EXPECT_EQ(reader.bytes_read(), 5u);
  while (reader.next()) {
  }
  EXPECT_EQ(reader.bytes_read(), 20u);
}

TEST_F(Sources, ATooLargeDocumentIsRefused) {
  write("huge.txt", "");
  std::filesystem::resize_file(folder / "huge.txt", (std::uintmax_t{1} << 30) + 1);  // a hole: no disk space
  EXPECT_EQ(complaint(ExitCode::data, [&] { texts({{path("huge.txt")}}); }),
            path("huge.txt") +
                ": a document of 1.1 GB or more; at most 1 GiB fits: cut the file, or put a document on "
                "each line of a .jsonl");
}

TEST_F(Sources, ABrokenLineIsNamed) {
  const auto file = path("bad.jsonl");
  const std::string good = "{\"text\": \"fine\"}\n";
  EXPECT_EQ(refusal(good + "\n{\"text\": \"cut"), file + ":3: not JSON: byte 14 of the line");
  EXPECT_EQ(refusal(good + std::string("{\"text\": \"a\"}\0{\"text\": \"b\"}", 27)),
            file + ":2: not JSON: byte 14 of the line");
  EXPECT_EQ(refusal(good + "[1]"), file + ":2: expected a JSON object, found a JSON array");
  EXPECT_EQ(refusal("{\"txt\": \"x\", \"id\": 1}"), file + ":1: no field \"text\", only \"id\", \"txt\"");
  EXPECT_EQ(refusal("{\"text\": \"x\", \"n\": 1e999}"), file + ":1: unusable JSON: number overflow parsing '1e999'");
  EXPECT_EQ(refusal("{\"text\": 5}"), file + ":1: field \"text\" is a JSON number, expected a string");
}

}  // namespace
}  // namespace peerless
