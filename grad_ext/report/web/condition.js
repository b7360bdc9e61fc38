// Conditions of the filter, such as `lam>=100`, as functions of a model.
import { columns } from "./data.js";
import { formatCell } from "./format.js";

const OPERATORS = {
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
  "!=": (a, b) => a !== b,
  "=": (a, b) => a === b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
};
const textColumns = columns.filter((column) => column.kind === "text");

// The conditions in a text, separated by spaces; within quotes a space is part of a condition.
export function conditionsOf(text) {
  const words = text.match(/"[^"]*"|\S+/g) || [];
  return words.map((word) => condition(word.replaceAll('"', "")));
}

function condition(word) {
  const match = word.match(/^([^<>=!]+)(>=|<=|!=|=|<|>)(.+)$/);
  if (!match) return textContains(word);
  const [, name, operator, operand] = match;
  const column = columnCalled(name.replaceAll("_", " ").trim()) || columnCalled(name.trim());
  if (!column) throw new Error(`there is no column ${name}`);
  const holds = OPERATORS[operator];
  if (column.kind !== "number") {
    return (i) => holds(formatCell(column, i).toLowerCase(), operand.toLowerCase());
  }
  const limit = Number(operand);
  if (Number.isNaN(limit)) throw new Error(`${column.label} is a number, ${operand} is not`);
  // Settings are compared as they are shown, so that what a reader sees can be typed.
  const value = (i) =>
    column.role === "setting" ? Number(formatCell(column, i)) : column.values[i];
  return (i) => column.values[i] !== null && holds(value(i), limit);
}

function textContains(word) {
  const part = word.toLowerCase();
  return (i) => textColumns.some((column) => formatCell(column, i).toLowerCase().includes(part));
}

function columnCalled(name) {
  const lower = name.toLowerCase();
  return columns.find((column) =>
    [column.name, column.label].some((own) => own.toLowerCase() === lower),
  );
}
