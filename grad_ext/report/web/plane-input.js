// Mouse and keyboard on the plane: a tooltip for the nearest model, and the selection of one.
import { byId } from "./dom.js";
import { describeModel } from "./format.js";
import { canvas, drawPlane, hoveredModel, markHovered } from "./plane.js";
import { leftToRight, nearest, overlapping, position } from "./points.js";
import { select, state } from "./state.js";

const tip = byId("tip");

function hover(i) {
  if (i === hoveredModel() && tip.hidden === i < 0) return;
  markHovered(i);
  canvas.style.cursor = i < 0 ? "crosshair" : "pointer";
  tip.hidden = i < 0;
  if (i < 0) return;
  const others = overlapping(i).length - 1;
  const note = others ? `\n${others} more in the same place: click again for the next.` : "";
  tip.textContent = describeModel(i) + note;
  const [x, y] = position(i);
  const left = Math.max(0, Math.min(x + 12, canvas.clientWidth - tip.offsetWidth));
  const top = y > canvas.clientHeight / 2 ? y - tip.offsetHeight - 12 : y + 12;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

export const hideTip = () => hover(-1);

function modelUnder(event) {
  const box = canvas.getBoundingClientRect();
  return nearest([event.clientX - box.left, event.clientY - box.top]);
}

// Repeated clicks select the models in one place in turn.
function click(event) {
  const i = modelUnder(event);
  if (i < 0) return;
  const models = overlapping(i);
  const next = models[(models.indexOf(state.selected) + 1) % models.length];
  hover(next);
  select(next);
}

function press(event) {
  const order = leftToRight();
  const hovered = hoveredModel();
  const current = order.indexOf(hovered >= 0 ? hovered : state.selected);
  const stride = Math.ceil(order.length / 20);
  const targets = {
    ArrowRight: current + 1,
    ArrowLeft: current - 1,
    ArrowUp: current + stride,
    ArrowDown: current - stride,
    Home: 0,
    End: order.length - 1,
  };
  if (event.key in targets && order.length) {
    const i = order[Math.max(0, Math.min(order.length - 1, targets[event.key]))];
    hover(i);
    byId("announcement").textContent = describeModel(i);
  } else if ((event.key === "Enter" || event.key === " ") && hovered >= 0) {
    select(hovered);
  } else if (event.key === "Escape") {
    hideTip();
  } else {
    return;
  }
  event.preventDefault();
}

canvas.addEventListener("pointermove", (event) => hover(modelUnder(event)));
canvas.addEventListener("pointerleave", hideTip);
canvas.addEventListener("blur", hideTip);
canvas.addEventListener("click", click);
canvas.addEventListener("keydown", press);
for (const id of ["plane-x", "plane-y", "plane-colour"]) {
  byId(id).addEventListener("change", () => {
    hideTip();
    drawPlane();
  });
}
