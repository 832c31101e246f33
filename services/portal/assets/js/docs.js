// The reader: copy buttons on code, the section being read marked in the contents, and the
// list of pages closed on small screens. The pages work without.
function copiers(root) {
  for (const block of root.querySelectorAll(".docs-article pre")) {
    if (block.closest(".linenos") || block.closest(MERMAID)) continue;
    if (block.parentElement.querySelector(":scope > .docs-copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "docs-copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard?.writeText(block.innerText);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    block.parentElement.classList.add("docs-copied");
    block.before(button);
  }
}

// What is wider than its box is scrolled by keyboard too, whenever it comes to be so.
const SCROLLED = ".docs-article :is(pre, table, .docs-diagram-stage)";
const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
function scrollers(root) {
  widths.disconnect();
  for (const box of root.querySelectorAll(SCROLLED)) widths.observe(box);
}

let watcher = null;
function contents() {
  watcher?.disconnect();
  const links = new Map(
    [...document.querySelectorAll(".docs-contents a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]),
  );
  const seen = new Set();
  watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
      const first = [...links.keys()].find((id) => seen.has(id));
      if (!first) return;
      for (const [id, link] of links) id === first ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
    },
    { rootMargin: "-80px 0px -55% 0px" },
  );
  for (const id of links.keys()) {
    const heading = document.getElementById(id);
    if (heading) watcher.observe(heading);
  }
}

// Loaded where there is something to draw and the page may have the frame for it.
const MERMAID = ".docs-article :is(.mermaid, .language-mermaid)";
async function drawings() {
  if (document.querySelector("[data-diagram-frame]") && document.querySelector(MERMAID)) (await import("./diagrams.js")).scan();
  scrollers(document);
}

function ready() {
  drawings();
  copiers(document);
  contents();
}

const drawer = document.querySelector(".docs-drawer");
if (drawer && matchMedia("(max-width: 64rem)").matches) drawer.open = false;
ready();
document.addEventListener("callboard:live", (event) => event.detail.result === "changed" && ready());
