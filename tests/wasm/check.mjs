// SPDX-License-Identifier: MIT
// The WebAssembly core in node: it writes the bytes that the native library writes, its patches tell what happens to
// the text, and it is small. Prints TAP.
//
//     node check.mjs CORE.JS WEFT_CORE.WASM WEFT_CORE_FULL.WASM HISTORY GOLDEN
//
// HISTORY is the program of history.c, GOLDEN the folder of the golden vectors.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const [core_js, small_wasm, full_wasm, history, golden] = process.argv.slice(2);
const { Core, CoreError } = await import(pathToFileURL(core_js).href);
const small = new WebAssembly.Module(fs.readFileSync(small_wasm));
const full = new WebAssembly.Module(fs.readFileSync(full_wasm));
const SIZE_MAX = 25 * 1024; // bytes of the small module, gzipped: a page waits for them
const FULL_SIZE_MAX = 48 * 1024;
const STATUS = ["OK", "NO_MEMORY", "MALFORMED", "INVALID", "LIMIT", "RANGE", "UNSUPPORTED", "NOT_FOUND", "CONFLICT",
  "STORAGE", "BEHIND", "COLLECTED"];

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text === "-" ? "" : text, "hex"));
const utf8 = (text) => unhex(text).length === 0 ? "" : Buffer.from(unhex(text)).toString();
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const patched = (text, patches) => patches.reduce((now, { index, deleted, text: came }) =>
  now.slice(0, index) + came + now.slice(index + deleted), text);

// What a call's status is.
function status(call) {
  try {
    call();
    return "OK";
  } catch (error) {
    assert(error instanceof CoreError, error);
    return error.status;
  }
}

// Calls, and holds its patches against the text before and after.
function observed(doc, call) {
  const before = doc.text(), result = call(), patches = Array.isArray(result) ? result : result?.patches ?? [];
  assert.equal(patched(before, patches), doc.text(), "the patches tell what happened");
  return result;
}

// Takes the steps of a history and compares what the documents are.
function follow(core, lines) {
  let replicas = [], compared = 0;
  const steps = {
    new(...agents) {
      for (const { doc, undo } of replicas) undo.destroy(), doc.destroy();
      replicas = agents.map((agent) => {
        const doc = core.create();
        doc.setAgent(BigInt(agent));
        return { doc, agent: BigInt(agent), undo: doc.undo(BigInt(agent)), kept: null };
      });
    },
    insert: (r, index, text, expected) =>
      assert.equal(status(() => replicas[r].doc.insert(Number(index), utf8(text))), STATUS[expected]),
    delete: (r, index, length, expected) =>
      assert.equal(status(() => replicas[r].doc.delete(Number(index), Number(length))), STATUS[expected]),
    replace: (r, text) => observed(replicas[r].doc, () => replicas[r].doc.replace(utf8(text))),
    merge(from, to) {
      const { doc } = replicas[to], delta = replicas[from].doc.deltaSince(doc.version());
      if (delta.length > 0) observed(doc, () => doc.apply(delta));
    },
    own(from, to, seq) {
      const { doc } = replicas[to], delta = replicas[from].doc.deltaOwn(replicas[from].agent, BigInt(seq));
      if (delta.length > 0) observed(doc, () => doc.apply(delta));
    },
    note: (r, now) => replicas[r].undo.note(Number(now)),
    undo: (r, expected) =>
      assert.equal(observed(replicas[r].doc, () => replicas[r].undo.undo()) === null, STATUS[expected] === "NOT_FOUND"),
    redo: (r, expected) =>
      assert.equal(observed(replicas[r].doc, () => replicas[r].undo.redo()) === null, STATUS[expected] === "NOT_FOUND"),
    keep: (r) => void (replicas[r].kept = replicas[r].doc.version()),
    restore: (r, expected) => assert.equal(status(() =>
      observed(replicas[r].doc, () => replicas[r].doc.restore(replicas[r].kept))), STATUS[expected]),
    is(r, ...expected) {
      const { doc } = replicas[r], { structure, text, tombs } = doc.snapshot();
      assert.deepEqual([hex(doc.version()), hex(doc.digest()), sha256(doc.deltaSince()), sha256(text),
        sha256(structure), sha256(tombs)], expected);
      const again = core.open({ structure, text, tombs });
      assert.equal(again.text(), doc.text());
      assert.deepEqual(again.digest(), doc.digest());
      again.destroy();
      compared++;
    },
  };
  for (const line of lines) {
    const [name, ...words] = line.split(" ");
    try {
      steps[name](...words);
    } catch (error) {
      error.message = `${line}: ${error.message}`;
      throw error;
    }
  }
  for (const { doc, undo } of replicas) undo.destroy(), doc.destroy();
  return compared;
}

