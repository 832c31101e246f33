// The theme changes where one stands, without a new page; the form does the remembering.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches?.("[data-theme-form]") || event.submitter?.name !== "theme") return;
  event.preventDefault();
  const theme = event.submitter.value;
  const root = document.documentElement;
  if (theme === "auto") root.removeAttribute("data-theme");
  else root.dataset.theme = theme;
  for (const button of document.querySelectorAll('[data-theme-form] [name="theme"]')) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
  fetch(form.action, { method: "POST", body: new URLSearchParams({ theme }), redirect: "manual" });
});
