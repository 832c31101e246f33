// Mermaid diagrams of the reader, drawn without the internet. Their text is other people's:
// it is drawn in a sandboxed frame without an origin, comes back as a picture (no script, no
// link, no network in it), and is bounded in size, number and time. Where it cannot be drawn,
// the source stays.
const FRAME = document.querySelector("[data-diagram-frame]")?.dataset.diagramFrame;
const MOST = 50;
const LONGEST = 20000;
const LARGEST = 2000000;
const SECONDS = 10;
const READABLE = 0.6;
const PATIENCE = 2;
const SOURCES = ".docs-article pre.mermaid, .docs-article div.mermaid, .docs-article .language-mermaid";

const diagrams = new Map();
let workshop = null;
let late = 0;
let busy = Promise.resolve();

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function close() {
  workshop?.frame.remove();
  workshop = null;
}

function open() {
  if (workshop) return workshop.ready;
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.className = "docs-diagram-frame";
  frame.title = "Draws the diagrams of this page";
  frame.tabIndex = -1;
  frame.setAttribute("aria-hidden", "true");
  frame.src = FRAME;
  const channel = new MessageChannel();
  const waiting = new Map();
  const ready = new Promise((done) => waiting.set("ready", done));
  channel.port1.onmessage = ({ data }) => {
    const key = data?.ready ? "ready" : data?.id;
    waiting.get(key)?.(data);
    waiting.delete(key);
  };
  frame.addEventListener("load", () => frame.contentWindow?.postMessage(null, "*", [channel.port2]), { once: true });
  document.body.append(frame);
  workshop = { frame, port: channel.port1, waiting, ready };
  return ready;
}

const within = (promise, seconds) =>
  Promise.race([promise, new Promise((_, fail) => setTimeout(() => fail(new Error("late")), seconds * 1000))]);

async function drawn(text) {
  await within(open(), SECONDS);
  const id = crypto.randomUUID();
  const answer = new Promise((done) => workshop.waiting.set(id, done));
  workshop.port.postMessage({ id, text, dark: isDark() });
  return within(answer, SECONDS);
}

function picture(answer) {
  const { svg } = answer;
  if (typeof svg !== "string" || !svg.startsWith("<svg") || svg.length > LARGEST) return null;
  const box = /viewBox="\s*\S+\s+\S+\s+([\d.]+)\s+([\d.]+)\s*"/.exec(svg.slice(0, 5000));
  const image = new Image();
  if (box) {
    image.width = Math.ceil(Math.min(Number(box[1]), 4000));
    image.height = Math.ceil((Number(box[2]) * image.width) / Number(box[1]));
    // It shrinks with the screen as long as its words can be read; then it is scrolled.
    image.style.minInlineSize = `${Math.ceil(image.width * READABLE)}px`;
  }
  image.alt = `Diagram${answer.type ? ` (${answer.type})` : ""}; its source follows`;
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return image;
}

// A parser's own words point at a place by their line breaks.
function say(diagram, words, detail = "") {
  diagram.note.replaceChildren(words, ...(detail ? [element("code", "docs-diagram-error", detail)] : []));
  diagram.note.hidden = !words;
}

async function draw(diagram) {
  if (!diagram.figure.isConnected || late >= PATIENCE) return;
  try {
    const answer = await drawn(diagram.text);
    const image = answer.svg ? picture(answer) : null;
    if (!image) {
      if (answer.error) say(diagram, "Not drawn: ", String(answer.error).slice(0, 500));
      else say(diagram, "Not drawn: the drawing is too large");
      return;
    }
    await image.decode();
    diagram.stage.replaceChildren(image);
    diagram.source.open = false;
    say(diagram, "");
  } catch {
    late += 1;
    close(); // ends whatever it is at
    say(diagram, "Not drawn: it took too long.");
  }
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const diagram = diagrams.get(target);
      if (!isIntersecting || !diagram || diagram.asked) continue;
      diagram.asked = true;
      seen.unobserve(target);
      busy = busy.then(() => draw(diagram));
    }
  },
  { rootMargin: "600px 0px" },
);

function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

function textOf(block) {
  const code = block.querySelector("td.code code, td.code pre, code") ?? block;
  return code.textContent.trim();
}

function prepare(block) {
  const text = textOf(block);
  const stage = element("div", "docs-diagram-stage");
  const note = element("p", "docs-diagram-note faint");
  const source = element("details", "docs-diagram-source", element("summary", "", "Source of the diagram"));
  source.open = true;
  note.hidden = true;
  const figure = element("figure", "docs-diagram", stage, note, source);
  block.before(figure);
  source.append(element("pre", "", element("code", "", text)));
  block.remove();
  const diagram = { figure, stage, note, source, text, asked: false };
  diagrams.set(figure, diagram);
  if (text.length > LONGEST) say(diagram, `Not drawn: it is longer than ${LONGEST} characters.`);
  else if (diagrams.size > MOST) say(diagram, `Not drawn: only the first ${MOST} diagrams of a page are.`);
  else seen.observe(figure);
}

export function scan() {
  if (!FRAME) return;
  for (const figure of diagrams.keys()) if (!figure.isConnected) diagrams.delete(figure);
  for (const block of document.querySelectorAll(SOURCES)) {
    // A highlighted block may hold another element of the same class.
    if (block.isConnected && !block.parentElement.closest(SOURCES)) prepare(block);
  }
}

function redraw() {
  for (const [figure, diagram] of diagrams) {
    if (!diagram.asked || diagram.text.length > LONGEST) continue;
    diagram.asked = false;
    seen.observe(figure);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
scan();
