// The table of all models: sorted by a column, in pages, the majority class on top.
import { columnNamed, columns, data } from "./data.js";
import { byId, element, rowHead } from "./dom.js";
import { formatCell, formatNumber, modelName } from "./format.js";
import { select, state } from "./state.js";

const PAGE_ROWS = 50;
// Whether a model is constant stands before its metrics.
const ROLES = ["setting", "flag", "metric", "fact"];

const ordered = ROLES.flatMap((role) => columns.filter((column) => column.role === role));
let sortedBy = "";
let descending = false;
let page = 0;

function visibleColumns() {
  const all = byId("all-columns").checked;
  return ordered.filter((column) => {
    if (column.hidden) return false;
    if (column.role === "metric") return column.main || all;
    return column.role !== "fact" || all || column.name === "error";
  });
}

export function drawHead() {
  const heads = [{ name: "", label: "model" }, ...visibleColumns()];
  byId("head").replaceChildren(element("tr", {}, ...heads.map(columnHead)));
}

function columnHead(column, k) {
  const isSorted = sortedBy === column.name;
  const order = descending ? "descending" : "ascending";
  const arrow = descending ? " ▼" : " ▲";
  const button = element("button", { type: "button" }, column.label + (isSorted ? arrow : ""));
  button.addEventListener("click", () => {
    descending = isSorted && !descending;
    sortedBy = column.name;
    drawHead();
    drawFirstPage();
    byId("head").querySelectorAll("button")[k].focus();
  });
  return element("th", { scope: "col", "aria-sort": isSorted ? order : "none" }, button);
}

function sortedModels() {
  const column = columnNamed[sortedBy];
  if (!column) return descending ? state.shown.slice().reverse() : state.shown;
  const key = sortKey(column);
  const sign = descending ? -1 : 1;
  return state.shown.slice().sort((a, b) => {
    const [u, v] = [key(a), key(b)];
    if (u === null || v === null) return (u === null) - (v === null) || a - b;
    return sign * (u - v) || a - b;
  });
}

// Text is sorted by the alphabet, not by the order in which it occurs.
function sortKey(column) {
  if (column.kind !== "text") return (i) => column.values[i];
  const { levels } = column;
  const alphabet = levels.map((_, k) => k).sort((a, b) => (levels[a] < levels[b] ? -1 : 1));
  const ranks = new Map(alphabet.map((level, rank) => [level, rank]));
  return (i) => ranks.get(column.values[i]);
}

export function drawFirstPage() {
  page = 0;
  drawTable();
}

export function drawTable() {
  const visible = visibleColumns();
  const models = sortedModels();
  const pages = Math.max(1, Math.ceil(models.length / PAGE_ROWS));
  page = Math.min(page, pages - 1);
  const start = page * PAGE_ROWS;
  const end = Math.min(models.length, start + PAGE_ROWS);
  byId("pinned").replaceChildren(...data.majority.map((row) => majorityRow(row, visible)));
  byId("body").replaceChildren(...models.slice(start, end).map((i) => modelRow(i, visible)));
  pinMajority();
  byId("page").textContent = `${models.length ? start + 1 : 0} to ${end} of ${models.length}`;
  byId("back").disabled = page === 0;
  byId("next").disabled = page >= pages - 1;
}

function majorityRow(row, visible) {
  const cells = visible.map((column) => {
    if (column.name === "constant") return "yes";
    const value = row[column.name] ?? null;
    return column.role === "metric" && value !== null ? formatNumber(value) : "";
  });
  return element(
    "tr",
    { class: "pinned" },
    rowHead(row.label),
    ...cells.map((text) => element("td", {}, text)),
  );
}

function modelRow(i, visible) {
  const isSelected = i === state.selected;
  const label = `Select ${modelName(i)}`;
  const button = element("button", { type: "button", "aria-label": label }, String(i + 1));
  const cells = visible.map((column) => {
    const isSet = column.kind === "flag" && column.values[i];
    return element("td", isSet ? { class: "yes" } : {}, formatCell(column, i));
  });
  const attributes = { "data-model": i, class: isSelected ? "selected" : "" };
  if (isSelected) attributes["aria-current"] = "true";
  const row = element("tr", attributes, rowHead(button), ...cells);
  row.addEventListener("click", () => {
    // Whoever marks text in a row does not mean to select its model.
    if (!getSelection().isCollapsed) return;
    select(i);
    byId("model").focus();
  });
  return row;
}

// The pinned row stays below the heading, whose names take a line or two.
export function pinMajority() {
  const head = byId("head");
  head.parentElement.style.setProperty("--head", `${head.offsetHeight}px`);
}

function turnPage(step) {
  page += step;
  drawTable();
}

byId("back").addEventListener("click", () => turnPage(-1));
byId("next").addEventListener("click", () => turnPage(1));
byId("all-columns").addEventListener("change", () => {
  drawHead();
  drawTable();
});
