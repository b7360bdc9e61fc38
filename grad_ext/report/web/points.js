// Where the points of the plane lie, and which of them are near a place.
import { data } from "./data.js";

const REACH = 14;
const SAME_PLACE = 0.5;

const coordinates = new Float64Array(2 * data.rows);
const cells = new Map();
let placed = new Set();
let order = [];

const cellIndex = (v) => Math.floor(v / REACH);
const cellOf = ([x, y]) => `${cellIndex(x)},${cellIndex(y)}`;
const squaredDistance = (i, [x, y]) =>
  (coordinates[2 * i] - x) ** 2 + (coordinates[2 * i + 1] - y) ** 2;

export const position = (i) => [coordinates[2 * i], coordinates[2 * i + 1]];
export const isPlaced = (i) => placed.has(i);
export const leftToRight = () => order;

export function place(models, positionOf) {
  cells.clear();
  for (const i of models) {
    coordinates.set(positionOf(i), 2 * i);
    const cell = cellOf(position(i));
    if (cells.has(cell)) cells.get(cell).push(i);
    else cells.set(cell, [i]);
  }
  placed = new Set(models);
  order = models.slice().sort((a, b) => coordinates[2 * a] - coordinates[2 * b]);
}

// The model nearest to a place, or -1 where none is within reach.
export function nearest([x, y]) {
  let best = -1;
  let least = REACH ** 2;
  for (const dx of [-REACH, 0, REACH]) {
    for (const dy of [-REACH, 0, REACH]) {
      for (const i of cells.get(cellOf([x + dx, y + dy])) || []) {
        const distance = squaredDistance(i, [x, y]);
        if (distance < least) {
          least = distance;
          best = i;
        }
      }
    }
  }
  return best;
}

// A small test set leaves few distinct values: the models that lie where a model lies, itself too.
export function overlapping(i) {
  const neighbours = cells.get(cellOf(position(i))) || [];
  return neighbours.filter((k) => squaredDistance(k, position(i)) < SAME_PLACE ** 2);
}
