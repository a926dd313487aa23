// SPDX-License-Identifier: MIT
// weft beside other replicated texts: compare.mjs [options] [TRACE...]; --help has the options.
//
// Each library and trace is a process of its own (measure.mjs), one at a time. weft itself is measured twice: as
// WebAssembly by the same code as all others, and native by `weft bench core`.
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { find, name_of, read } from "./trace.mjs";

const PEERS = ["weft", "weft_snapshot", "diamond_types", "json_joy", "yjs", "ywasm", "loro", "automerge"];
const PACKAGES = { yjs: "yjs", ywasm: "ywasm", loro: "loro-crdt", automerge: "@automerge/automerge",
  json_joy: "json-joy", diamond_types: "diamond-types-node" };
const DEFAULT_TRACES = ["automerge-paper", "rustcode", "friendsforever", "node_nodecc"];
const TASKS = ["local", "update", "encode", "load"];
const USAGE = `usage: compare [options] [TRACE...]

Measures weft and other libraries on the same editing traces. TRACE is a part of a trace's name in $WEFT_TRACES;
without one: automerge-paper, rustcode, friendsforever, node_nodecc.
  -o FORMAT      table (the default, Markdown), or ndjson: one object a library and trace
  -s SECONDS     for each task of each library, once at least; default 2
  -l SECONDS     limit of one library on one trace, after which its other tasks are left out; default 300
  -p PEER,...    some of ${PEERS.join(", ")}
  -f FILE        takes results of an earlier run (ndjson) instead of measuring
  --plot FILE    draws the results as SVG; docs/compare.svg when all is measured
`;

function fail(message) {
  process.stderr.write(`compare: ${message}\n`);
  process.exit(2);
}

