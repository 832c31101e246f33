// A button with data-dialog opens the dialog of that id; without scripts it is a link to a page that asks.
document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (!dialog?.showModal) return;
    event.preventDefault();
    dialog.showModal();
    return;
  }
  const copier = event.target.closest?.("[data-copy]");
  if (copier) {
    const text = document.getElementById(copier.dataset.copy)?.innerText ?? "";
    navigator.clipboard?.writeText(text).then(() => {
      const before = copier.textContent;
      copier.textContent = "Copied";
      setTimeout(() => (copier.textContent = before), 1500);
    });
  }
});
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target.method !== "post" || !button) return;
  // Disabling at once would drop the button's own value from the form.
  setTimeout(() => button.setAttribute("aria-busy", "true"));
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
});
