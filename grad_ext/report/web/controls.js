// What the selects of the charts offer, and what they show first.
import { columnNamed, distinctCount, metrics, namingSettings, settings } from "./data.js";
import { byId, fillSelect } from "./dom.js";
import { MOST_LEVELS } from "./symbols.js";

// So many series can be distinguished in a chart.
const MOST_SERIES = 6;
const NONE = { name: "-", label: "none" };

const varying = settings.filter((column) => distinctCount(column) > 1);
// Settings whose values a study compares: all that vary but the seeds.
export const comparedSettings = varying.filter((column) => !column.chance);

const compared = (name) => comparedSettings.find((column) => column.name === name);
const nameOf = (column) => (column ? column.name : NONE.name);

function fillPlane() {
  fillSelect(byId("plane-y"), [...metrics, ...varying], "accuracy");
  fillSelect(byId("plane-x"), [...metrics, ...varying], "discrimination");
  const first = compared("study") || compared("method") || compared("lam") || comparedSettings[0];
  const flags = columnNamed.constant ? [columnNamed.constant] : [];
  fillSelect(byId("plane-colour"), [NONE, ...varying, ...flags], nameOf(first));
}

function fillCurves() {
  const { method } = columnNamed;
  const x =
    method && distinctCount(method) > MOST_SERIES ? method : compared("lam") || comparedSettings[0];
  fillSelect(byId("curve-x"), varying.length ? varying : namingSettings, nameOf(x));
  const texts = varying.filter((c) => c.kind === "text" && distinctCount(c) <= MOST_LEVELS);
  const by = ["study", "method", "recipe", "dataset"]
    .map((name) => texts.find((column) => column.name === name))
    .find((column) => column && distinctCount(column) <= MOST_SERIES);
  const isX = by && by.name === byId("curve-x").value;
  fillSelect(byId("curve-by"), [NONE, ...texts], isX ? NONE.name : nameOf(by));
}

fillPlane();
fillCurves();
fillSelect(byId("spread-of"), metrics, "accuracy");