// The entries of a golden file: lists of [word, rest].
function* entries(name) {
  let entry = [];
  for (const line of [...fs.readFileSync(path.join(golden, name), "utf8").split("\n"), ""]) {
    if (line.startsWith("#")) continue;
    if (line === "") {
      if (entry.length > 0) yield Object.fromEntries(entry);
      entry = [];
      continue;
    }
    const [word] = line.trim().split(" ");
    entry.push([line.startsWith(" ") ? `:${word}` : word, line.trim().slice(word.length + 1)]);
  }
}

const tests = {
  async the_small_module_is_small() {
    const size = gzipSync(fs.readFileSync(small_wasm), { level: 9 }).length;
    assert(size <= SIZE_MAX, `${size} bytes gzipped, of at most ${SIZE_MAX}`);
    return `${size} bytes gzipped`;
  },

  async the_complete_module_is_not_much_larger() {
    const size = gzipSync(fs.readFileSync(full_wasm), { level: 9 }).length;
    assert(size <= FULL_SIZE_MAX, `${size} bytes gzipped, of at most ${FULL_SIZE_MAX}`);
    return `${size} bytes gzipped`;
  },

  async both_modules_import_nothing() {
    assert.deepEqual(WebAssembly.Module.imports(small), []);
    assert.deepEqual(WebAssembly.Module.imports(full), []);
    const names = (module) => WebAssembly.Module.exports(module).map(({ name }) => name);
    assert.deepEqual(names(small).filter((name) => !names(full).includes(name)), []);
  },

  async made_up_histories_give_the_bytes_that_native_code_gives() {
    let compared = 0;
    const core = await Core.load(full);
    for (let seed = 1; seed <= 8; seed++) {
      const lines = execFileSync(history, [String(seed), "3000"], { maxBuffer: 1 << 30 }).toString().trim().split("\n");
      compared += follow(core, lines);
    }
    assert(compared >= 500);
    return `${compared} documents compared, ${core.exports.memory.buffer.byteLength} bytes of memory`;
  },

  async golden_deltas_are_read_and_written() {
    let read = 0, refused = 0;
    for (const module of [small, full]) {
      const core = await Core.load(module);
      for (const entry of entries("delta.txt")) {
        if (entry[":digest"] === undefined) continue;
        const doc = core.create();
        if (module === small && "a" in entry && entry.a.includes("collected")) {
          assert.throws(() => doc.apply(unhex(entry.bytes)), { status: "UNSUPPORTED" });
          doc.destroy();
          refused++;
          continue;
        }
        doc.apply(unhex(entry.bytes));
        assert.equal(hex(doc.version()), entry[":version"]);
        assert.equal(hex(doc.digest()), entry[":digest"]);
        if (!entry[":text"].includes("\\")) assert.equal(doc.text(), entry[":text"].slice(1, -1));
        assert.equal(hex(doc.deltaSince()), entry.bytes);
        doc.destroy();
        read++;
      }
    }
    assert(read >= 10);
    assert.equal(refused, 1, "of collected text the small module says that it does not read it");
    return `${read} read`;
  },

  async golden_snapshots_are_read_and_written() {
    const core = await Core.load(full);
    let read = 0;
    for (const entry of entries("snapshot.txt")) {
      if (entry[":digest"] === undefined) continue;
      const doc = core.open({ structure: unhex(entry.structure), text: unhex(entry.text), tombs: unhex(entry.tombs) });
      assert.equal(hex(doc.digest()), entry[":digest"]);
      assert.equal(hex(doc.version()), entry[":version"]);
      const { structure, text, tombs } = doc.snapshot();
      assert.deepEqual([structure, text, tombs].map(hex),
        [entry.structure, entry.text, entry.tombs].map((bytes) => hex(unhex(bytes))));
      doc.destroy();
      read++;
    }
    assert(read >= 3);
    return `${read} read`;
  },

  async golden_documents_with_a_text_are_made() {
    const core = await Core.load(full);
    let made = 0;
    for (const entry of entries("initial.txt")) {
      if (entry.delta === undefined) continue;
      const doc = core.create({ name: utf8(entry.document), epoch: entry.epoch ? unhex(entry.epoch) : null });
      doc.initial(utf8(entry.text));
      assert.equal(hex(doc.deltaSince()), entry.delta);
      assert.equal(hex(doc.digest()), entry[":digest"]);
      if (entry.epoch) assert.equal(hex(doc.epoch()), entry.epoch);
      doc.destroy();
      made++;
    }
    assert(made >= 3);
    return `${made} made`;
  },

  async wrong_arguments_are_refused_and_lose_nothing() {
    const core = await Core.load(full), doc = core.create();
    assert.equal(status(() => doc.insert(0, "a")), "INVALID", "no agent is set");
    doc.setAgent(7n);
    doc.insert(0, "a😀b");
    const digest = doc.digest();
    for (const [call, expected] of [
      [() => doc.insert(2, "x"), "RANGE"], [() => doc.insert(5, "x"), "RANGE"], [() => doc.insert(-1, "x"), "RANGE"],
      [() => doc.insert(0.5, "x"), "RANGE"], [() => doc.insert(2 ** 32, "x"), "RANGE"],
      [() => doc.delete(0, 2), "RANGE"],
      [() => doc.insert(0, "\ud83d"), "MALFORMED"], [() => doc.insert(0, "a\ude00"), "MALFORMED"],
      [() => doc.apply(unhex("ffffffff")), "UNSUPPORTED"], [() => doc.apply(unhex("0001ff")), "MALFORMED"],
      [() => doc.deltaSince(unhex("ff")), "MALFORMED"], [() => doc.setAgent(0n), "INVALID"],
      [() => doc.textAt(unhex("01070000000000000009")), "BEHIND"], [() => doc.cursorAt(0, "left"), "INVALID"],
      [() => core.open({ structure: unhex("00"), text: unhex(""), tombs: unhex("") }), "MALFORMED"],
    ]) assert.equal(status(call), expected, String(call));
    assert.equal(doc.text(), "a😀b");
    assert.deepEqual(doc.digest(), digest);
    doc.destroy();
    assert.throws(() => doc.insert(0, "x"), TypeError);
  },

  async places_ids_and_authors_are_told() {
    const core = await Core.load(full), doc = core.create(), other = core.create();
    doc.setAgent(7n), other.setAgent(1n << 40n);
    doc.insert(0, "a😀b");
    other.apply(doc.deltaSince(other.version()));
    const end = doc.cursorAt(4), before = doc.cursorAt(3, "before");
    other.insert(3, "🙂");
    const { patches } = doc.apply(other.deltaSince(doc.version()));
    assert.deepEqual(patches, [{ index: 3, deleted: 0, text: "🙂" }]);
    assert.equal(doc.indexOfCursor(end), 6);
    assert.equal(doc.indexOfCursor(before), 5);
    assert.deepEqual(doc.idAt(3), { agent: 1n << 40n, seq: 0n });
    assert.deepEqual(doc.indexOf({ agent: 7n, seq: 2n }), { index: 5, visible: true });
    assert.equal(doc.read(1, 4), "😀🙂");
    assert.deepEqual(doc.blame(0, 6).map(({ agent, index, length }) => [agent, index, length]),
      [[7n, 0, 3], [1n << 40n, 3, 2], [7n, 5, 1]]);
    const version = doc.version();
    doc.delete(1, 2);
    assert.equal(doc.textAt(version), "a😀🙂b");
    assert.deepEqual(doc.diff(version, doc.version()).map(({ kind, text }) => [kind, text]),
      [["kept", "a"], ["deleted", "😀"], ["kept", "🙂"], ["kept", "b"]]);
    assert.deepEqual(doc.blameAt(version).map(({ length }) => length), [3, 2, 1]);
    assert.deepEqual([core.compare(version, doc.version()), core.compare(version, version)], ["before", "equal"]);
    assert.deepEqual(core.merge(version, doc.version()), doc.version());
    assert.equal(doc.nextSeq(7n), 4n);
    assert.equal(doc.chain(7n).next, 4n);
    assert.equal(doc.stats().atoms, 5);
  },

  async a_long_history_is_told_in_parts() {
    const core = await Core.load(small), doc = core.create(), copy = core.create();
    doc.setAgent(7n);
    doc.insert(0, "0123456789".repeat(20_000));
    let parts = 0;
    for (const delta of doc.deltas(copy.version(), 32_768)) {
      assert(delta.length <= 32_768);
      copy.apply(delta);
      parts++;
    }
    assert(parts > 5);
    assert.deepEqual(copy.digest(), doc.digest());
    assert.equal(copy.text(), doc.text());
  },

  async memory_serves_the_next_document() {
    const core = await Core.load(full);
    let after_one = 0;
    for (let round = 0; round < 60; round++) {
      const docs = Array.from({ length: 4 }, (_, i) => {
        const doc = core.create();
        doc.setAgent(BigInt(i + 1));
        doc.insert(0, "some text ".repeat(2000 + 500 * i));
        for (let at = 0; at < 500; at++) doc.delete(at * 7 % 1000, 1), doc.insert(at * 11 % 1000, "é");
        return doc;
      });
      docs[0].apply(docs[3].deltaSince());
      docs[round % 2 ? 0 : 3].snapshot();
      for (const doc of round % 3 ? docs : docs.reverse()) doc.destroy();
      if (round === 0) after_one = core.exports.memory.buffer.byteLength;
    }
    assert(core.exports.memory.buffer.byteLength <= 2 * after_one, "it does not leak");
  },

  async the_allocator_hands_out_pieces_that_do_not_overlap() {
    const { exports } = await Core.load(small), held = new Map();
    let state = 1;
    const random = (below) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below;
    const fill = (at, size, mark) => new Uint8Array(exports.memory.buffer, at, size).fill(mark);
    const sound = (at, { size, mark }) =>
      new Uint8Array(exports.memory.buffer, at, size).every((byte) => byte === mark);
    for (let step = 0; step < 30_000; step++) {
      const keys = [...held.keys()], again = held.size > 200 || random(3) === 0 && held.size > 0;
      const old = again ? keys[random(keys.length)] : 0;
      const size = old && random(2) ? 0 : 1 + (random(50) ? random(300) : random(100_000)), mark = step & 255;
      if (old) assert(sound(old, held.get(old)), "what was written is there");
      const kept = old ? Math.min(size, held.get(old).size) : 0, was = held.get(old)?.mark;
      const at = exports.resize(old, size);
      held.delete(old);
      if (size === 0) continue;
      assert(at > 0 && at % 8 === 0 && !held.has(at));
      assert(new Uint8Array(exports.memory.buffer, at, kept).every((byte) => byte === was), "it moved along");
      fill(at, size, mark);
      held.set(at, { size, mark });
    }
    for (const [at, piece] of held) assert(sound(at, piece)), exports.resize(at, 0);
    assert.equal(exports.resize(0, 0xffff_fff0), 0, "there is an end");
    assert(exports.memory.buffer.byteLength < 8 << 20);
  },
};

console.log(`1..${Object.keys(tests).length}`);
let number = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    const told = await test();
    console.log(`ok ${++number} - ${name}${told ? `: ${told}` : ""}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`not ok ${++number} - ${name}`);
    console.log(String(error.stack).slice(0, 4000).replace(/^/gm, "# "));
  }
}
