// The page on paper: light colours, finer dots, and the plane as a picture.
import { byId, element } from "./dom.js";
import { canvas } from "./plane.js";

// A canvas that is drawn anew for printing comes out blank; a picture of it does not.
function pictureOfPlane() {
  const copy = element("canvas", { width: canvas.width, height: canvas.height });
  const pen = copy.getContext("2d");
  pen.drawImage(canvas, 0, 0);
  pen.drawImage(byId("rings"), 0, 0);
  return copy.toDataURL();
}

export function preparePrinting(repaint) {
  const picture = element("img", { alt: "" });
  const setPrinting = (printing) => {
    document.documentElement.classList.toggle("printing", printing);
    repaint();
  };
  addEventListener("beforeprint", () => {
    setPrinting(true);
    picture.src = pictureOfPlane();
    canvas.parentElement.append(picture);
  });
  addEventListener("afterprint", () => {
    picture.remove();
    setPrinting(false);
  });
}
