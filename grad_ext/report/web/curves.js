// Metrics against a setting: a panel for each metric, and the same values as a table.
import { stylesBy, theme } from "./colours.js";
import { curvePanel } from "./curve-panel.js";
import { curveTable } from "./curve-table.js";
import { columnNamed } from "./data.js";
import { byId } from "./dom.js";
import { state } from "./state.js";
import { distinct, percentiles, quantile } from "./statistics.js";
import { legendItem, legendItems, lineSwatch } from "./symbols.js";

const METRICS = ["accuracy", "balanced_accuracy", "discrimination", "consistency"];
const MOST_VALUES = 40;
const BINS = 20;

export function drawCurves() {
  const x = columnNamed[byId("curve-x").value];
  const by = columnNamed[byId("curve-by").value];
  if (!x) return;
  const models = state.shown.filter((i) => x.kind !== "number" || x.values[i] !== null);
  const { index, styles } = stylesBy(by, theme().dark);
  const { valueOf, note } = binned(x, models);
  const metrics = METRICS.map((name) => columnNamed[name]).filter(Boolean);
  const points = curvePoints(models, valueOf, index, metrics);
  const panels = metrics.map((metric) => curvePanel(metric, x, models, points, styles));
  byId("curves").replaceChildren(...panels);
  byId("curve-note").textContent =
    "Line: median; band: 10th to 90th percentile over all models of the same value, " +
    `whatever their seeds and other settings.${note}`;
  byId("curve-legend").replaceChildren(
    ...legendItems(styles, (k) => points.some((point) => point.series === k)),
    legendItem(lineSwatch("majority"), "majority class"),
    legendItem(lineSwatch("chance"), "chance level"),
  );
  byId("curve-table").replaceChildren(curveTable(x, by, points, metrics, styles));
}

// A setting with many values is divided into bins of equally many values.
function binned(column, models) {
  const values = column.kind === "number" ? distinct(models.map((i) => column.values[i])) : [];
  if (values.length <= MOST_VALUES) return { valueOf: (i) => column.values[i], note: "" };
  const edges = Array.from({ length: BINS - 1 }, (_, k) => quantile(values, (k + 1) / BINS));
  const middles = Array.from({ length: BINS }, (_, k) => quantile(values, (k + 0.5) / BINS));
  return {
    valueOf: (i) => middles[edges.filter((edge) => column.values[i] > edge).length],
    note: ` The ${values.length} values are divided into ${BINS} bins.`,
  };
}

// The models of each series and value, with the percentiles of their metrics.
function curvePoints(models, valueOf, index, metrics) {
  const points = new Map();
  for (const i of models) {
    const [series, x] = [index(i), valueOf(i)];
    const key = `${series}|${x}`;
    if (!points.has(key)) points.set(key, { series, x, models: [] });
    points.get(key).models.push(i);
  }
  for (const point of points.values()) {
    const entries = metrics.map((metric) => [metric.name, percentiles(metric, point.models)]);
    point.metrics = Object.fromEntries(entries);
  }
  return [...points.values()].sort((a, b) => a.series - b.series || a.x - b.x);
}
