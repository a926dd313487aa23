// SPDX-License-Identifier: MIT
// libweft in JavaScript: instantiates weft_core.wasm, or weft_core_full.wasm, whose methods are marked (full).
// Positions and lengths are UTF-16 units, as in every JavaScript string; agents and seqs are BigInt; bytes are
// Uint8Arrays, copied out of the module's memory. All documents of a Core share that memory: destroy() them.
//
//     const core = await Core.load(fetch("weft_core.wasm"))      // or bytes, or a WebAssembly.Module
//     const doc = core.create()
//     doc.setAgent(17n); doc.insert(0, "hello")
//     other.apply(doc.deltaSince(other.version())).patches       // [{ index, deleted, text }], in order
//
// What fails throws a CoreError with the name of the status. A WebAssembly.RuntimeError means that an assert of the
// core failed: no document of that Core can be relied on then.

const STATUS = ["OK", "NO_MEMORY", "MALFORMED", "INVALID", "LIMIT", "RANGE", "UNSUPPORTED", "NOT_FOUND", "CONFLICT",
  "STORAGE", "BEHIND", "COLLECTED"];
const ORDER = ["equal", "before", "after", "concurrent"];
const DIFF_KINDS = ["kept", "inserted", "deleted"];
const SIDES = ["before", "after"];
const SCRATCH_SIZE = 4096; // bytes for arguments; longer ones are allocated for the call
const FORGET_SIZE = 65536; // an answer's memory is kept for the next one up to here
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class CoreError extends Error {
  constructor(status, what) {
    super(`weft: ${what}: ${STATUS[status] ?? status}`);
    this.name = "CoreError";
    this.status = STATUS[status] ?? status;
  }
}

function check(status, what) {
  if (status !== 0) throw new CoreError(status, what);
}

function position(value) {
  if (value >>> 0 !== value) throw new CoreError(STATUS.indexOf("RANGE"), `${value} is no position`);
  return value;
}

function side(value) {
  const index = SIDES.indexOf(value);
  if (index < 0) throw new CoreError(STATUS.indexOf("INVALID"), `a side is before or after, not ${value}`);
  return index;
}

export class Core {
  // From an instance of one of the modules, which import nothing.
  constructor(instance) {
    this.exports = { ...instance.exports }; // a plain object is the quicker one to look into
    this.answer = this.exports.answer();
    this.scratch = this.allocate(SCRATCH_SIZE);
    this.memory = null;
  }

  // From bytes, a WebAssembly.Module, or a Response or a promise of one.
  static async load(source) {
    const given = await source;
    if (given instanceof WebAssembly.Module) return new Core(await WebAssembly.instantiate(given));
    const loading = typeof Response === "function" && given instanceof Response
      ? WebAssembly.instantiateStreaming(given) : WebAssembly.instantiate(given);
    return new Core((await loading).instance);
  }

  // name: what the text of initial() is derived from, with the epoch: 24 bytes as on the wire.
  create({ name = "", epoch = null } = {}) {
    const status = this.with([encoder.encode(name), epoch ?? new Uint8Array()], (at, lengths) =>
      this.exports.doc_create(at[0], lengths[0], epoch === null ? 0 : at[1]));
    check(status, "create");
    return new Document(this, this.handle());
  }

  // From the three parts of a snapshot. (full)
  open({ structure, text, tombs }, { name = "" } = {}) {
    const status = this.with([encoder.encode(name), structure, text, tombs], (at, lengths) =>
      this.exports.doc_load(at[0], lengths[0], at[1], lengths[1], lengths[2], lengths[3]));
    check(status, "load");
    return new Document(this, this.handle());
  }

  // How one version vector relates to another: equal, before, after or concurrent.
  compare(a, b) {
    check(this.with([a, b], (at, lengths) => this.exports.version_compare(at[0], lengths[0], lengths[1])), "compare");
    return ORDER[Number(this.number(0))];
  }

  // The least version vector that covers both. (full)
  merge(a, b) {
    check(this.with([a, b], (at, lengths) => this.exports.version_merge(at[0], lengths[0], lengths[1])), "merge");
    return this.part(0);
  }

  // ------------------------------------------------------------------------------------- into and out of the memory

