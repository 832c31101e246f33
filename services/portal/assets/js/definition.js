// A link to an entry of a definition opens it: a closed <details> would only be scrolled to.
function open(hash) {
  const id = decodeURIComponent(hash.slice(1));
  const entry = id && document.getElementById(id);
  if (entry instanceof HTMLDetailsElement) entry.open = true;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('.api a[href^="#"]');
  if (link) open(link.hash);
});
addEventListener("hashchange", () => open(location.hash));
open(location.hash);
