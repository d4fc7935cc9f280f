#include "src/text/model_file.h"

#include <cstdint>
#include <optional>

#include "peerless/base/error.h"
#include "src/text/character_map.h"

namespace peerless {
namespace {

Error truncated() { return Error(ExitCode::data, "it ends within a field: truncated?"); }

// A field of a protocol buffer message: `number` for varints, `bytes` for strings and nested messages. One of another
// type than the format says is none of its fields, as to every reader of protocol buffers.
struct Field {
  std::uint64_t id;
  enum class Type { varint = 0, fixed_64 = 1, bytes = 2, fixed_32 = 5 } type;
  std::uint64_t number = 0;
  std::string_view bytes = {};

  bool is_number(std::uint64_t wanted) const { return type == Type::varint && id == wanted; }
  bool is_bytes(std::uint64_t wanted) const { return type == Type::bytes && id == wanted; }
  int choice() const { return static_cast<std::int32_t>(number); }  // of an enum; 32 bits count
};

class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    Field field{.id = key >> 3, .type = static_cast<Field::Type>(key & 7)};
    switch (field.type) {
      case Field::Type::varint:
        field.number = varint();
        break;
      case Field::Type::fixed_64:
        take(8);
        break;
      case Field::Type::bytes:
        field.bytes = take(varint());
        break;
      case Field::Type::fixed_32:
        take(4);
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
    const bool known = field->choice() >= 1 && field->choice() <= 6;  // other values of an enum are ignored
    if (field->is_bytes(1)) piece.text = field->bytes;
    if (field->is_number(3) && known) piece.type = static_cast<ModelFile::PieceType>(field->choice());
  }
  return piece;
}

void parse_trainer(std::string_view message, ModelFile& model) {
  for (Fields fields(message); const auto field = fields.next();) {
    const bool known = field->choice() >= 1 && field->choice() <= 4;
    if (field->is_number(3) && known) model.algorithm = static_cast<ModelFile::Algorithm>(field->choice());
    if (field->is_number(35)) model.byte_fallback = field->number != 0;
  }
}

// Of a normaliser or a denormaliser: whether it maps characters.
bool maps_characters(const Field& field) {
  if (!field.is_bytes(2)) return false;
  if (!is_safe_character_map(field.bytes)) throw Error(ExitCode::data, "its character map leads outside of itself");
  return !field.bytes.empty();
}

void parse_normalizer(std::string_view message, ModelFile& model) {
  for (Fields fields(message); const auto field = fields.next();) {
    if (field->is_bytes(1)) model.normalizer = field->bytes;
    if (field->is_bytes(2)) model.maps_characters = maps_characters(*field);
    if (field->is_number(3)) model.add_dummy_prefix = field->number != 0;
    if (field->is_number(4)) model.remove_extra_whitespaces = field->number != 0;
    if (field->is_number(5)) model.escape_whitespaces = field->number != 0;
  }
}

void parse_denormalizer(std::string_view message, ModelFile& model) {
  model.denormalizes = !message.empty();
  for (Fields fields(message); const auto field = fields.next();) maps_characters(*field);
}

}  // namespace

ModelFile parse_model_file(std::string_view bytes) {
  if (bytes.empty()) throw Error(ExitCode::data, "it is empty");
  ModelFile model;
  bool trainer = false, normalizer = false;
  for (Fields fields(bytes); const auto field = fields.next();) {
    if (field->is_bytes(1)) model.pieces.push_back(parse_piece(field->bytes));
    if (field->is_bytes(2)) parse_trainer(field->bytes, model), trainer = true;
    if (field->is_bytes(3)) parse_normalizer(field->bytes, model), normalizer = true;
    if (field->is_bytes(5)) parse_denormalizer(field->bytes, model);
  }
  if (model.pieces.empty()) throw Error(ExitCode::data, "it holds no pieces");
  if (!trainer || !normalizer) {
    throw Error(ExitCode::data, "it holds pieces, but not how they were trained and text is normalised: truncated?");
  }
  return model;
}

}  // namespace peerless
