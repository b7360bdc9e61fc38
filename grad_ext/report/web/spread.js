// The spread over seeds: the models of each combination of settings as a row of dots.
import { axis } from "./axis.js";
import { chart, line, text } from "./chart.js";
import { plainStyle, theme } from "./colours.js";
import { columnNamed, majorityValue, numericValue, settings } from "./data.js";
import { byId, svg } from "./dom.js";
import { describeModel, formatCell } from "./format.js";
import { select, state } from "./state.js";
import { percentiles } from "./statistics.js";

const MOST_ROWS = 40;
const TOP = 8;
const BOTTOM = 40;
const NARROW = 600;
const LETTER_WIDTH = 6.8;

const fixedSettings = settings.filter((column) => !column.chance);

export function drawSpread() {
  const metric = columnNamed[byId("spread-of").value];
  const groups = groupsOfSeeds(metric);
  const several = groups.filter((models) => models.length > 1);
  const drawn = several.slice(0, MOST_ROWS);
  const majority = majorityValue(metric.name);
  byId("spread-note").textContent = note(several.length, groups.length, majority !== null);
  byId("spread").replaceChildren(...(drawn.length ? [spreadChart(metric, drawn, majority)] : []));
}

// The models that have the metric, those of equal settings but for the seeds together.
function groupsOfSeeds(metric) {
  const groups = new Map();
  for (const i of state.shown) {
    if (numericValue(metric, i) === null) continue;
    const key = fixedSettings.map((column) => column.values[i]).join("|");
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(i);
  }
  return [...groups.values()];
}

function note(several, all, hasMajority) {
  if (!several) return "No two of these models differ only in their seeds.";
  const sentences = [
    "Each dot is a model; the tick is the median of the models that differ only in their seeds " +
      "or train/test splits.",
  ];
  if (hasMajority) sentences.push("Dashed: the majority class.");
  if (several > MOST_ROWS) {
    sentences.push(
      `The first ${MOST_ROWS} of ${several} settings; filter the models to see others.`,
    );
  }
  if (all > several) sentences.push(`${all - several} settings have a single model.`);
  return sentences.join(" ");
}

function spreadChart(metric, groups, majority) {
  const width = Math.max(340, Math.min(1000, byId("spread").clientWidth || 700));
  const narrow = width < NARROW;
  const step = narrow ? 40 : 22;
  const base = TOP + step * groups.length;
  const labels = groups.map(settingsLabel);
  const longest = Math.max(...labels.map((label) => label.length));
  // On a narrow page the labels are above the dots.
  const left = narrow ? 12 : Math.min(width * 0.5, 16 + LETTER_WIDTH * longest);
  const letters = Math.floor(((narrow ? width : left) - 15) / LETTER_WIDTH);
  const across = axis(metric, groups.flat(), left, width - 12, [majority]);
  const picture = chart(
    width,
    base + BOTTOM,
    `${metric.label} of single models, ${groups.length} settings`,
  );
  for (const [x, value] of across.ticks) {
    picture.append(line([x, x], [TOP, base], { class: "axis" }), text(x, base + 16, value));
  }
  picture.append(text((left + width) / 2, base + BOTTOM - 6, metric.label));
  if (majority !== null) {
    const x = across.position(majority);
    const title = svg("title", {}, "majority class");
    picture.append(line([x, x], [TOP, base], { class: "majority" }, title));
  }
  groups.forEach((models, k) => {
    const y = TOP + step * (k + (narrow ? 0.75 : 0.5));
    const label = truncateStart(labels[k], letters);
    picture.append(
      narrow ? text(4, y - 12, label, "start") : text(left - 8, y + 4, label, "end"),
      ...dots(metric, models, across, y),
    );
  });
  return picture;
}

function settingsLabel([first]) {
  const parts = fixedSettings.map((column) => `${column.label} ${formatCell(column, first)}`);
  return parts.join(", ") || "all models";
}

const truncateStart = (label, letters) =>
  label.length > letters ? `…${label.slice(1 - letters)}` : label;

function dots(metric, models, across, y) {
  const fill = plainStyle(theme().dark).colour;
  const circles = models.map((i) => {
    const cx = across.position(metric.values[i]);
    const circle = svg(
      "circle",
      { cx, cy: y, r: 4, fill, opacity: 0.6, style: "cursor:pointer" },
      svg("title", {}, describeModel(i)),
    );
    circle.addEventListener("click", () => select(i));
    return circle;
  });
  const x = across.position(percentiles(metric, models).median);
  const tick = line([x, x], [y - 8, y + 8], { stroke: "var(--ink)", "stroke-width": 2 });
  return [...circles, tick];
}
