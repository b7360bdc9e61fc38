// The marks of models and of reference values, on a canvas and in a legend.
import { element, svg } from "./dom.js";

export const MOST_LEVELS = 30;
const STAR_COLOUR = "#F0E442";
// Corners as x and y in turn.
const STAR = Array.from({ length: 10 }, (_, k) => {
  const radius = k % 2 ? 4 : 10;
  return [Math.sin((k * Math.PI) / 5) * radius, -Math.cos((k * Math.PI) / 5) * radius];
}).flat();
const POLYGONS = {
  up: [0, -1.2, 1.1, 0.8, -1.1, 0.8],
  down: [0, 1.2, 1.1, -0.8, -1.1, -0.8],
  diamond: [0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0],
};
const MARKS = {
  circle: () => svg("circle", { cx: 7, cy: 7, r: 5 }),
  square: () => svg("rect", { x: 2.5, y: 2.5, width: 9, height: 9 }),
  up: () => svg("path", { d: "M7 1L12.5 11H1.5Z" }),
  down: () => svg("path", { d: "M7 13L12.5 3H1.5Z" }),
  diamond: () => svg("path", { d: "M7 .5L13.5 7L7 13.5L.5 7Z" }),
};

function tracePolygon(path, corners, x, y, scale) {
  path.moveTo(x + corners[0] * scale, y + corners[1] * scale);
  for (let k = 2; k < corners.length; k += 2) {
    path.lineTo(x + corners[k] * scale, y + corners[k + 1] * scale);
  }
  path.closePath();
}

export function traceShape(path, shape, x, y, radius) {
  if (shape === "square") {
    path.rect(x - radius * 0.9, y - radius * 0.9, 1.8 * radius, 1.8 * radius);
  } else if (shape === "circle") {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  } else {
    tracePolygon(path, POLYGONS[shape], x, y, radius);
  }
}

export function drawStar(pen, x, y, dark) {
  pen.beginPath();
  tracePolygon(pen, STAR, x, y, 1);
  pen.fillStyle = STAR_COLOUR;
  pen.strokeStyle = dark ? "#fff" : "#000";
  pen.lineWidth = 1.2;
  pen.fill();
  pen.stroke();
}

export const mark = (shape) => MARKS[shape]();

const icon = (width, height, attributes, ...children) =>
  svg("svg", { width, height, "aria-hidden": "true", ...attributes }, ...children);

export const swatch = (style) => icon(14, 14, { fill: style.colour }, mark(style.shape));

export function starSwatch() {
  const path = svg("path", { fill: STAR_COLOUR, stroke: "currentColor", "stroke-width": 1.3 });
  path.setAttribute("transform", "translate(8 8) scale(.75)");
  path.setAttribute("d", `M${STAR.join(" ")}Z`);
  return icon(16, 16, {}, path);
}

export const bandSwatch = () =>
  icon(14, 14, {}, svg("rect", { width: 14, height: 14, fill: "#8c959f", opacity: 0.35 }));

export const lineSwatch = (kind) =>
  icon(26, 10, { class: "chart" }, svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, class: kind }));

export const legendItem = (...content) => element("li", {}, ...content);

// The legend of those styles that are in use, or nothing where there is one style for all.
export function legendItems(styles, isUsed) {
  if (styles.length < 2) return [];
  const used = styles.filter((_, k) => isUsed(k)).slice(0, MOST_LEVELS);
  return used.map((style) => legendItem(swatch(style), style.label));
}
