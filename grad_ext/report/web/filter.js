// The filter: a text of conditions, and a select for each setting of few values.
import { conditionsOf } from "./condition.js";
import { comparedSettings } from "./controls.js";
import { columnNamed, data, distinctCount } from "./data.js";
import { byId, element } from "./dom.js";
import { formatCell, formatNumber } from "./format.js";
import { show } from "./state.js";
import { distinct } from "./statistics.js";
import { MOST_LEVELS } from "./symbols.js";

const DELAY_MS = 120;

const input = byId("filter");
const form = byId("filters");
const levels = byId("levels");
let timer = 0;

export function applyFilter() {
  const conditions = levelConditions();
  let problem = "";
  try {
    conditions.push(...conditionsOf(input.value));
  } catch (error) {
    problem = error.message;
  }
  const models = Array.from({ length: data.rows }, (_, i) => i);
  const shown = models.filter((i) => conditions.every((holds) => holds(i)));
  const count = byId("shown");
  count.textContent = problem
    ? `Invalid filter: ${problem}.`
    : `${shown.length} of ${data.rows} models.`;
  count.classList.toggle("bad", Boolean(problem));
  show(shown);
}

function levelConditions() {
  const chosen = [...levels.querySelectorAll("select")].filter((select) => select.value !== "");
  return chosen.map((select) => {
    const column = columnNamed[select.name];
    const value = Number(select.value);
    return (i) => column.values[i] === value;
  });
}

function levelSelect(column) {
  const values =
    column.kind === "text"
      ? column.levels.map((text, k) => [k, text])
      : distinct(column.values.filter((v) => v !== null)).map((v) => [
          v,
          formatNumber(v, "setting"),
        ]);
  const options = values.map(([value, text]) => element("option", { value }, text));
  const all = element("option", { value: "" }, "all");
  return element(
    "label",
    {},
    column.label,
    element("select", { name: column.name }, all, ...options),
  );
}

function describeFilter() {
  const column = comparedSettings.find((c) => c.kind === "number");
  const example = column ? `${column.name}=${formatCell(column, 0)} ` : "";
  const hint = `${example}discrimination<0.05 constant=no`;
  input.placeholder = hint;
  byId("filter-help").textContent =
    `Conditions on any column, such as ${hint}; a word without an operator is searched in text columns.`;
}

const few = comparedSettings.filter((column) => distinctCount(column) <= MOST_LEVELS);
levels.append(...few.map(levelSelect));
describeFilter();
levels.addEventListener("change", applyFilter);
input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(applyFilter, DELAY_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  applyFilter();
});
// A form is reset after its event.
form.addEventListener("reset", () => setTimeout(applyFilter));
