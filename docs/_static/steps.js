// Makes a figure one to step through. Its steps are the items of the first numbered list after it,
// each of which begins with its name in bold; a part of the figure says in data-steps to which of
// them it belongs. Without this script the whole figure and the whole list are there.
document.addEventListener("DOMContentLoaded", () => {
  const pause = 4000;

  for (const figure of document.querySelectorAll("svg.grad-figure")) {
    const items = [...figure.closest("section").querySelector("ol").children];
    const parts = [...figure.querySelectorAll("[data-steps]")];
    let current = 0;
    let timer = 0;

    const bar = document.createElement("div");
    bar.className = "figure-steps";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Steps of the figure");

    const button = (name, act) => {
      const element = document.createElement("button");
      element.type = "button";
      element.textContent = name;
      element.addEventListener("click", act);
      bar.append(element);
      return element;
    };

    const show = (step) => {
      current = step;
      for (const part of parts) {
        const now = part.dataset.steps.split(" ").includes(String(step));
        part.classList.toggle("now", now);
        part.classList.toggle("faint", step > 0 && !now);
      }
      steps.forEach((each, i) => each.setAttribute("aria-pressed", String(i === step)));
      items.forEach((item, i) => {
        if (i + 1 === step) item.setAttribute("aria-current", "step");
        else item.removeAttribute("aria-current");
      });
      status.textContent = step > 0 ? items[step - 1].textContent : "";
    };

    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };

    const names = [
      "Everything",
      ...items.map((item) => item.querySelector("strong").textContent.replace(/\.$/, "")),
    ];
    const steps = names.map((name, i) =>
      button(name, () => {
        stop();
        show(i);
      }),
    );
    const play = button("Play", () => {
      if (timer) return stop();
      const next = () => show((current % items.length) + 1);
      timer = setInterval(next, pause);
      play.textContent = "Pause";
      next();
    });

    const status = document.createElement("div");
    status.className = "visually-hidden";
    status.setAttribute("role", "status");

    figure.after(bar, status);
    show(0);
  }
});
