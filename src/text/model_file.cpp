#include "src/text/model_file.h"

#include <cstdint>
#include <optional>

#include "peerless/base/error.h"

namespace peerless {
namespace {

Error truncated() { return Error(ExitCode::data, "it ends within a field: truncated?"); }

// A field of a protocol buffer message: `number` for varints, `bytes` for strings and nested messages.
struct Field {
  std::uint64_t id;
  std::uint64_t number = 0;
  std::string_view bytes = {};
};

class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    Field field{.id = key >> 3};
    switch (key & 7) {
      case 0:
        field.number = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        throw Error(ExitCode::data, "it holds a field of wire type ", key & 7, ", which no model has");
    }
    return field;
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) throw truncated();
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    throw Error(ExitCode::data, "it holds a number of more than 64 bits");
  }

  std::string_view rest_;
};

ModelFile::Piece parse_piece(std::string_view message) {
  ModelFile::Piece piece;
  for (Fields fields(message); const auto field = fields.next();) {
    if (field->id == 1) piece.text = field->bytes;
    if (field->id == 3) piece.type = static_cast<ModelFile::PieceType>(field->number);
  }
  return piece;
}

void parse_trainer(std::string_view message, ModelFile& model) {
  for (Fields fields(message); const auto field = fields.next();) {
    const bool known = field->number >= 1 && field->number <= 4;  // a protocol buffer ignores other values of an enum
    if (field->id == 3 && known) model.algorithm = static_cast<ModelFile::Algorithm>(field->number);
    if (field->id == 35) model.byte_fallback = field->number != 0;
  }
}

void parse_normalizer(std::string_view message, ModelFile& model) {
  for (Fields fields(message); const auto field = fields.next();) {
    switch (field->id) {
      case 1:
        model.normalizer = field->bytes;
        break;
      case 2:
        model.maps_characters = !field->bytes.empty();
        break;
      case 3:
        model.add_dummy_prefix = field->number != 0;
        break;
      case 4:
        model.remove_extra_whitespaces = field->number != 0;
        break;
      case 5:
        model.escape_whitespaces = field->number != 0;
        break;
      default:
        break;
    }
  }
}

}  // namespace

ModelFile parse_model_file(std::string_view bytes) {
  if (bytes.empty()) throw Error(ExitCode::data, "it is empty");
  ModelFile model;
  bool trainer = false, normalizer = false;
  for (Fields fields(bytes); const auto field = fields.next();) {
    switch (field->id) {
      case 1:
        model.pieces.push_back(parse_piece(field->bytes));
        break;
      case 2:
        parse_trainer(field->bytes, model), trainer = true;
        break;
      case 3:
        parse_normalizer(field->bytes, model), normalizer = true;
        break;
      case 5:
        model.denormalizes = !field->bytes.empty();
        break;
      default:
        break;
    }
  }
  if (model.pieces.empty()) throw Error(ExitCode::data, "it holds no pieces");
  if (!trainer || !normalizer) {
    throw Error(ExitCode::data, "it holds pieces, but not how they were trained and text is normalised: truncated?");
  }
  return model;
}

}  // namespace peerless
