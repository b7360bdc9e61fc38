// The interactive part of a report: one filter for the plane, the curves, the spread and the table,
// and one selected model. It needs no library and loads nothing.
import { drawCurves } from "./curves.js";
import { byId } from "./dom.js";
import { applyFilter } from "./filter.js";
import { announceSelected, drawSelected } from "./model.js";
import { hideTip } from "./plane-input.js";
import { canvas, drawPlane, drawRings } from "./plane.js";
import { preparePrinting } from "./printing.js";
import { drawSpread } from "./spread.js";
import { onChange } from "./state.js";
import { drawFirstPage, drawHead, drawTable, pinMajority } from "./table.js";

function repaint() {
  drawPlane();
  drawCurves();
  drawSpread();
  drawSelected();
}

// Only a change of width changes what is drawn.
function followWidth() {
  let width = 0;
  const observer = new ResizeObserver(() => {
    if (canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    requestAnimationFrame(() => {
      drawPlane();
      drawSpread();
      pinMajority();
    });
  });
  observer.observe(canvas.parentElement);
}

for (const draw of [hideTip, drawPlane, drawCurves, drawSpread, drawFirstPage]) {
  onChange("shown", draw);
}
for (const draw of [drawRings, drawTable, drawSelected, announceSelected]) {
  onChange("selected", draw);
}
for (const id of ["curve-x", "curve-by"]) byId(id).addEventListener("change", drawCurves);
byId("spread-of").addEventListener("change", drawSpread);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
preparePrinting(repaint);

byId("explorer").hidden = false;
drawHead();
applyFilter();
drawSelected();
followWidth();
