// SPDX-License-Identifier: MIT
// Measures one library on one trace, in a process of its own: measure.mjs PEER TRACE SECONDS. Prints a JSON object a
// line as soon as a task is done, so that what came before is there when a later task takes too long. Memory is
// measured in a process that has done nothing else: measure.mjs PEER TRACE SECONDS BYTES.
//
//   local     every edit of a trace of one author as a transaction of its own, in an empty document
//   encode    the whole document, with its history where the library keeps it, as bytes
//   load      a document that can be edited, and its text, from these bytes
//   memory    what each further document takes that is loaded from them: JavaScript's heap and wasm memories
//   update    every transaction's update, as bytes, applied one after another to an empty document
//
// Each is repeated for so many seconds, once at least. After each the text must be the trace's.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";

import { read, replay } from "./trace.mjs";

const COPIES = 8; // documents that memory is measured on
const REPETITIONS_MAX = 100;
const [name, file, seconds, kept] = process.argv.slice(2);

// The memories of all modules: they are not part of the heap.
const memories = new Set();
const notice = (instance) => {
  for (const value of Object.values(instance.exports)) if (value instanceof WebAssembly.Memory) memories.add(value);
  return instance;
};
const { Instance, instantiate } = WebAssembly;
WebAssembly.Instance = new Proxy(Instance, { construct: (target, given) => notice(new target(...given)) });
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate(...given);
  notice(made.instance ?? made);
  return made;
};

const { default: peer } = await import(`./peers/${name}.mjs`);
if (kept) {
  measure_memory(v8.deserialize(fs.readFileSync(kept)));
  process.exit(0);
}
const trace = read(file);
trace.clamp = trace.name === "git-makefile"; // see its README

function tell(task, figures) {
  console.log(JSON.stringify({ task, ...figures }));
}

function bytes_used() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers + [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}

// Of documents that are loaded from the bytes and were read once, all but the first.
function measure_memory(bytes) {
  const open = () => {
    const opened = peer.open(bytes);
    peer.text(opened);
    return opened;
  };
  const held = [open()], before = bytes_used();
  for (let i = 0; i < COPIES; i++) held.push(open());
  tell("memory", { bytes: Math.round((bytes_used() - before) / COPIES), documents: held.length });
}

// The same in another process, which prints it.
function measure_memory_apart(bytes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "weft-compare-")), saved = path.join(folder, "bytes");
  try {
    fs.writeFileSync(saved, v8.serialize(bytes));
    const program = fileURLToPath(import.meta.url);
    execFileSync(process.execPath, ["--expose-gc", program, name, file, seconds, saved], { stdio: "inherit" });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

// Milliseconds of the processor since then, of all threads of the process.
function processor_ms(then) {
  const { user, system } = process.cpuUsage(then);
  return (user + system) / 1000;
}

// Runs task() until the time is up; check(what it returned) is not timed. Processor time counts, since that of the
// clock would measure what else the machine does.
function repeat(task, check) {
  const times = [], clock = [], until = performance.now() + 1000 * Number(seconds);
  do {
    const then = process.cpuUsage(), start = performance.now(), result = task();
    clock.push(performance.now() - start);
    times.push(processor_ms(then));
    check(result);
  } while (performance.now() < until && times.length < REPETITIONS_MAX);
  times.sort((a, b) => a - b);
  return {
    ms: times[0], median_ms: times[times.length >> 1], clock_ms: Math.min(...clock), repetitions: times.length,
  };
}

let expected = trace.clamp ? null : trace.end; // git-makefile's end takes another order for granted
function right(doc) {
  expected ??= peer.text(doc);
  if (peer.text(doc) !== expected) throw new Error(`${name}: ${trace.name}: another text`);
}
const right_and_free = (doc) => (right(doc), peer.free(doc));

function build(message) {
  if (!trace.sequential) return replay(trace, peer, message);
  const doc = peer.create(1);
  trace.txns.forEach(({ edits }, index) => message(index, peer.transaction(doc, edits)));
  return doc;
}

const is_snapshot = name.endsWith("_snapshot"); // of a library that is measured by itself too
tell("about", { code: peer.code, notes: peer.notes });
let doc;
if (trace.sequential) {
  const edits = trace.txns.flatMap((txn) => txn.edits);
  const local = () => {
    const made = peer.create(1);
    for (const edit of edits) peer.edit(made, edit);
    return made;
  };
  if (!is_snapshot) tell("local", repeat(local, right_and_free));
  doc = local();
} else {
  doc = build(() => {});
}
right(doc);

const encode = repeat(() => peer.encode(doc), () => {});
const bytes = peer.encode(doc);
tell("encode", { ...encode, bytes: bytes.length });
peer.free(doc);
doc = null;

tell("load", repeat(() => {
  const opened = peer.open(bytes);
  peer.text(opened);
  return opened;
}, right_and_free));

measure_memory_apart(bytes);

if (!is_snapshot) {
  const updates = [];
  peer.free(build((_, update) => updates.push(update)));
  const size = updates.reduce((sum, update) => sum + (update?.length ?? 0), 0);
  tell("update", {
    ...repeat(() => {
      const target = peer.create(trace.agents + 2);
      for (const update of updates) peer.apply(target, update);
      return target;
    }, right_and_free), updates: updates.length, bytes: size,
  });
}
