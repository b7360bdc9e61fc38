// Axes: where a value lies between two ends, and the ticks, each a position and its text.
import { levelsOf } from "./data.js";
import { formatTick } from "./format.js";
import { distinct, extent } from "./statistics.js";

// Words become steps. Settings spread over decades get a log axis.
export function axis(column, models, from, to, extra = []) {
  if (column.kind !== "number") return categoryAxis(column, models, from, to);
  return numberAxis(models.map((i) => column.values[i]).concat(extra), column.role, from, to);
}

export function numberAxis(values, role, from, to) {
  const numbers = values.filter((v) => v !== null);
  const [low, high] = extent(numbers);
  const positive = numbers.filter((v) => v > 0);
  const least = positive.length ? extent(positive)[0] : 1;
  return role === "setting" && low >= 0 && high / least >= 20
    ? logAxis(least, high, low === 0, from, to)
    : linearAxis(low, high, from, to);
}

function categoryAxis(column, models, from, to) {
  const levels = levelsOf(column);
  const values = distinct(models.map((i) => Number(column.values[i])));
  const step = (to - from) / Math.max(1, values.length);
  const positions = new Map(values.map((v, k) => [v, from + step * (k + 0.5)]));
  return {
    position: (v) => positions.get(Number(v)),
    ticks: values.map((v) => [positions.get(v), levels[v]]),
    step: Math.abs(step),
    isCategory: true,
  };
}

// On a log axis 0 has a place of its own to the left.
function logAxis(least, high, hasZero, from, to) {
  const zero = Math.log10(least) - 0.7;
  const start = (hasZero ? zero : Math.log10(least)) - 0.1;
  const end = Math.log10(high) + 0.1;
  const position = (v) =>
    from + ((to - from) * ((v > 0 ? Math.log10(v) : zero) - start)) / (end - start);
  const ticks = hasZero ? [[position(0), "0"]] : [];
  for (let exponent = Math.floor(start); exponent <= end; exponent++) {
    const v = 10 ** exponent;
    if (v >= least * 0.999 && v <= high * 1.001) ticks.push([position(v), formatTick(v)]);
  }
  return { position, ticks, step: 0 };
}

function linearAxis(least, greatest, from, to) {
  const margin = (greatest - least || Math.abs(greatest) * 0.1 || 0.1) * 0.05;
  const low = least - margin;
  const high = greatest + margin;
  const position = (v) => from + ((to - from) * (v - low)) / (high - low);
  const rough = (high - low) / 5;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * base).find((s) => s >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    ticks.push([position(k * step), formatTick(+(k * step).toPrecision(10))]);
  }
  return { position, ticks, step: 0, low, high };
}
