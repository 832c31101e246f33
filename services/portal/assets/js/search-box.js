// Suggestions under the box at the top: a combobox (WAI-ARIA 1.2) that stays a plain form.
const WAIT_MS = 40;
const box = document.querySelector("[data-suggest]");

if (box) {
  const input = box.querySelector("input");
  const list = box.querySelector("[role=listbox]");
  let timer = 0;
  let asked = null;
  let chosen = -1;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-autocomplete", "list");

  const options = () => [...list.querySelectorAll("[role=option]")];

  function show(open) {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) choose(-1);
  }

  function choose(index) {
    const all = options();
    chosen = all.length ? (index < -1 ? all.length - 1 : index >= all.length ? -1 : index) : -1;
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
    if (chosen >= 0) {
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  async function suggest() {
    const term = input.value.trim();
    asked?.abort();
    if (!term) return show(false);
    asked = new AbortController();
    try {
      const answer = await fetch(`${box.dataset.suggest}?term=${encodeURIComponent(term)}`, {
        signal: asked.signal,
        headers: { "HX-Request": "true", "HX-Target": "suggestions" },
      });
      if (!answer.ok) return show(false);
      list.innerHTML = await answer.text();
      choose(-1);
      show(options().length > 0 && document.activeElement === input);
    } catch (error) {
      if (error.name !== "AbortError") show(false);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, WAIT_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return void suggest();
      event.preventDefault();
      // Who walks the list keeps it: an answer that is under way does not change it.
      clearTimeout(timer);
      asked?.abort();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      location.assign(options()[chosen].href);
    } else if (event.key === "Escape") {
      if (list.hidden) input.blur();
      show(false);
    }
  });
  box.addEventListener("focusout", (event) => {
    if (!box.contains(event.relatedTarget)) show(false);
  });
}
