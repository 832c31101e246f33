// The keyboard: "/" searches, "g" and a letter goes somewhere, j and k walk rows, "?" lists all.
const PLACES = { h: "/", c: "/catalog", d: "/docs", t: "/create", g: "/graph", s: "/status" };
const CHORD_MS = 1200;
let chordUntil = 0;

const typing = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

const rows = () =>
  [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());

function walk(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  const link = next.querySelector("[data-open]") ?? next.querySelector("a");
  link?.focus();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  const now = performance.now();
  if (now < chordUntil && PLACES[event.key]) {
    chordUntil = 0;
    event.preventDefault();
    location.assign(PLACES[event.key]);
    return;
  }
  chordUntil = event.key === "g" ? now + CHORD_MS : 0;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("search")?.select();
  } else if (event.key === "?") {
    document.getElementById("shortcuts")?.showModal();
  } else if (event.key === "j" || event.key === "k") {
    walk(event.key === "j" ? 1 : -1);
  }
});
