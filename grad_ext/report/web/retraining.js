// Code that trains a model again, in Python and in a terminal.
import { columns, data } from "./data.js";

// Titles and code. {trial} and {key} in what Python wrote stand for the selected model's.
export function retrainingCode(i) {
  const study = data.commands[data.studies ? data.studies[i] : 0];
  const trial = trialOf(study, i);
  const isBaseline = Boolean(trial.baseline);
  const template = isBaseline ? study.baseline : study.python;
  const blocks = [["Python", template.replace("{trial}", () => pythonLiteral(trial))]];
  if (!study.shell) return blocks;
  // Only GRAD's models can be saved: a baseline is trained again and compared.
  const option = isBaseline ? "" : " --save model.safetensors";
  const command = study.shell.replace("{key}", () => data.keys[i]) + option;
  blocks.push(["Terminal, in the folder that contains the study", command]);
  if (!isBaseline) {
    const code = 'from grad_ext import load\n\nmodel = load("model.safetensors")';
    blocks.push(["Load the saved model in Python", code]);
  }
  return blocks;
}

// The trial of a model: that of its study, with the settings that vary.
function trialOf(study, i) {
  const trial = structuredClone(study.trial);
  for (const column of columns) {
    if (!column.path || column.values[i] === null) continue;
    const value = column.kind === "text" ? column.json[column.values[i]] : column.values[i];
    const parts = column.path.split(".");
    const last = parts.pop();
    let target = trial;
    for (const part of parts) target = target[part] ||= {};
    target[last] = value;
  }
  return trial;
}

function pythonLiteral(value, indent = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map((each) => pythonLiteral(each)).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const lines = Object.entries(value).map(
    ([key, each]) => `${inner}${JSON.stringify(key)}: ${pythonLiteral(each, inner)},\n`,
  );
  return lines.length ? `{\n${lines.join("")}${indent}}` : "{}";
}
