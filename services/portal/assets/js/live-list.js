// A list that follows the catalog: rows that are shown change where they stand, new ones wait for a click, so that
// nothing moves under the reader's eyes.
//
// <… data-live-topics="…" data-live-list="ID">: the part with that id holds rows, [data-row] with an id each, and
// <p data-live-new hidden><button>; its page is fetched anew a little after an event, and never more often than REST_MS.
import { inUse, shape, swap } from "./live.js";

const WAIT_MS = 600;
const REST_MS = 2500;
const root = document.querySelector("[data-live-list]");
let timer = 0;
let last = 0;

const rowsOf = (part) => [...part.querySelectorAll("[data-row][id]")];

function offer(part, fresh, added, isShorter) {
  const note = part.querySelector("[data-live-new]");
  if (!note) return;
  note.hidden = !added.length && !isShorter;
  if (note.hidden) return;
  const button = note.querySelector("button");
  button.textContent = added.length ? `${added.length} new – show` : "The list has changed – show";
  button.onclick = () => {
    part.replaceWith(document.adoptNode(fresh));
    window.htmx?.process(fresh);
    for (const { id } of added) document.getElementById(id)?.classList.add("fresh");
    (added.length ? document.getElementById(added[0].id) : fresh).querySelector("[data-open]")?.focus();
  };
}

async function follow() {
  timer = 0;
  last = Date.now();
  const part = document.getElementById(root.dataset.liveList);
  if (!part || part.matches("[aria-busy=true]")) return later();
  const address = location.href;
  const answer = await fetch(address, { headers: { "X-Purpose": "live" }, cache: "no-store" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  // The reader has gone on to another list meanwhile.
  if (!fresh || address !== location.href || !part.isConnected) return;
  const now = new Map(rowsOf(fresh).map((row) => [row.id, row]));
  const shown = rowsOf(part);
  for (const row of shown) {
    const other = now.get(row.id);
    if (other && shape(row) !== shape(other) && !inUse(row)) swap(row, other.cloneNode(true));
  }
  const known = new Set(shown.map((row) => row.id));
  const added = [...now.values()].filter((row) => !known.has(row.id));
  offer(part, fresh, added, shown.some((row) => !now.has(row.id)));
}

function later() {
  timer ||= setTimeout(() => follow().catch(() => {}), Math.max(WAIT_MS, last + REST_MS - Date.now()));
}

if (root) document.addEventListener("callboard:list", later);
