// The colours of the page, and the style by which models of different values are distinguished.
import { levelsOf } from "./data.js";
import { formatNumber } from "./format.js";
import { distinct, quantile } from "./statistics.js";

// Okabe and Ito's colours, which colour-blind readers can distinguish, each with a shape beside it.
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
export const SHAPES = ["circle", "square", "up", "diamond", "down"];
const VIRIDIS = [
  ...["#440154", "#482878", "#3e4989", "#31688e", "#26828e"],
  ...["#1f9e89", "#35b779", "#6ece58", "#fde725"],
];
const MOST_NUMBERS = 12;
const BINS = 10;

const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["ink", "quiet", "line", "paper", "mark", "accent", "band"];
  const colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
  const brightness = channels(colours.paper).reduce((a, b) => a + b);
  return { ...colours, dark: brightness < 384 };
}

// On black the dark blue and the light blue change places.
export function categoryColour(k, dark) {
  const index = k % COLOURS.length;
  const swapped = { 0: 5, 5: 0 };
  return COLOURS[dark ? (swapped[index] ?? index) : index];
}

// A colour of the viridis scale. On white its yellow end is too pale, on black its violet too dark.
function scaleColour(t, dark) {
  const position = (dark ? 0.3 + 0.7 * t : 0.92 * t) * (VIRIDIS.length - 1);
  const k = Math.min(VIRIDIS.length - 2, Math.floor(position));
  const [from, to] = [channels(VIRIDIS[k]), channels(VIRIDIS[k + 1])];
  const mixed = from.map((v, channel) => Math.round(v + (to[channel] - v) * (position - k)));
  return `rgb(${mixed.join(",")})`;
}

const shapeOf = (k) => SHAPES[k % SHAPES.length];

// Styles (colour, shape and label) for the values of a column, and the index of each model's style.
export function stylesBy(column, dark) {
  if (!column) {
    return { index: () => 0, styles: [{ ...plainStyle(dark), label: "" }] };
  }
  if (column.kind !== "number") {
    const styles = levelsOf(column).map((label, k) => ({
      label,
      shape: shapeOf(k),
      colour: categoryColour(k, dark),
    }));
    return { index: (i) => Number(column.values[i]), styles };
  }
  const values = distinct(column.values.filter((v) => v !== null));
  return values.length <= MOST_NUMBERS
    ? stylesOfValues(column, values, dark)
    : stylesOfBins(column, values, dark);
}

export const plainStyle = (dark) => ({ colour: categoryColour(0, dark), shape: "circle" });

function stylesOfValues(column, values, dark) {
  const positions = new Map(values.map((v, k) => [v, k]));
  const styles = values.map((v, k) => ({
    label: `${column.label} ${formatNumber(v, column.role)}`,
    shape: shapeOf(k),
    colour: scaleColour(values.length > 1 ? k / (values.length - 1) : 0.5, dark),
  }));
  return { index: (i) => positions.get(column.values[i]) ?? 0, styles };
}

function stylesOfBins(column, values, dark) {
  const edges = Array.from({ length: BINS - 1 }, (_, k) => quantile(values, (k + 1) / BINS));
  const ends = [values[0], ...edges, values[values.length - 1]];
  const format = (v) => formatNumber(+v.toPrecision(3), column.role);
  const styles = ends.slice(0, -1).map((v, k) => ({
    label: `${column.label} ${format(v)} to ${format(ends[k + 1])}`,
    shape: "circle",
    colour: scaleColour(k / (BINS - 1), dark),
  }));
  const index = (i) =>
    column.values[i] === null ? 0 : edges.filter((edge) => column.values[i] > edge).length;
  return { index, styles };
}
