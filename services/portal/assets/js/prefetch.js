// A page that a pointer rests on is fetched before the click: kept for the few seconds
// that the server allows (Cache-Control of answers to X-Purpose: prefetch).
const REST_MS = 65;
const seen = new Map();
const slow = () => navigator.connection?.saveData || /2g/.test(navigator.connection?.effectiveType ?? "");

function prefetch(link) {
  const url = new URL(link.href, location.href);
  const known = seen.get(url.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
  if (url.pathname === location.pathname && url.search === location.search) return;
  if ((known && performance.now() - known < 5000) || slow()) return;
  seen.set(url.href, performance.now());
  fetch(url, { headers: { "X-Purpose": "prefetch", Accept: "text/html" }, priority: "low" }).catch(() => {});
}

let timer = 0;
document.addEventListener("pointerover", (event) => {
  const link = event.target.closest?.("a[href]");
  clearTimeout(timer);
  if (!link || link.target || link.hasAttribute("download") || link.closest("[hx-boost]")) return;
  timer = setTimeout(() => prefetch(link), REST_MS);
});
