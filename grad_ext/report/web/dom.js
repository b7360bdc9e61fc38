// Elements of the page.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export const columnHeads = (labels) => labels.map((text) => element("th", { scope: "col" }, text));
export const rowHead = (content) => element("th", { scope: "row" }, content);

// Columns become the options of a select, and one of them its value.
export function fillSelect(select, columns, value) {
  const options = columns.map((column) => element("option", { value: column.name }, column.label));
  select.replaceChildren(...options);
  if (columns.some((column) => column.name === value)) select.value = value;
}