  allocate(size) {
    const at = this.exports.resize(0, size);
    if (at === 0) check(STATUS.indexOf("NO_MEMORY"), "allocate");
    return at;
  }

  // The memory, which is another buffer after it has grown.
  view() {
    const buffer = this.exports.memory.buffer;
    if (this.memory?.buffer !== buffer)
      this.memory = { buffer, data: new DataView(buffer), bytes: new Uint8Array(buffer) };
    return this.memory;
  }

  // Where a byte string lies for one call; put down with lay().
  lift(bytes) {
    const at = bytes.length <= SCRATCH_SIZE ? this.scratch : this.allocate(bytes.length);
    this.view().bytes.set(bytes, at);
    return at;
  }

  lay(at) {
    if (at !== this.scratch) this.exports.resize(at, 0);
  }

  // Calls with byte strings, one after the other in memory, as offsets and lengths.
  with(strings, call) {
    const lengths = strings.map((bytes) => bytes.length);
    const size = lengths.reduce((sum, length) => sum + length, 0);
    const at = size <= SCRATCH_SIZE ? this.scratch : this.allocate(size);
    try {
      const { bytes } = this.view();
      let end = at;
      const offsets = strings.map((string) => (bytes.set(string, end), (end += string.length) - string.length));
      return call(offsets, lengths);
    } finally {
      this.lay(at);
    }
  }

  // Calls with a string as UTF-8. Half of a pair of surrogates is no character.
  withText(text, call) {
    if (LONE_SURROGATE.test(text)) check(STATUS.indexOf("MALFORMED"), "text with half of a surrogate pair");
    if (text.length * 3 > SCRATCH_SIZE)
      return this.with([encoder.encode(text)], (at, lengths) => call(at[0], lengths[0]));
    const room = this.view().bytes.subarray(this.scratch, this.scratch + SCRATCH_SIZE);
    return call(this.scratch, encoder.encodeInto(text, room).written);
  }

  handle() {
    return this.view().data.getUint32(this.answer + 36, true);
  }

  number(index) {
    return this.view().data.getBigUint64(this.answer + 40 + 8 * index, true);
  }

  // A number that is known to fit 32 bits.
  count(index) {
    return this.view().data.getUint32(this.answer + 40 + 8 * index, true);
  }

  span(index) {
    const { data, bytes } = this.view();
    const at = data.getUint32(this.answer + 8 * index, true);
    return bytes.subarray(at, at + data.getUint32(this.answer + 8 * index + 4, true));
  }

  // A part of the answer, copied.
  part(index) {
    const bytes = this.span(index).slice();
    if (bytes.length > FORGET_SIZE) this.exports.forget();
    return bytes;
  }

  text(index) {
    const text = decoder.decode(this.span(index));
    if (text.length > FORGET_SIZE) this.exports.forget();
    return text;
  }

  // What changed in the text, in order; null when there was no memory to tell: read it anew.
  patches() {
    const { data } = this.view(), patches = [];
    if (data.getUint32(this.answer + 32, true) !== 0) return null;
    const end = data.getUint32(this.answer + 28, true), start = data.getUint32(this.answer + 24, true);
    for (let at = start; at < start + end;) {
      const size = data.getUint32(at + 8, true);
      patches.push({
        index: data.getUint32(at, true), deleted: data.getUint32(at + 4, true), text: this.string(at + 12, size),
      });
      at += 12 + size + (-size & 3);
    }
    if (end > FORGET_SIZE) this.exports.forget();
    return patches;
  }

  // UTF-8 in memory as a string; of a key, without the decoder, which is slow to start.
  string(at, size) {
    const { bytes } = this.view();
    if (size <= 1) return size === 0 ? "" : String.fromCharCode(bytes[at]);
    return decoder.decode(bytes.subarray(at, at + size));
  }
}

export class Document {
  constructor(core, handle) {
    Object.assign(this, { core, handle, exports: core.exports });
  }

  destroy() {
    this.exports.doc_destroy(this.handle);
    this.handle = 0;
    this.exports = null; // what is called from now on throws
  }

  // Whom the edits that follow belong to.
  setAgent(agent) {
    check(this.exports.doc_set_agent(this.handle, agent), "set agent");
  }

