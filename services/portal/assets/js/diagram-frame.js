// Draws diagrams, inside the sandboxed frame: no origin, no network, no way to the page.
// It gets texts by its port and answers with drawings, as text.
import { mermaid } from "../vendor/mermaid/index.js";

const LIMITS = { maxTextSize: 20000, maxEdges: 280 };
// What a diagram's own text may not set.
const SECURE = ["secure", "securityLevel", "startOnLoad", "suppressErrorRendering", "themeCSS", "fontFamily", "altFontFamily"];
const DARK = {
  darkMode: true,
  background: "#15161a",
  primaryColor: "#302e57",
  primaryTextColor: "#ececf1",
  primaryBorderColor: "#8f8ae6",
  secondaryColor: "#23405a",
  tertiaryColor: "#2d3b31",
  lineColor: "#b9bac4",
  textColor: "#ececf1",
  edgeLabelBackground: "#26272d",
  pie1: "#6a65c9",
  pie2: "#2f7f86",
  pie3: "#8a6a2c",
  pie4: "#7d4b80",
  pie5: "#3f7d4c",
  pie6: "#a05252",
};

function settings(dark) {
  return {
    ...LIMITS,
    secure: [...SECURE, ...Object.keys(LIMITS)],
    startOnLoad: false,
    securityLevel: "strict",
    suppressErrorRendering: true,
    deterministicIds: true,
    htmlLabels: false,
    flowchart: { htmlLabels: false },
    class: { htmlLabels: false },
    theme: dark ? "base" : "default",
    themeVariables: dark ? DARK : {},
    fontFamily: "system-ui, sans-serif",
  };
}

async function draw(port, { id, text, dark }) {
  try {
    mermaid.initialize(settings(dark));
    const { svg, diagramType } = await mermaid.render(`diagram-${id}`, text);
    const page = new DOMParser().parseFromString(svg, "text/html");
    const drawing = page.querySelector("svg");
    // Pictures are XML: what HTML forgives would show nothing.
    port.postMessage({ id, type: diagramType, svg: new XMLSerializer().serializeToString(drawing) });
  } catch (error) {
    port.postMessage({ id, error: String(error?.message ?? error) });
  }
}

addEventListener("message", (event) => {
  const [port] = event.ports;
  if (event.source !== parent || !port) return;
  let busy = Promise.resolve();
  port.onmessage = (asked) => (busy = busy.then(() => draw(port, asked.data)));
  port.postMessage({ ready: true });
});
