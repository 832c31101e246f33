// Live pages: when something that the page shows changes, its parts are fetched anew and only
// those that differ are swapped, with a quiet highlight. What the reader is typing in,
// has selected or has opened is left alone.
//
// <… data-live-entity="REF"> or <… data-live-topics="docs-built,…"> on one element of the page;
// an id and data-live on each part; optional <… data-live-note> for "updated just now by …".
// A part that only the new page has is put where it stands there; one that it lacks is removed.
import { say } from "./parts.js";

const EVENTS = ["entity-changed", "docs-built", "template-run", "message"];
const TRIES = 5;
const AGAIN_MS = 150;
const ROOT = "[data-live-entity], [data-live-topics]";
const root = document.querySelector(ROOT);

export const shape = (part) => {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
  for (const box of copy.querySelectorAll("details[open]")) box.removeAttribute("open");
  for (const fresh of copy.querySelectorAll(".fresh")) fresh.classList.remove("fresh");
  return copy.innerHTML.replace(/\s+/g, " ");
};

export const inUse = (part) => {
  const active = document.activeElement;
  const picked = getSelection();
  const typed = active && part.contains(active) && active.matches("input, textarea, select");
  return typed || (picked && !picked.isCollapsed && picked.anchorNode && part.contains(picked.anchorNode));
};

export function swap(part, fresh) {
  const boxes = new Map([...part.querySelectorAll("details")].map((box) => [box.querySelector("summary")?.textContent, box.open]));
  const had = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceChildren(...fresh.childNodes);
  for (const box of part.querySelectorAll("details")) {
    box.open = boxes.get(box.querySelector("summary")?.textContent) ?? box.open;
  }
  if (had) part.querySelector(`[href="${CSS.escape(had)}"]`)?.focus({ preventScroll: true });
  highlight(part);
}

function highlight(part) {
  part.classList.remove("fresh");
  if (!part.textContent.trim() && !part.childElementCount) return;
  void part.offsetWidth; // restarts the highlight
  part.classList.add("fresh");
  window.htmx?.process(part);
}

const beside = (part, step) => {
  for (let each = part[step], steps = 1; each; each = each[step], steps += 1) {
    const known = each.id && document.getElementById(each.id);
    if (known) return { known, steps };
  }
  return { known: null, steps: Infinity };
};

// Next to the nearest neighbour that both pages have; if there is none, the reader's next visit shows it.
function insert(fresh) {
  const before = beside(fresh, "previousElementSibling");
  const after = beside(fresh, "nextElementSibling");
  if (!before.known && !after.known) return false;
  const part = document.importNode(fresh, true);
  if (before.steps <= after.steps) before.known.after(part);
  else after.known.before(part);
  highlight(part);
  return true;
}

async function renew() {
  const answer = await fetch(location.href, { headers: { "X-Purpose": "live" }, cache: "no-store" });
  if (answer.status === 404) return "liveMissing" in root.dataset ? "failed" : "gone";
  if (!answer.ok) return "failed";
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!page.querySelector(ROOT)) return "failed"; // another page was answered, such as the sign-in
  let changed = "same";
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const fresh = page.getElementById(part.id);
    if ((fresh && shape(part) === shape(fresh)) || inUse(part)) continue;
    if (fresh) swap(part, fresh);
    else part.remove();
    changed = "changed";
  }
  for (const fresh of page.querySelectorAll("[data-live][id]")) {
    if (!document.getElementById(fresh.id) && insert(fresh)) changed = "changed";
  }
  return changed;
}

const name = (who) => (who ?? "").replace(/^user:(default\/)?/i, "").replace(/\s*<[^>]*>$/, "");

// Of a build the page knows best how it ended: events may come close upon each other.
const failure = () => document.querySelector("[data-live-outcome]")?.dataset.liveOutcome;

function tell(note, data) {
  const cause = data?.cause ?? {};
  const who = name(cause.author || data?.actor);
  const isBuild = data?.site !== undefined;
  const why = cause.subject || (isBuild ? (failure() ?? "documentation built") : "");
  note.classList.toggle("bad", isBuild && failure() !== undefined);
  const when = document.createElement("time");
  when.dateTime = new Date().toISOString();
  when.textContent = "just now";
  note.replaceChildren("Updated ", when, `${who ? ` by ${who}` : ""}${why ? `: ${why}` : ""}`);
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let busy = Promise.resolve();

async function arrived(event) {
  let data = {};
  try {
    data = JSON.parse(event.data)?.data ?? {};
  } catch {
    // A heartbeat or a reset carries no payload.
  }
  let result = "same";
  for (let tried = 0; tried < TRIES && result === "same"; tried += 1) {
    if (tried) await pause(AGAIN_MS * tried); // the reader's service may be a step behind the log
    result = await renew().catch(() => "failed");
  }
  const note = document.querySelector("[data-live-note]");
  if (result === "changed" && note) tell(note, data);
  if (result === "gone") say("This was just removed. What you see is what it was last.");
  document.dispatchEvent(new CustomEvent("callboard:live", { detail: { event, data, result } }));
}

if (root) {
  const query = new URLSearchParams();
  if (root.dataset.liveEntity) query.set("entity", root.dataset.liveEntity);
  for (const topic of (root.dataset.liveTopics ?? "").split(",")) if (topic) query.append("topic", topic);
  const isList = "liveList" in root.dataset;
  const follow = () => document.dispatchEvent(new CustomEvent("callboard:list"));
  const next = isList ? follow : (event) => (busy = busy.then(() => arrived(event)));
  const again = isList ? follow : () => (busy = busy.then(renew));
  let source = null;
  let since = document.body.dataset.since ?? "";
  let lost = false;

  // A browser opens six connections to a host: pages that nobody looks at give theirs back.
  function listen() {
    if (source) return;
    // What happened between the reading of this page and its listening is told again.
    source = new EventSource(`/api/events/stream?${query}${since ? `&after=${since}` : ""}`);
    since = "";
    for (const kind of EVENTS) source.addEventListener(kind, next);
    source.addEventListener("reset", again);
    source.addEventListener("error", () => (lost = true));
    source.addEventListener("open", () => {
      document.documentElement.dataset.live = "open";
      if (lost) again();
      lost = false;
    });
  }
  function rest() {
    source?.close();
    source = null;
    lost = true;
    delete document.documentElement.dataset.live;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => event.persisted && listen());
  if (!document.hidden) listen();
}

// Relative times grow old while a page stands open.
const UNITS = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [604800, 86400, "day"]];
setInterval(() => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const unit = UNITS.find(([limit]) => seconds < limit);
    if (!unit || seconds < 0) continue;
    const many = Math.max(1, Math.floor(seconds / unit[1]));
    const text = seconds < 10 ? "just now" : `${many} ${unit[2]}${many === 1 ? "" : "s"} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}, 20000);
