// Which models are shown and which one is selected; what depends on these listens for a change.

const changes = new EventTarget();

export const state = { shown: [], selected: -1 };

export function onChange(property, listener) {
  changes.addEventListener(property, listener);
}

function change(property, value) {
  state[property] = value;
  changes.dispatchEvent(new Event(property));
}

export const show = (models) => change("shown", models);
export const select = (i) => change("selected", i);
