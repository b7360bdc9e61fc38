// Order statistics of the values of a column.
import { numericValue } from "./data.js";

export const ascending = (values) => values.slice().sort((a, b) => a - b);
export const distinct = (values) => ascending([...new Set(values)]);

export function quantile(sorted, q) {
  const position = (sorted.length - 1) * q;
  const low = Math.floor(position);
  return sorted[low] + (sorted[Math.ceil(position)] - sorted[low]) * (position - low);
}

// The least and the greatest value; [0, 1] where there is none.
export function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low > high ? [0, 1] : [low, high];
}

// Median, 10th and 90th percentile of a column over some models, or null where none has a value.
export function percentiles(column, models) {
  const values = ascending(models.map((i) => numericValue(column, i)).filter((v) => v !== null));
  if (!values.length) return null;
  return {
    count: values.length,
    low: quantile(values, 0.1),
    median: quantile(values, 0.5),
    high: quantile(values, 0.9),
  };
}
