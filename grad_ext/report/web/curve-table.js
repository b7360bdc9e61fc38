// The values of the curves as a table.
import { data, majorityValue } from "./data.js";
import { columnHeads, element, rowHead } from "./dom.js";
import { formatLevel, formatNumber, formatPercentiles } from "./format.js";

export function curveTable(x, by, points, metrics, styles) {
  const cell = (content) => element("td", {}, content);
  const labels = metrics.map((metric) => `${metric.label}: median (10th to 90th percentile)`);
  const head = columnHeads([x.label, ...(by ? [by.label] : []), "models", ...labels]);
  const majority = element(
    "tr",
    {},
    rowHead("majority class"),
    ...(by ? [cell("")] : []),
    cell(""),
    ...metrics.map((metric) => cell(formatNumber(majorityValue(metric.name)))),
  );
  const rows = points.map((point) =>
    element(
      "tr",
      {},
      rowHead(formatLevel(x, point.x)),
      ...(by ? [cell(styles[point.series].label)] : []),
      cell(String(point.models.length)),
      ...metrics.map((metric) => {
        const summary = point.metrics[metric.name];
        return cell(summary ? formatPercentiles(summary) : "–");
      }),
    ),
  );
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...(data.majority.length === 1 ? [majority] : []), ...rows),
  );
}
