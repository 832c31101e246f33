// Says at the field what is wrong when one leaves it; the server says the same on "Next".
const WORDS = {
  valueMissing: () => "Required.",
  tooShort: (field) => `At least ${field.minLength} characters, please.`,
  tooLong: (field) => `At most ${field.maxLength} characters, please.`,
  rangeUnderflow: (field) => `This must be ${field.min} or more.`,
  rangeOverflow: (field) => `This must be ${field.max} or less.`,
  stepMismatch: () => "This must be a whole number.",
  badInput: (field) => (field.type === "date" ? "This is no date such as 2024-12-31." : "This must be a number."),
  typeMismatch: (field) => (field.type === "email" ? "This is no email such as name@example.com." : "This is no uri such as https://example.com."),
};

function wrong(field) {
  const pattern = field.dataset.pattern;
  if (pattern && field.value) {
    try {
      if (!new RegExp(pattern, "u").test(field.value)) return field.dataset.patternWords ?? `Must match ${pattern}`;
    } catch {
      // A pattern that only the server can read.
    }
  }
  // Browsers count only what was typed; an answer may have come from the address.
  if (field.minLength > 0 && field.value && field.value.length < field.minLength) return WORDS.tooShort(field);
  for (const [rule, word] of Object.entries(WORDS)) if (field.validity[rule]) return word(field);
  return "";
}

function check(field) {
  const place = field.type === "radio" ? field.closest("fieldset") : field;
  const error = place && document.getElementById(`${place.id}-error`);
  if (!error) return true;
  const text = wrong(field);
  error.textContent = text;
  error.hidden = !text;
  const described = new Set((field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (text) {
    field.setAttribute("aria-invalid", "true");
    described.add(error.id);
  } else {
    field.removeAttribute("aria-invalid");
    described.delete(error.id);
  }
  if (described.size) field.setAttribute("aria-describedby", [...described].join(" "));
  else field.removeAttribute("aria-describedby");
  return !text;
}

const asked = (form) => [...form.querySelectorAll("input:not([type=hidden]), select, textarea")];

for (const form of document.querySelectorAll("[data-form]")) {
  form.noValidate = true;
  const touched = new WeakSet();
  // An error that appears under the pointer would move the button away from its click.
  let pressing = false;
  form.addEventListener("pointerdown", (event) => (pressing = Boolean(event.target.closest("button, a"))));
  addEventListener("pointerup", () => (pressing = false));
  form.addEventListener("input", (event) => {
    if (touched.has(event.target)) check(event.target);
  });
  form.addEventListener("focusout", (event) => {
    const field = event.target;
    if (pressing || event.relatedTarget?.closest("button, a")) return;
    if (!field.validity || (!field.value && !touched.has(field))) return;
    touched.add(field);
    check(field);
  });
  form.addEventListener("change", (event) => {
    // htmx asks for the questions that an answer brings; without it the whole page is asked.
    if (window.htmx || !event.target.matches("[hx-get]")) return;
    const stay = Object.assign(document.createElement("input"), { type: "hidden", name: "go", value: "stay" });
    form.append(stay);
    form.submit();
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.formNoValidate) return;
    const bad = asked(form).filter((field) => field.validity && (touched.add(field), !check(field)));
    if (!bad.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    bad[0].focus();
  });
}
