// The training history of a model: charts of its loss and of its metrics on the validation set.
import { numberAxis } from "./axis.js";
import { chart, horizontalGrid, joined, line, text } from "./chart.js";
import { SHAPES, categoryColour, theme } from "./colours.js";
import { columnNamed } from "./data.js";
import { byId, element, svg } from "./dom.js";
import { formatNumber } from "./format.js";
import { legendItem, mark, swatch } from "./symbols.js";

const WIDTH = 360;
const HEIGHT = 220;
const LEFT = 46;
const RIGHT = WIDTH - 10;
const TOP = 24;
const BASE = HEIGHT - 36;
const MOST_MARKS = 8;
const LINE_COLOURS = 3;

let histories = null;

// The values of each name by epoch, or null where a model has no history.
function historyOf(i) {
  const node = byId("histories-data");
  if (!node) return null;
  // Parsed on the first use: of many models it is the largest part of the page.
  histories ||= JSON.parse(node.textContent);
  const series = histories.models[i];
  if (!series || !series.length) return null;
  const scaled = (v) => (v === null ? null : v / histories.scale);
  return Object.fromEntries(histories.names.map((name, k) => [name, series[k].map(scaled)]));
}

export function historyCharts(i) {
  const history = historyOf(i);
  if (!history) {
    const note = "Not recorded: the method has none, or an earlier version wrote the record.";
    return [element("p", { class: "quiet" }, note)];
  }
  const epoch = columnNamed.epoch ? columnNamed.epoch.values[i] : null;
  const names = Object.keys(history).filter((name) => name !== "loss");
  const charts = [
    historyChart("target loss, training set", ["loss"], history, epoch),
    historyChart("validation set", names, history, epoch),
  ];
  const items = names.map((name, k) => {
    const label = columnNamed[name] ? columnNamed[name].label : name;
    return legendItem(swatch({ colour: lineColour(k), shape: SHAPES[k] }), label);
  });
  items.push(legendItem(`dashed: the checkpoint, epoch ${epoch}`));
  return [
    element("div", { class: "panels" }, ...charts),
    element("ul", { class: "legend" }, ...items),
  ];
}

const lineColour = (k) => categoryColour(k % LINE_COLOURS, theme().dark);

function historyChart(title, names, history, epoch) {
  const epochs = history.loss.length;
  const values = names.flatMap((name) => history[name]);
  const up = numberAxis(values, "metric", BASE, TOP);
  const across = numberAxis([1, epochs], "metric", LEFT, RIGHT);
  const picture = chart(WIDTH, HEIGHT, describe(title, names, history, epochs));
  const whole = across.ticks.filter(([, value]) => Number.isInteger(Number(value)));
  picture.append(
    text(LEFT, 14, title, "start", "title"),
    text((LEFT + RIGHT) / 2, HEIGHT - 4, "epoch"),
    ...horizontalGrid(up.ticks, LEFT, RIGHT),
    ...whole.map(([x, value]) => text(x, BASE + 16, value)),
  );
  if (epoch) {
    const x = across.position(epoch);
    picture.append(line([x, x], [TOP, BASE], { class: "checkpoint" }));
  }
  names.forEach((name, k) => {
    const points = history[name]
      .map((v, e) => (v === null ? null : [across.position(e + 1), up.position(v)]))
      .filter(Boolean);
    const every = Math.ceil(epochs / MOST_MARKS);
    picture.append(
      svg("path", {
        d: points.length ? `M${joined(points)}` : "",
        fill: "none",
        stroke: lineColour(k),
        "stroke-width": 1.8,
      }),
      ...points.filter((_, e) => e % every === 0).map((point) => markAt(point, k)),
    );
  });
  return picture;
}

function describe(title, names, history, epochs) {
  const changes = names.map((name) => {
    const [first, last] = [history[name][0], history[name][epochs - 1]];
    return `${name.replaceAll("_", " ")} from ${formatNumber(first)} to ${formatNumber(last)}`;
  });
  return `${title}, ${epochs} epochs: ${changes.join(", ")}`;
}

function markAt([x, y], k) {
  const transform = `translate(${x - 4} ${y - 4}) scale(.58)`;
  return svg("g", { transform, fill: lineColour(k) }, mark(SHAPES[k]));
}
