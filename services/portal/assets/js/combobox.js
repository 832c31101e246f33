// A text field that offers what the server finds while one types: a combobox with a list box (WAI-ARIA 1.2).
// Markup: templates/components/combobox.html. A hidden field carries the value, the text field shows its name; without
// scripts the text field carries the value itself. Several values stand as chips before the field. The few choices that a
// page brings itself stand in a <datalist>.
const WAIT_MS = 150;
const MOST_SHOWN = 50;
let number = 0;

const hiddenField = (name, value) => Object.assign(document.createElement("input"), { type: "hidden", name, value });

class Combobox {
  constructor(box) {
    this.box = box;
    this.input = box.querySelector("input");
    this.name = this.input.name;
    this.chips = box.querySelector("[data-chips]");
    this.known = [...box.querySelectorAll("datalist option")].map((option) => option.value);
    this.input.removeAttribute("list");
    this.submits = "comboboxSubmits" in box.dataset;
    this.active = -1;
    this.makeList();
    if (this.chips) this.makeChips();
    else this.input.before((this.hidden = hiddenField(this.name, this.input.value)));
    this.input.removeAttribute("name");
    this.input.value = this.text = this.input.dataset.text;
    this.listen();
  }

  makeList() {
    const id = `combobox-${(number += 1)}`;
    const label = this.input.labels?.[0]?.textContent.trim() || this.input.getAttribute("aria-label") || "Choices";
    this.panel = Object.assign(document.createElement("div"), { className: "combobox-panel", hidden: true });
    this.list = Object.assign(document.createElement("div"), { id, className: "combobox-list" });
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", label);
    this.note = Object.assign(document.createElement("p"), { className: "combobox-note" });
    this.note.setAttribute("role", "status");
    this.panel.append(this.list, this.note);
    this.box.append(this.panel);
    const states = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id };
    for (const [key, value] of Object.entries(states)) this.input.setAttribute(key, value);
  }

  makeChips() {
    this.chips.setAttribute("aria-label", "Chosen");
    for (const chip of this.chips.children) this.dressChip(chip, chip.textContent);
    this.chips.hidden = !this.chips.children.length;
  }

  dressChip(chip, text) {
    const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", `Remove ${text}`);
    remove.addEventListener("click", () => this.removeChip(chip));
    chip.append(hiddenField(this.name, chip.dataset.value), remove);
  }

  removeChip(chip) {
    chip.remove();
    this.chips.hidden = !this.chips.children.length;
    this.input.focus();
    this.changed();
  }

  get options() {
    return [...this.list.children];
  }

  show(isOpen) {
    const opens = isOpen && this.panel.hidden;
    this.panel.hidden = !isOpen;
    this.input.setAttribute("aria-expanded", String(isOpen));
    if (opens) this.panel.scrollIntoView({ block: "nearest" });
    if (!isOpen) this.activate(-1);
  }

  activate(index) {
    const options = this.options;
    this.active = options.length ? Math.max(-1, Math.min(index, options.length - 1)) : -1;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.active)));
    if (this.active < 0) return this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-activedescendant", options[this.active].id);
    options[this.active].scrollIntoView({ block: "nearest" });
  }

  // The newest question counts: an older one is given up, and none changes a list that is being walked.
  cancel() {
    clearTimeout(this.timer);
    this.request?.abort();
  }

  async ask(term) {
    this.cancel();
    if (this.known.length) return this.offerKnown(term);
    const request = (this.request = new AbortController());
    try {
      const address = `${this.box.dataset.combobox}&term=${encodeURIComponent(term)}`;
      const answer = await fetch(address, { signal: request.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.fill([...page.querySelectorAll("[role=option]")], page.querySelector("[data-note]")?.textContent ?? "");
    } catch (error) {
      if (error.name === "AbortError") return;
      this.list.replaceChildren();
      this.note.textContent = "The choices did not arrive. Type again, or write the whole name.";
    }
    this.show(document.activeElement === this.input);
  }

  offerKnown(term) {
    const fitting = this.known.filter((text) => text.toLowerCase().includes(term.toLowerCase()));
    const options = fitting.slice(0, MOST_SHOWN).map((text) => {
      const option = Object.assign(document.createElement("div"), { className: "choice-option", textContent: text });
      option.setAttribute("role", "option");
      Object.assign(option.dataset, { value: text, label: text });
      return option;
    });
    this.fill(options, fitting.length ? `${options.length} of ${this.known.length}` : "Nothing matches.");
    this.show(document.activeElement === this.input);
  }

  fill(offered, note) {
    const taken = new Set([...(this.chips?.children ?? [])].map((chip) => chip.dataset.value));
    const options = offered.filter((option) => !taken.has(option.dataset.value));
    options.forEach((option, at) => (option.id = `${this.list.id}-${at}`));
    this.list.replaceChildren(...options);
    this.note.textContent = note;
    this.activate(-1);
  }

  choose(option) {
    this.give(option.dataset.value, option.dataset.label);
    this.show(false);
  }

  give(value, text) {
    if (this.chips) {
      if (!value) return;
      const chip = Object.assign(document.createElement("li"), { className: "chip", textContent: text });
      chip.dataset.value = value;
      this.dressChip(chip, text);
      this.chips.append(chip);
      this.chips.hidden = false;
      this.input.value = this.text = "";
    } else {
      if (this.hidden.value === value && this.input.value === text) return;
      this.hidden.value = value;
      this.input.value = this.text = text;
    }
    this.changed();
  }

  changed() {
    this.input.dispatchEvent(new Event("change", { bubbles: true }));
    if (this.submits && this.hidden?.value) this.input.form.requestSubmit();
  }

  // What was typed and not chosen: the choice of that name, or the text itself. Leaving a field sends no form.
  settle(isLeft = false) {
    this.cancel();
    const text = this.input.value.trim();
    if (text === this.text) return;
    const same = this.options.find(({ dataset }) => [dataset.label, dataset.value].some((each) => each.toLowerCase() === text.toLowerCase()));
    if (same) this.give(same.dataset.value, same.dataset.label);
    else if (!this.submits || !isLeft) this.give(text, text);
  }

  open() {
    if (!this.input.readOnly) this.ask(this.input.value.trim() === this.text ? "" : this.input.value.trim());
  }

  listen() {
    const { input, list } = this;
    input.addEventListener("input", () => {
      this.cancel();
      this.timer = setTimeout(() => this.ask(input.value.trim()), WAIT_MS);
    });
    // Only a choice is a change: what the browser reports of the text may be half a word.
    input.addEventListener("change", (event) => event.isTrusted && event.stopImmediatePropagation(), true);
    input.addEventListener("click", () => {
      if (!this.panel.hidden) return;
      if (input.value === this.text) input.select(); // typing begins a new choice
      this.open();
    });
    input.addEventListener("keydown", (event) => this.press(event));
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus in the field
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(option);
    });
    this.box.addEventListener("focusout", (event) => {
      if (this.box.contains(event.relatedTarget)) return;
      this.settle(true);
      this.show(false);
    });
  }

  press(event) {
    const isOpen = !this.panel.hidden;
    const walked = this.active >= 0;
    const moves = { ArrowDown: this.active + 1, ArrowUp: walked ? this.active - 1 : this.options.length - 1 };
    if (walked) Object.assign(moves, { Home: 0, End: this.options.length - 1 });
    if (event.key in moves) {
      event.preventDefault();
      if (!isOpen) return void this.open();
      this.cancel();
      this.activate(moves[event.key]);
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      if (walked) return this.choose(this.options[this.active]);
      this.settle();
      this.show(false);
    } else if (event.key === "Enter") {
      this.settle();
    } else if (event.key === "Escape") {
      if (!isOpen) this.input.value = this.text;
      else event.stopPropagation();
      this.cancel();
      this.show(false);
    } else if (event.key === "Backspace" && this.chips?.lastElementChild && !this.input.value) {
      this.removeChip(this.chips.lastElementChild);
    }
  }
}

function enhance(root) {
  for (const box of root.querySelectorAll("[data-combobox]:not([data-ready])")) {
    box.dataset.ready = "";
    new Combobox(box);
  }
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.target));
