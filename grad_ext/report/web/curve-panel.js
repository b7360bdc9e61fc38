// One metric against a setting, a line for each series.
import { axis, numberAxis } from "./axis.js";
import { chart, horizontalGrid, joined, line, text } from "./chart.js";
import { chanceLevels, majorityValue } from "./data.js";
import { svg } from "./dom.js";
import { formatLevel, formatPercentiles, truncate } from "./format.js";
import { percentiles } from "./statistics.js";

const WIDTH = 420;
const LEFT = 46;
const RIGHT = WIDTH - 10;
const TOP = 24;
const BASE = 200;
// More names than these are tilted, and may then be this long.
const MOST_LEVEL_NAMES = 4;
const LONGEST_TILTED = 30;

export function curvePanel(metric, x, models, points, styles) {
  const names = x.kind === "number" ? [] : points.map((point) => formatLevel(x, point.x));
  const tilted = new Set(names).size > MOST_LEVEL_NAMES;
  const longest = Math.max(...names.map((name) => name.length));
  const height = BASE + 40 + (tilted ? 6.2 * Math.min(LONGEST_TILTED, longest) : 0);
  const known = points.filter((point) => point.metrics[metric.name]);
  const majority = majorityValue(metric.name);
  const up = upAxis(metric, known, majority);
  const plot = { metric, x, up, across: acrossAxis(x, models, points) };
  const panel = chart(
    WIDTH,
    height,
    `${metric.label} against ${x.label}; the table below has the values`,
  );
  panel.append(
    text(LEFT, 14, metric.label, "start", "title"),
    ...horizontalGrid(up.ticks, LEFT, RIGHT),
    ...acrossTicks(plot, tilted),
    text((LEFT + RIGHT) / 2, height - 6, x.label),
  );
  if (majority !== null) {
    const y = up.position(majority);
    panel.append(line([LEFT, RIGHT], [y, y], { class: "majority" }));
  }
  styles.forEach((style, k) => {
    const series = known.filter((point) => point.series === k);
    const shift = plot.across.isCategory ? (k - (styles.length - 1) / 2) * 6 : 0;
    if (series.length) panel.append(...seriesMarks(plot, series, style, shift));
  });
  return panel;
}

function upAxis(metric, points, majority) {
  const ends = points.flatMap((point) => {
    const { low, high } = point.metrics[metric.name];
    return [low, high];
  });
  const zero = metric.name === "discrimination" ? [0] : [];
  return numberAxis([...ends, majority, ...zero], metric.role, BASE, TOP);
}

function acrossAxis(x, models, points) {
  if (x.kind !== "number") return axis(x, models, LEFT, RIGHT);
  const values = points.map((point) => point.x);
  return numberAxis(values, x.role, LEFT, RIGHT);
}

function acrossTicks({ x, across }, tilted) {
  const flatWidth = x.kind === "number" ? 34 : 64;
  const needed = across.ticks.length * (tilted ? 13 : flatWidth);
  const every = Math.max(1, Math.ceil(needed / (RIGHT - LEFT)));
  const labelled = across.ticks.filter((_, k) => k % every === 0);
  return labelled.map(([tick, name]) => {
    if (!tilted) return text(tick, BASE + 16, truncate(name));
    const label = text(0, 0, truncate(name, LONGEST_TILTED), "end");
    label.setAttribute("transform", `translate(${tick + 4} ${BASE + 12}) rotate(-65)`);
    return label;
  });
}

// The marks of one series: percentiles, medians, and for Discrimination the chance level.
function seriesMarks(plot, series, style, shift) {
  const { metric, x, across, up } = plot;
  const xs = series.map((point) => across.position(point.x) + shift);
  const ys = (end) => series.map((point) => up.position(point.metrics[metric.name][end]));
  const [low, median, high] = [ys("low"), ys("median"), ys("high")];
  const along = (values) => values.map((y, k) => [xs[k], y]);
  const marks = across.isCategory
    ? xs.map((at, k) =>
        line([at, at], [low[k], high[k]], {
          stroke: style.colour,
          "stroke-width": 5,
          opacity: 0.35,
        }),
      )
    : [
        svg("path", {
          d: `M${joined(along(high))}L${joined(along(low).reverse())}Z`,
          fill: style.colour,
          opacity: 0.22,
        }),
        svg("path", {
          d: `M${joined(along(median))}`,
          fill: "none",
          stroke: style.colour,
          "stroke-width": 2,
        }),
      ];
  const dots = series.map((point, k) => {
    const summary = point.metrics[metric.name];
    const label =
      (style.label ? `${style.label}, ` : "") +
      `${x.label} ${formatLevel(x, point.x)}: ${formatPercentiles(summary)}, ${summary.count} models`;
    const place = { cx: xs[k], cy: median[k], r: 3, fill: style.colour };
    return svg("circle", place, svg("title", {}, label));
  });
  return [...marks, ...dots, ...chanceMarks(plot, series)];
}

function chanceMarks({ metric, across, up }, series) {
  if (metric.name !== "discrimination" || !chanceLevels) return [];
  const known = series
    .map((point) => [point.x, percentiles(chanceLevels, point.models)])
    .filter(([, summary]) => summary)
    .map(([x, summary]) => [across.position(x), up.position(summary.median)]);
  if (across.isCategory) {
    return known.map(([x, y]) => line([x - 7, x + 7], [y, y], { class: "chance" }));
  }
  const complete = known.length === series.length;
  return complete ? [svg("path", { d: `M${joined(known)}`, class: "chance" })] : [];
}
