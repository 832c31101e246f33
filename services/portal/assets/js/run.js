// A run while it runs: its events say when to fetch the page anew, and the parts that differ
// are swapped; the log only grows, and follows its end unless one has scrolled up in it.
const run = document.querySelector("[data-run][data-run-live]");
const WAIT_MS = 80;
const AGAIN_MS = 3000;
const NEAR_END = 40;
// What matters in a running log, and in one of a failed run, stands at its end.
const end = document.querySelector("[data-run-at-end]");
if (end) end.scrollTop = end.scrollHeight;

if (run) {
  const log = document.getElementById("run-log");
  const note = document.querySelector("[data-run-note]");
  let timer = 0;
  let asking = false;
  let wanted = false;
  let source = null;

  const plain = (part) => part.innerHTML.replace(/<time\b[^>]*>[^<]*<\/time>/g, "");

  function grow(page) {
    const fresh = page.getElementById("run-log");
    if (!fresh || !log) return;
    const following = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
    for (const line of [...fresh.children].slice(log.children.length)) log.append(line);
    if (following) log.scrollTop = log.scrollHeight;
  }

  async function renew() {
    if (asking) return void (wanted = true);
    asking = true;
    wanted = false;
    try {
      const answer = await fetch(location.href, { headers: { "X-Purpose": "live" }, cache: "no-store" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-run-part]")) {
        const fresh = page.getElementById(part.id);
        if (fresh && plain(part) !== plain(fresh)) part.replaceChildren(...fresh.childNodes);
      }
      grow(page);
      if (!page.querySelector("[data-run-live]")) finish();
    } catch {
      // The next event, or the timer, tries again.
    } finally {
      asking = false;
      if (wanted) soon();
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(renew, WAIT_MS);
  }

  function finish() {
    source?.close();
    source = null;
    clearInterval(watch);
    run.removeAttribute("data-run-live");
    if (note) note.textContent = "";
  }

  const id = encodeURIComponent(run.dataset.run);
  source = new EventSource(`/api/scaffolder/v2/tasks/${id}/eventstream?after=${run.dataset.after}`);
  for (const kind of ["log", "completion", "cancelled", "recovered"]) source.addEventListener(kind, soon);
  // The stream ends with the run; a browser would open it again and again.
  source.addEventListener("error", soon);
  const watch = setInterval(renew, AGAIN_MS);
  addEventListener("pagehide", finish);
}
