// SPDX-License-Identifier: MIT
// The results of compare.mjs as SVG: a row of panels for each trace, a panel for each task, a line for each library.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

const TASKS = { local: "local replay", update: "apply each update", encode: "encode", load: "load" };

export function draw(results) {
  const { document } = parseHTML("<html><body></body></html>");
  const traces = [...new Set(results.map(({ trace }) => trace))];
  const labels = [...new Set(results.map(({ label }) => label))];
  const points = results.flatMap((result) => Object.keys(TASKS).filter((task) => result[task]?.ms).map((task) => ({
    trace: result.trace, task: TASKS[task], label: result.label, ms: result[task].ms, median: result[task].median_ms,
    color: result.peer.startsWith("weft") ? "#c2410c" : "#64748b",
  })));
  const at = { fx: "task", fy: "trace", y: "label" };
  const svg = Plot.plot({
    document, width: 1200, height: 90 + traces.length * labels.length * 17,
    marginLeft: 150, marginRight: 110, marginTop: 40,
    style: { background: "white", color: "#111", fontFamily: "sans-serif", fontSize: "11px" },
    x: { type: "log", label: "milliseconds, the least, with a line to the median", grid: true, tickFormat: "~g" },
    y: { domain: labels, label: null },
    fx: { domain: Object.values(TASKS), label: null },
    fy: { domain: traces, label: null },
    marks: [
      Plot.frame({ stroke: "#ccc" }),
      Plot.ruleY(points, { ...at, x1: "ms", x2: "median", stroke: "color", strokeOpacity: 0.4 }),
      Plot.dot(points, { ...at, x: "ms", fill: "color", r: 3.5 }),
    ],
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  // An element a line, so that two results can be compared.
  const lines = svg.outerHTML.replaceAll("><", ">\n<").replaceAll(/ (?=viewBox|font-f)/g, "\n ");
  return `<!-- SPDX-License-Identifier: MIT; by ./dev bench compare -->\n${lines}\n`;
}
