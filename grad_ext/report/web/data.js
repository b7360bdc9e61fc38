// The models of the page: columns of values, which Python writes into it as JSON.
import { byId } from "./dom.js";

export const data = JSON.parse(byId("models-data").textContent);
export const columns = data.columns;
export const columnNamed = Object.fromEntries(columns.map((column) => [column.name, column]));

export const settings = columns.filter((c) => c.role === "setting" && !c.hidden);
export const metrics = columns.filter((c) => c.role === "metric");
export const mainMetrics = metrics.filter((c) => c.main);
// What a model is called by: where no setting varies, its seed.
export const namingSettings = settings.length ? settings : columns.filter((c) => c.name === "seed");

// The Discrimination of predictions that ignore the protected attribute, of each model.
export const chanceLevels = columnNamed.chance_level;

export const isConstant = (i) => Boolean(columnNamed.constant && columnNamed.constant.values[i]);
export const numericValue = (column, i) => (column.kind === "number" ? column.values[i] : null);

// Words of a flag or a text column by the number that stands for each in its values.
export const levelsOf = (column) => (column.kind === "flag" ? ["no", "yes"] : column.levels);

export function distinctCount(column) {
  if (column.kind === "text") return column.levels.length;
  return column.kind === "flag" ? 2 : new Set(column.values).size;
}

// A metric of the majority class; null where there are several classes or none has the metric.
export function majorityValue(name) {
  const values = data.majority.map((row) => row[name] ?? null).filter((v) => v !== null);
  return values.length === 1 ? values[0] : null;
}