  insert(index, text) {
    const unit = text.length === 1 ? text.charCodeAt(0) : 0xd800;
    if ((unit & 0xf800) !== 0xd800) check(this.exports.doc_insert_key(this.handle, position(index), unit), "insert");
    else this.insertText(position(index), text);
  }

  insertText(index, text) {
    check(this.core.withText(text, (at, size) => this.exports.doc_insert(this.handle, index, at, size)), "insert");
  }

  delete(index, length) {
    check(this.exports.doc_delete(this.handle, position(index), position(length)), "delete");
  }

  get length() {
    return this.exports.doc_length(this.handle);
  }

  text() {
    check(this.exports.doc_text(this.handle), "text");
    return this.core.text(0);
  }

  // A place that stays where it is: { agent, seq, side }. side: "after" what is in front of it, or "before" the rest.
  cursorAt(index, at = "after") {
    check(this.exports.doc_cursor_at(this.handle, position(index), side(at)), "cursor");
    return { agent: this.core.number(0), seq: this.core.number(1), side: at };
  }

  indexOfCursor(cursor) {
    check(this.exports.doc_cursor_index(this.handle, cursor.agent, cursor.seq, side(cursor.side)), "cursor");
    return Number(this.core.number(0));
  }

  // { atoms, duplicate, parked, missing, invalid, reason, patches }. strict: what lacks its causes is not kept aside.
  // patches: whether they are wanted; to find them takes as long again.
  apply(delta, { strict = false, patches = true } = {}) {
    const { core } = this, at = core.lift(delta);
    const status = this.exports.doc_apply(this.handle, (strict ? 1 : 0) | (patches ? 2 : 0), at, delta.length);
    core.lay(at);
    check(status, "apply");
    return {
      atoms: core.count(0), duplicate: core.count(1), parked: core.count(2), missing: core.count(3),
      invalid: core.count(4), reason: STATUS[core.count(5)], patches: patches ? core.patches() : [],
    };
  }

  version() {
    return this.bytes("doc_version");
  }

  nextSeq(agent) {
    return BigInt.asUintN(64, this.exports.doc_next_seq(this.handle, agent));
  }

  // All that a version lacks; empty when that is nothing.
  deltaSince(version = new Uint8Array()) {
    this.withVersion("doc_delta_since", version);
    return this.core.part(0);
  }

  // The atoms of an agent from a seq on.
  deltaOwn(agent, from) {
    return this.bytes("doc_delta_own", agent, from);
  }

  // Yields all that a version lacks in deltas of at most so many bytes, 32 KiB at least.
  * deltas(version, size) {
    check(this.core.with([version], (at, lengths) =>
      this.exports.reader_create(this.handle, at[0], lengths[0])), "reader");
    const reader = this.core.handle();
    try {
      for (;;) {
        check(this.exports.reader_next(reader, position(size)), "reader");
        const delta = this.core.part(0);
        if (delta.length === 0) return;
        yield delta;
      }
    } finally {
      this.exports?.reader_destroy(reader);
    }
  }

  digest() {
    return this.bytes("doc_digest");
  }

  // Undo of what an agent does from now on.
  undo(agent, { pause = 0 } = {}) {
    check(this.exports.undo_create(this.handle, agent, position(pause)), "undo");
    return new Undo(this, this.core.handle());
  }

  // ------------------------------------------------------------------------------------------ of the complete module

  epoch() {
    return this.bytes("doc_epoch");
  }

  snapshot() {
    check(this.exports.doc_snapshot(this.handle), "snapshot");
    const [structure, text, tombs] = [0, 1, 2].map((index) => this.core.span(index).slice());
    this.exports.forget();
    return { structure, text, tombs };
  }

  // Makes the text equal to another by a minimal difference. Returns patches.
  replace(text) {
    check(this.core.withText(text, (at, size) => this.exports.doc_replace_text(this.handle, at, size)), "replace");
    return this.core.patches();
  }

  // Creates the text such that doing it twice, anywhere, is one edit.
  initial(text) {
    check(this.core.withText(text, (at, size) => this.exports.doc_insert_initial(this.handle, at, size)), "initial");
  }

