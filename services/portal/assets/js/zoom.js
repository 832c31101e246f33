// A large picture: wheel and pinch to zoom, drag to move, + - 0 and arrows by keyboard.
// The picture is an SVG in a scrolling box; without scripts it scrolls.
const box = document.querySelector("[data-zoom]");
const svg = box?.querySelector("svg");

if (svg) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const fit = () => Math.min(1, (box.clientWidth - 2) / width);
  let scale = fit();

  function zoom(to, x = box.clientWidth / 2, y = box.clientHeight / 2) {
    const before = scale;
    scale = Math.min(3, Math.max(Math.min(fit(), 0.1), to));
    svg.setAttribute("width", width * scale);
    svg.setAttribute("height", height * scale);
    const ratio = scale / before;
    box.scrollLeft = (box.scrollLeft + x) * ratio - x;
    box.scrollTop = (box.scrollTop + y) * ratio - y;
  }

  // A wide picture begins at a size that can be read, at its focus.
  const focus = svg.querySelector(".node.focus rect");
  zoom(Math.max(fit(), 0.75));
  box.scrollLeft = 0;
  if (focus) {
    box.scrollLeft = (Number(focus.getAttribute("x")) + 60) * scale - box.clientWidth / 2;
    box.scrollTop = Number(focus.getAttribute("y")) * scale - box.clientHeight / 2;
  }

  box.classList.add("zoomable");
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls, as everywhere
    event.preventDefault();
    const place = box.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - place.left, event.clientY - place.top);
  }, { passive: false });

  const fingers = new Map();
  let apart = 0;
  let moved = 0;
  const distance = () => {
    const [one, two] = [...fingers.values()];
    return Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
  };
  box.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    moved = 0;
    if (fingers.size === 2) apart = distance();
  });
  box.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const now = distance();
      zoom(scale * (now / apart));
      apart = now;
      return;
    }
    moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
    box.scrollLeft -= event.clientX - before.clientX;
    box.scrollTop -= event.clientY - before.clientY;
  });
  for (const kind of ["pointerup", "pointercancel", "pointerleave"]) {
    box.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  }
  // A drag that ends on a box must not open it.
  box.addEventListener("click", (event) => moved > 6 && event.preventDefault(), true);
  box.addEventListener("dragstart", (event) => event.preventDefault());
  box.addEventListener("keydown", (event) => {
    const by = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (by) zoom(scale * by);
    else if (event.key === "0") zoom(fit());
    else return;
    event.preventDefault();
  });

  const buttons = document.querySelector("[data-zoom-buttons]");
  if (buttons) {
    buttons.hidden = false;
    buttons.addEventListener("click", (event) => {
      const by = Number(event.target.closest("[data-zoom-by]")?.dataset.zoomBy ?? NaN);
      if (!Number.isNaN(by)) zoom(by ? scale * by : fit());
    });
  }
}

for (const control of document.querySelectorAll("[data-submits]")) {
  control.addEventListener("change", () => control.form.requestSubmit());
}
