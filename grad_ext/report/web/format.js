// Values and models as text.
import { isConstant, levelsOf, mainMetrics, namingSettings } from "./data.js";

export function formatNumber(value, role) {
  if (value === null || value === undefined) return "–";
  // A search draws settings of sixteen digits; all of them are in results.csv and in the snippet.
  if (role === "setting") return String(Number.isInteger(value) ? value : +value.toPrecision(4));
  if (Number.isInteger(value) && Math.abs(value) > 1) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(3);
}

export function formatCell(column, i) {
  const value = column.values[i];
  return column.kind === "number"
    ? formatNumber(value, column.role)
    : levelsOf(column)[Number(value)];
}

export function formatTick(value) {
  const extreme = value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3);
  return extreme ? value.toExponential(0) : String(+value.toPrecision(6));
}

// A value of an x axis.
export const formatLevel = (column, value) =>
  column.kind === "number" ? formatTick(value) : levelsOf(column)[value];

export const formatPercentiles = ({ median, low, high }) =>
  `${formatNumber(median)} (${formatNumber(low)} to ${formatNumber(high)})`;

export const truncate = (text, length = 12) =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text;

const settingsOf = (i) => namingSettings.map((c) => `, ${c.label} ${formatCell(c, i)}`).join("");

export const modelName = (i) => `model ${i + 1}${settingsOf(i)}`;

export function describeModel(i) {
  const values = mainMetrics.map((c) => `${c.label} ${formatCell(c, i)}`).join(", ");
  const warning = isConstant(i) ? "\nPredicts the same label for every row, or nearly." : "";
  return `${modelName(i)}\n${values}${warning}`;
}