  read(index, length) {
    check(this.exports.doc_read(this.handle, position(index), position(length)), "read");
    return this.core.text(0);
  }

  idAt(index) {
    check(this.exports.doc_id_at(this.handle, position(index)), "id");
    return { agent: this.core.number(0), seq: this.core.number(1) };
  }

  // { index, visible }
  indexOf({ agent, seq }) {
    check(this.exports.doc_index_of(this.handle, agent, seq), "index");
    return { index: Number(this.core.number(0)), visible: this.core.number(1) !== 0n };
  }

  stats() {
    this.exports.doc_stats(this.handle);
    const names = ["elements", "tombstones", "atoms", "runs", "spans", "agents", "parked", "memory"];
    return Object.fromEntries(names.map((name, index) => [name, Number(this.core.number(index))]));
  }

  // An agent's hash over all it did, and how far that goes.
  chain(agent) {
    const chain = this.bytes("doc_chain", agent);
    return { chain, next: this.core.number(0) };
  }

  textAt(version) {
    this.withVersion("doc_text_at", version);
    return this.core.text(0);
  }

  // What is in the text at one version, at the other, or at both: spans in document order.
  diff(before, after) {
    check(this.core.with([before, after], (at, lengths) =>
      this.exports.doc_diff(this.handle, at[0], lengths[0], lengths[1])), "diff");
    return this.records(40, (data, at, bytes) => {
      const size = data.getUint32(at + 36, true), collected = size === 0xffffffff;
      return [{
        agent: data.getBigUint64(at, true), seq: data.getBigUint64(at + 8, true),
        kind: DIFF_KINDS[data.getUint32(at + 16, true)], length: data.getUint32(at + 24, true),
        before: data.getUint32(at + 28, true), after: data.getUint32(at + 32, true),
        text: collected ? null : decoder.decode(bytes.subarray(at + 40, at + 40 + size)),
      }, collected ? 0 : size];
    });
  }

  // Who wrote [index, index + length) of the text.
  blame(index, length) {
    check(this.exports.doc_blame(this.handle, position(index), position(length)), "blame");
    return this.authors();
  }

  // Who wrote the text at a version.
  blameAt(version) {
    this.withVersion("doc_blame_at", version);
    return this.authors();
  }

  // Makes the text that of a version, as an edit. Returns patches.
  restore(version) {
    this.withVersion("doc_restore", version);
    return this.core.patches();
  }

  // ---------------------------------------------------------------------------------------------------------- inside

  bytes(name, ...rest) {
    check(this.exports[name](this.handle, ...rest), name);
    return this.core.part(0);
  }

  withVersion(name, version) {
    const at = this.core.lift(version), status = this.exports[name](this.handle, at, version.length);
    this.core.lay(at);
    check(status, name);
  }

  records(size, read) {
    const bytes = this.core.part(0), data = new DataView(bytes.buffer), records = [];
    for (let at = 0; at < bytes.length;) {
      const [record, more] = read(data, at, bytes);
      records.push(record);
      at += size + more;
    }
    return records;
  }

  authors() {
    return this.records(28, (data, at) => [{
      agent: data.getBigUint64(at, true), seq: data.getBigUint64(at + 8, true),
      index: data.getUint32(at + 20, true), length: data.getUint32(at + 24, true),
    }, 0]);
  }
}

export class Undo {
  constructor(document, handle) {
    Object.assign(this, { document, handle });
  }

  destroy() {
    this.document.core.exports.undo_destroy(this.handle);
    this.handle = 0;
    this.document = null;
  }

  // After each edit of the agent; what follows soon enough at the same place is one step. now: of a clock in ms.
  note(now) {
    check(this.document.exports.undo_note(this.handle, this.document.handle, now), "undo");
  }

  // { delta, patches }, or null when there is nothing to undo.
  undo() {
    return this.step("undo_undo");
  }

  redo() {
    return this.step("undo_redo");
  }

  step(name) {
    const { core, exports, handle } = this.document;
    const status = exports[name](this.handle, handle);
    if (STATUS[status] === "NOT_FOUND") return null;
    check(status, "undo");
    const delta = core.span(0).slice();
    return { delta, patches: core.patches() };
  }
}
