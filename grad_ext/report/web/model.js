// The selected model: its settings, metrics, training history, and how to train it again.
import { codeBlock } from "./code.js";
import { columns, data, isConstant, metrics, settings } from "./data.js";
import { byId, columnHeads, element, rowHead } from "./dom.js";
import { describeModel, formatCell, formatNumber, modelName } from "./format.js";
import { historyCharts } from "./history.js";
import { retrainingCode } from "./retraining.js";
import { state } from "./state.js";

const CONSTANT =
  " predicts the same label for every row or nearly, or no better than random labels, so its " +
  "Discrimination and its Consistency are not informative.";
const EVALUATED = "Evaluated on the test set, except for those named validation.";

const paragraph = (kind, ...content) => element("p", kind ? { class: kind } : {}, ...content);
const heading = (text) => element("h3", {}, text);

export function announceSelected() {
  const link = element("a", { href: "#model" }, "See it below");
  const description = describeModel(state.selected).replaceAll("\n", ". ");
  byId("announcement").replaceChildren(`Selected: ${description} `, link, ".");
}

export function drawSelected() {
  const i = state.selected;
  const box = byId("selected");
  if (i < 0) {
    box.replaceChildren(paragraph("quiet", "None: click a point, or a number in the table."));
    return;
  }
  box.replaceChildren(
    paragraph("", element("strong", {}, modelName(i)), isConstant(i) ? CONSTANT : ""),
    factList(i),
    heading("Metrics"),
    paragraph("quiet", EVALUATED),
    element("div", { class: "table", tabindex: "0" }, metricTable(i)),
    heading("Training history"),
    ...historyCharts(i),
    ...(data.commands ? [heading("Train it again"), ...retrainingCode(i).map(codeBlock)] : []),
  );
}

function factList(i) {
  const facts = columns.filter((column) => column.role === "fact" || column.kind === "flag");
  const entries = [...settings, ...facts].flatMap((column) => [
    element("dt", {}, column.label),
    element("dd", {}, formatCell(column, i)),
  ]);
  return element("dl", { class: "facts" }, ...entries);
}

function metricTable(i) {
  const majority = data.majority[data.of ? data.of[i] : 0] || {};
  const known = metrics.filter((column) => column.main || column.values[i] !== null);
  const rows = known.map((column) =>
    element(
      "tr",
      {},
      rowHead(column.label),
      element("td", {}, formatCell(column, i)),
      element("td", {}, formatNumber(majority[column.name])),
    ),
  );
  const heads = columnHeads(["metric", "this model", "majority class"]);
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...rows),
  );
}
