// Parts of the charts that are SVG.
import { svg } from "./dom.js";

export const chart = (width, height, label) =>
  svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "chart",
    role: "img",
    "aria-label": label,
  });

export const text = (x, y, content, anchor = "middle", kind = "") =>
  svg("text", { x, y, "text-anchor": anchor, class: kind }, content);

export const line = ([x1, x2], [y1, y2], attributes, ...children) =>
  svg("line", { x1, x2, y1, y2, ...attributes }, ...children);

export const joined = (points) =>
  points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

// Grid lines from left to right, with their values.
export const horizontalGrid = (ticks, left, right) =>
  ticks.flatMap(([y, value]) => [
    line([left, right], [y, y], { class: "axis" }),
    text(left - 5, y + 4, value, "end"),
  ]);