function arguments_of(settings) {
  try {
    return parseArgs(settings);
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`);
  }
}

const { values: options, positionals } = arguments_of({
  allowPositionals: true,
  options: {
    output: { type: "string", short: "o", default: "table" }, seconds: { type: "string", short: "s", default: "2" },
    limit: { type: "string", short: "l", default: "300" }, peers: { type: "string", short: "p", default: PEERS.join() },
    from: { type: "string", short: "f" }, plot: { type: "string" }, help: { type: "boolean", short: "h" },
  },
});

const peers = options.peers.split(",");
if (!["table", "ndjson"].includes(options.output)) fail(`-o takes table or ndjson, not ${options.output}`);
if (!(options.seconds >= 0) || !(options.limit > 0)) fail("-s and -l take seconds");
for (const peer of peers) if (!PEERS.includes(peer)) fail(`-p takes some of ${PEERS.join(", ")}, not ${peer}`);
const all = positionals.length === 0 && !options.from && options.peers === PEERS.join();
if (all) options.plot ??= fileURLToPath(new URL("../../docs/compare.svg", import.meta.url));

const version_of = (peer) => peer in PACKAGES
  ? JSON.parse(fs.readFileSync(new URL("package.json", import.meta.url))).dependencies[PACKAGES[peer]] : "";

// One library on one trace: { trace, peer, tasks... }.
async function measure(peer, file) {
  const program = fileURLToPath(new URL("measure.mjs", import.meta.url));
  const child = spawn(process.execPath, ["--expose-gc", program, peer, file, options.seconds],
    { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), 1000 * Number(options.limit));
  let out = "", error = "";
  child.stdout.on("data", (text) => { out += text; });
  child.stderr.on("data", (text) => { error = (error + text).slice(-2000); });
  const [status, signal] = await new Promise((done) => child.on("close", (...ended) => done(ended)));
  clearTimeout(timer);
  const result = { trace: name_of(file), peer, version: version_of(peer) };
  for (const line of out.split("\n").slice(0, -1)) {
    if (!line.startsWith("{")) continue; // a library's own words
    const { task, ...figures } = JSON.parse(line);
    if (task === "about") Object.assign(result, figures);
    else result[task] = figures;
  }
  if (signal === "SIGKILL") result.stopped_after_s = Number(options.limit);
  else if (status !== 0) result.failed = error.split("\n").find((line) => /Error/.test(line)) ?? `exit ${status}`;
  return result;
}

// The same trace by `weft bench core`; its names are other ones.
function measure_native(file) {
  const program = process.env.WEFT ?? fileURLToPath(new URL("../../build/weft", import.meta.url));
  const line = execFileSync(program, ["bench", "core", "-o", "ndjson", "--seconds", options.seconds, file],
    { stdio: ["ignore", "pipe", "ignore"] }).toString();
  const figures = JSON.parse(line);
  const task = (name) => {
    const times = figures[`${name}_ms`];
    return times ? { ms: times.min, median_ms: times.median } : undefined;
  };
  const result = (peer, notes, tasks) => ({ trace: name_of(file), peer, version: "", code: "native", notes, ...tasks,
    failed: figures.text_ok ? undefined : "another text" });
  return [
    result("weft_native", "all deleted text kept", {
      local: task("local"), encode: { ...task("encode"), bytes: figures.history_bytes }, load: task("delta"),
      update: { ...task("remote_message"), bytes: figures.message_bytes, updates: read(file).txns.length },
      memory: { bytes: figures.memory_bytes },
    }),
    result("weft_native_snapshot", "snapshot: order and text apart", {
      encode: { ...task("snapshot"), bytes: figures.snapshot_bytes }, load: task("load"),
      memory: { bytes: figures.memory_loaded_bytes },
    }),
  ];
}

// ------------------------------------------------------------------------------------------------------------ showing

const LABELS = { weft_native: "weft, native", weft_native_snapshot: "weft, native, snapshot", weft: "weft",
  weft_snapshot: "weft, snapshot", json_joy: "json-joy", diamond_types: "diamond-types", loro: "Loro", yjs: "Yjs",
  ywasm: "Yrs (ywasm)", automerge: "Automerge" };
export const label = (result) => LABELS[result.peer] + (result.version ? ` ${result.version}` : "");
const figure = (value) => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function cell(result, task) {
  const figures = result[task];
  if (figures?.ms === undefined) return result.stopped_after_s && !result.peer.endsWith("snapshot") ? "-" : "";
  return `${figure(figures.ms)} / ${figure(figures.median_ms)}`;
}

function table(results) {
  const lines = [];
  for (const trace of new Set(results.map((result) => result.trace))) {
    lines.push(`### ${trace}`, "", `| | code | ${TASKS.join(" | ")} | bytes | an update, bytes | memory, KB |`,
      `| --- | --- | ${TASKS.map(() => "---:").join(" | ")} | ---: | ---: | ---: |`);
    for (const result of results.filter((one) => one.trace === trace)) {
      const { update } = result;
      const cells = TASKS.map((task) => cell(result, task)).join(" | ");
      lines.push(`| ${label(result)} | ${result.code ?? ""} | ${cells} | ` +
        `${result.encode?.bytes ?? ""} | ${update?.updates ? figure(update.bytes / update.updates) : ""} | ` +
        `${result.memory ? Math.round(result.memory.bytes / 1000) : ""} |${result.failed ? ` ${result.failed}` : ""}`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

function files_of(words) {
  try {
    return find(words);
  } catch (error) {
    return fail(error.message);
  }
}

if (options.help) {
  process.stdout.write(USAGE);
} else {
  const results = [];
  const tell = (result) => {
    results.push(result);
    if (options.output === "ndjson") console.log(JSON.stringify(result));
    else process.stderr.write(`${result.trace} ${result.peer}${result.failed ? `: ${result.failed}` : ""}\n`);
  };
  if (options.from) {
    for (const line of fs.readFileSync(options.from, "utf8").trim().split("\n")) tell(JSON.parse(line));
  } else {
    for (const file of files_of(positionals.length > 0 ? positionals : DEFAULT_TRACES)) {
      measure_native(file).forEach(tell);
      for (const peer of peers) tell(await measure(peer, file));
    }
  }
  if (options.output === "table") {
    const [{ model }, { length }] = [os.cpus()[0], os.cpus()];
    console.log(`${model}, ${length} cores, node ${process.version}; milliseconds of the processor, least / median\n`);
    console.log(table(results));
  }
  if (options.plot) {
    const { draw } = await import("./plot.mjs");
    fs.writeFileSync(options.plot, draw(results.map((result) => ({ ...result, label: label(result) }))));
  }
  if (results.some((result) => result.failed)) process.exitCode = 1;
}
