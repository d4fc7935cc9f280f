#include "peerless/eval/loads.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <numeric>

#include "peerless/base/text.h"

namespace peerless {
namespace {

constexpr std::size_t kMostBars = 128;
constexpr double kWidth = 720, kPanel = 150, kTop = 34, kLeft = 52, kPlotWidth = kWidth - kLeft - 12, kPlotHeight = 92;

// Bars of a panel, each the mean of equally many experts, and what they show.
struct Bars {
  std::vector<double> heights;  // multiples of the mean
  std::string caption;
};

Bars bars_of(const Load& load) {
  const double mean = std::accumulate(load.of.begin(), load.of.end(), 0.0) / static_cast<double>(load.of.size());
  auto values = load.of;
  const std::size_t share = (values.size() + kMostBars - 1) / kMostBars;
  std::string caption = concat(load.name, ": ", values.size(), share == 1 ? " in their order" : ", fullest first");
  if (share > 1) {
    std::sort(values.begin(), values.end(), std::greater<>());
    caption += concat(", ", share, " to a bar");
  }
  Bars bars{{}, caption + "; 1 is even"};
  for (std::size_t first = 0; first < values.size(); first += share) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
    const auto count = std::min(share, values.size() - first);
    const double sum = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(count), 0.0);
    bars.heights.push_back(mean > 0 ? sum / static_cast<double>(count) / mean : 0);
  }
  return bars;
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : printable(text)) safe += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return safe;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string text_at(double x, double y, const char* anchor, std::string_view text) {
  return format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor) + escaped(text) + "</text>\n";
}

std::string panel(const Load& load, double top) {
  const Bars bars = bars_of(load);
  const double highest = std::max(1.0, *std::max_element(bars.heights.begin(), bars.heights.end()));
  const double step = kPlotWidth / static_cast<double>(bars.heights.size());
  const double bottom = top + 24 + kPlotHeight;
  const auto y_of = [&](double height) { return bottom - kPlotHeight * height / highest; };
  std::string svg = text_at(kLeft, top + 14, "start", bars.caption);
  for (std::size_t i = 0; i < bars.heights.size(); ++i)
    svg +=
        format("<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n", kLeft + step * static_cast<double>(i),
               y_of(bars.heights[i]), std::max(0.5, 0.85 * step), bottom - y_of(bars.heights[i]));
  svg += format("<path d=\"M%.1f %.1fH%.1f\" stroke-dasharray=\"4 3\"/>\n", kLeft, y_of(1), kLeft + kPlotWidth);
  svg += format("<path d=\"M%.1f %.1fH%.1f\"/>\n", kLeft, bottom, kLeft + kPlotWidth);
  svg += text_at(kLeft - 6, y_of(1) + 4, "end", "1");
  if (highest > 1.15) svg += text_at(kLeft - 6, y_of(highest) + 4, "end", format("%.2f", highest));
  return svg;
}

}  // namespace

std::vector<Load> loads_of(const Stats& stats) {
  std::vector<Load> loads;
  for (const auto& [name, tensor] : stats.named()) {
    const auto values = tensor.to(at::kCPU, at::kDouble).contiguous();
    loads.push_back(
        {"layers." + name, {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()}});
  }
  return loads;
}

nlohmann::ordered_json loads_json(const std::vector<Load>& loads) {
  nlohmann::ordered_json json;
  for (const auto& load : loads) json[load.name] = load.of;
  return json;
}

std::string loads_svg(std::string_view title, const std::vector<Load>& loads) {
  const double height = kTop + kPanel * static_cast<double>(loads.size());
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
      "font-size=\"12\" fill=\"#333\">\n<style>rect{fill:#4878a8}path{stroke:#333;fill:none}</style>\n"
      "<rect width=\"100%%\" height=\"100%%\" style=\"fill:#fff\"/>\n",
      kWidth, height);
  svg += text_at(kLeft, 20, "start", title);
  for (std::size_t i = 0; i < loads.size(); ++i) svg += panel(loads[i], kTop + kPanel * static_cast<double>(i));
  return svg + "</svg>\n";
}

}  // namespace peerless
