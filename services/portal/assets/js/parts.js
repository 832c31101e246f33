// Parts that htmx swaps: mark them busy at once.
// A box that was told of by its "input" events need not be told of again when it is left.
document.addEventListener("change", (event) => event.target.matches?.("[data-typed]") && event.stopPropagation(), true);

document.addEventListener("htmx:beforeRequest", (event) => {
  event.detail.target?.setAttribute?.("aria-busy", "true");
});
document.addEventListener("htmx:afterRequest", (event) => {
  event.detail.target?.removeAttribute?.("aria-busy");
});
for (const kind of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(kind, () => say("That did not arrive. Check the connection and try again."));
}

export function say(text) {
  const toast = document.getElementById("toast");
  if (!toast) return;
  const line = document.createElement("p");
  line.textContent = text;
  toast.append(line);
  setTimeout(() => line.remove(), 6000);
}

// A picture wider than its box begins with what it is about in the middle.
for (const box of document.querySelectorAll(".picture:not([data-zoom])")) {
  const focus = box.querySelector(".node.focus rect");
  if (!focus || box.scrollWidth <= box.clientWidth) continue;
  const place = focus.getBoundingClientRect();
  box.scrollLeft += place.left + place.width / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
}

// Of many tabs on a small screen the current one may stand out of sight.
for (const tab of document.querySelectorAll(".tabs > [aria-current]")) {
  const box = tab.parentElement;
  box.scrollLeft = tab.offsetLeft - box.offsetLeft - (box.clientWidth - tab.offsetWidth) / 2;
}

// "Apply" buttons of forms that htmx sends by itself are for readers without scripts.
for (const button of document.querySelectorAll("[data-without-script]")) {
  if (window.htmx || document.querySelector('script[src*="htmx"]')) button.hidden = true;
}
