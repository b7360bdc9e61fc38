// Blocks of code with a button that copies them.
import { element } from "./dom.js";

const CONFIRMED_MS = 2000;

// Two buttons of one name: a screen reader reads each with what it copies.
export function codeBlock([title, code], k) {
  const heading = element("span", { id: `code-${k}` }, title);
  const button = element(
    "button",
    {
      type: "button",
      class: "noprint",
      id: `copy-${k}`,
      "aria-labelledby": `copy-${k} code-${k}`,
    },
    "Copy",
  );
  const pre = element("pre", { tabindex: "0" }, code);
  button.addEventListener("click", () => copy(pre, button));
  const line = element("p", { class: "quiet" }, heading, " ", button);
  return element("div", { class: "code" }, line, pre);
}

async function copy(pre, button) {
  if (!(await toClipboard(pre))) {
    button.textContent = "Marked: press Ctrl+C";
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, CONFIRMED_MS);
}

// Where a browser gives a file from disk no clipboard, the text is marked and copied as by hand.
async function toClipboard(pre) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(pre);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  }
}
