// The plane: a scatter plot of all shown models on a canvas.
import { axis } from "./axis.js";
import { stylesBy, theme } from "./colours.js";
import { chanceLevels, columnNamed, data, isConstant } from "./data.js";
import { byId } from "./dom.js";
import { truncate } from "./format.js";
import { isPlaced, place, position } from "./points.js";
import { state } from "./state.js";
import {
  MOST_LEVELS,
  bandSwatch,
  drawStar,
  legendItem,
  legendItems,
  starSwatch,
  traceShape,
} from "./symbols.js";

const LEFT = 62;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 44;

export const canvas = byId("plane");
const rings = byId("rings");
let radius = 0;
let hovered = -1;

export const hoveredModel = () => hovered;

export function markHovered(i) {
  hovered = i;
  drawRings();
}

export function drawPlane() {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width) return;
  const [x, y, colour] = ["plane-x", "plane-y", "plane-colour"].map(
    (id) => columnNamed[byId(id).value],
  );
  const colours = theme();
  const hasValue = (column, i) => column.kind !== "number" || column.values[i] !== null;
  const models = state.shown.filter((i) => hasValue(x, i) && hasValue(y, i));
  const hasMetric = (row, column) =>
    column.kind === "number" && (row[column.name] ?? null) !== null;
  const majority = data.majority.filter((row) => hasMetric(row, x) && hasMetric(row, y));
  const metricOf = (column) => majority.map((row) => row[column.name]);
  const across = axis(x, models, LEFT, width - RIGHT, metricOf(x));
  const up = axis(y, models, height - BOTTOM, TOP, metricOf(y));

  const pen = clearedCanvas(colours.paper);
  drawChanceLevel(pen, x, y, across, up, models, colours);
  drawGrid(pen, x, y, across, up, colours);
  place(models, pointPositions(x, y, across, up, models));
  const { index, styles } = stylesBy(colour, colours.dark);
  drawPoints(pen, models, index, styles);
  for (const row of majority) {
    drawStar(pen, across.position(row[x.name]), up.position(row[y.name]), colours.dark);
  }
  drawRings();
  canvas.setAttribute("aria-label", `${y.label} against ${x.label}, ${models.length} models`);
  drawLegend(x, y, models, index, styles);
}

// Paper has finer dots than a screen.
function sharpness() {
  const printing = document.documentElement.classList.contains("printing");
  return Math.max(window.devicePixelRatio || 1, printing ? 3 : 1);
}

function clearedCanvas(paper) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = sharpness();
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = paper;
  pen.fillRect(0, 0, width, height);
  return pen;
}

// Shades the Discrimination up to the mean chance level of the models that are not constant.
function drawChanceLevel(pen, x, y, across, up, models, colours) {
  if (!chanceLevels) return;
  const values = models
    .filter((i) => !isConstant(i))
    .map((i) => chanceLevels.values[i])
    .filter((v) => v !== null);
  if (!values.length) return;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const ends = (scale) =>
    [Math.max(0, scale.low), Math.min(mean, scale.high)].map((v) => scale.position(v));
  pen.save();
  pen.globalAlpha = 0.18;
  pen.fillStyle = colours.band;
  if (x.name === "discrimination") {
    const [low, high] = ends(across);
    pen.fillRect(low, TOP, high - low, canvas.clientHeight - TOP - BOTTOM);
  }
  if (y.name === "discrimination") {
    const [low, high] = ends(up);
    pen.fillRect(LEFT, high, canvas.clientWidth - LEFT - RIGHT, low - high);
  }
  pen.restore();
}

function drawGrid(pen, x, y, across, up, colours) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const plotWidth = width - LEFT - RIGHT;
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.strokeStyle = colours.line;
  pen.fillStyle = colours.quiet;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.textAlign = "center";
  const labelled = Math.max(1, Math.ceil((across.ticks.length * 60) / plotWidth));
  across.ticks.forEach(([tick, text], k) => {
    pen.moveTo(tick, TOP);
    pen.lineTo(tick, height - BOTTOM);
    if (k % labelled === 0) pen.fillText(truncate(text), tick, height - BOTTOM + 11);
  });
  pen.textAlign = "right";
  for (const [tick, text] of up.ticks) {
    pen.moveTo(LEFT, tick);
    pen.lineTo(width - RIGHT, tick);
    pen.fillText(truncate(text), LEFT - 6, tick);
  }
  pen.stroke();
  pen.fillStyle = colours.ink;
  pen.textAlign = "center";
  pen.fillText(x.label, LEFT + plotWidth / 2, height - 12);
  pen.save();
  pen.translate(10, (height - BOTTOM + TOP) / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText(y.label, 0, 0);
  pen.restore();
}

// Models of the same value of a setting are spread a little, always in the same way.
function pointPositions(x, y, across, up, models) {
  const plotWidth = canvas.clientWidth - LEFT - RIGHT;
  const step = Math.min(stepShare(x, models) * plotWidth, across.step || Infinity);
  const jitter = (i) => (((i * 2654435761) >>> 0) / 2 ** 32) * 2 - 1;
  return (i) => [across.position(x.values[i]) + jitter(i) * step * 0.3, up.position(y.values[i])];
}

// The share of the width between the values of a setting with few of them, else 0.
function stepShare(column, models) {
  if (column.role !== "setting") return 0;
  const count = new Set(models.map((i) => column.values[i])).size;
  return count <= MOST_LEVELS ? 1 / Math.max(2, count) : 0;
}

function drawPoints(pen, models, index, styles) {
  const count = models.length;
  if (count > 3000) radius = 2;
  else radius = count > 500 ? 3 : 4.5;
  const filled = styles.map(() => new Path2D());
  const open = styles.map(() => new Path2D());
  for (const i of models) {
    const k = index(i);
    const path = (isConstant(i) ? open : filled)[k];
    traceShape(path, styles[k].shape, ...position(i), radius);
  }
  pen.lineWidth = 1.5;
  pen.globalAlpha = count > 500 ? 0.6 : 0.8;
  styles.forEach((style, k) => {
    pen.fillStyle = pen.strokeStyle = style.colour;
    pen.fill(filled[k]);
    pen.stroke(open[k]);
  });
  pen.globalAlpha = 1;
}

// On a canvas of their own: a move of the mouse does not draw the points again.
export function drawRings() {
  const pen = rings.getContext("2d");
  const colours = theme();
  rings.width = canvas.width;
  rings.height = canvas.height;
  pen.scale(sharpness(), sharpness());
  pen.lineWidth = 3;
  const marked = [
    [state.selected, colours.accent],
    [hovered, colours.ink],
  ];
  for (const [i, colour] of marked) {
    if (!isPlaced(i)) continue;
    pen.beginPath();
    pen.strokeStyle = colour;
    pen.arc(...position(i), radius + 5, 0, 2 * Math.PI);
    pen.stroke();
  }
}

function drawLegend(x, y, models, index, styles) {
  const used = new Set(models.map(index));
  const items = legendItems(styles, (k) => used.has(k));
  if (styles.length > MOST_LEVELS) {
    items.push(legendItem(`… ${styles.length - MOST_LEVELS} more`));
  }
  const classes = data.majority.length > 1 ? "majority classes" : "majority class";
  items.push(legendItem(starSwatch(), classes));
  if (x.name === "discrimination" || y.name === "discrimination") {
    items.push(legendItem(bandSwatch(), "chance level of Discrimination"));
  }
  byId("legend").replaceChildren(...items);
}
