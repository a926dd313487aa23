// SPDX-License-Identifier: MIT
// Editing traces: found in $WEFT_TRACES, read, and made ready for libraries that count differently.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

// Paths of the traces that one of the words names, or names a part of; of all without words.
export function find(words) {
  const root = process.env.WEFT_TRACES ?? fileURLToPath(new URL("../../../shared/traces", import.meta.url));
  if (!fs.existsSync(root)) throw new Error(`no traces in ${root}: set WEFT_TRACES`);
  const all = fs.readdirSync(root, { recursive: true }).filter((name) => /\.json(\.gz)?$/.test(name)).sort();
  const exact = (word) => all.some((name) => name_of(name) === word); // friendsforever is not friendsforever_flat
  const is = (name, word) => exact(word) ? name_of(name) === word : name_of(name).includes(word);
  const found = all.filter((name) => words.length === 0 || words.some((word) => is(name, word)));
  if (found.length === 0) throw new Error(`no trace of ${words.join(" ")} in ${root}`);
  return found.map((name) => path.join(root, name));
}

export const name_of = (file) => path.basename(file).replace(/\.json(\.gz)?$/, "");

// { name, end, sequential, txns: [{ agent, parents, edits: [{ at, deleted, text, at16, deleted16 }] }] }
//
// at and deleted are Unicode scalars, at16 and deleted16 UTF-16 units.
export function read(file) {
  const bytes = fs.readFileSync(file);
  const json = JSON.parse(file.endsWith(".gz") ? gunzipSync(bytes) : bytes);
  const sequential = json.numAgents === undefined;
  let astral = []; // where characters of two units stand, of a sequential trace
  const edit = ([at, deleted, text]) => {
    const before = (end) => astral.filter((place) => place < end).length;
    const made = { at, deleted, text, at16: at + before(at), deleted16: deleted + before(at + deleted) - before(at) };
    const scalars = Array.from(text), grown = scalars.length - deleted;
    if (!sequential && scalars.length !== text.length) throw new Error(`${file}: beyond the basic plane`);
    if (astral.length > 0 || scalars.length !== text.length) {
      astral = [...astral.filter((place) => place < at || place >= at + deleted)
        .map((place) => place < at ? place : place + grown),
      ...scalars.flatMap((character, index) => character.length === 2 ? [at + index] : [])];
    }
    return made;
  };
  return {
    name: name_of(file), end: json.endContent, sequential, agents: json.numAgents ?? 1,
    txns: json.txns.map(({ agent = 0, parents = null, patches }) => ({ agent, parents, edits: patches.map(edit) })),
  };
}

// Runs a concurrent trace, with a replica for each of its agents: each transaction stands on exactly its parents and
// what they stand on. Calls message(index, bytes) with each transaction's update. Returns the replica of them all.
export function replay(trace, peer, message) {
  const { txns } = trace, replicas = new Map(), updates = [];
  const bring = (replica, heads) => { // what is missing of the heads' past, oldest first
    const missing = [], open = [...heads];
    while (open.length > 0) {
      const index = open.pop();
      if (replica.has[index]) continue;
      replica.has[index] = 1;
      missing.push(index);
      open.push(...txns[index].parents);
    }
    for (const index of missing.sort((a, b) => a - b)) peer.apply(replica.doc, updates[index]);
  };
  const replica_of = (agent) => {
    if (!replicas.has(agent)) replicas.set(agent, { doc: peer.create(agent + 1), has: new Uint8Array(txns.length) });
    return replicas.get(agent);
  };
  txns.forEach(({ agent, parents, edits }, index) => {
    const replica = replica_of(agent);
    bring(replica, parents);
    updates[index] = peer.transaction(replica.doc, trace.clamp ? clamped(peer, replica.doc, edits) : edits);
    replica.has[index] = 1;
    message(index, updates[index]);
  });
  const all = replica_of(trace.agents);
  bring(all, txns.map((_, index) => index));
  for (const [agent, { doc }] of replicas) if (agent !== trace.agents) peer.free(doc);
  return all.doc;
}

// Edits that take another order of concurrent text for granted may be past the end.
function clamped(peer, doc, edits) {
  let length = peer.text(doc).length;
  return edits.map((edit) => {
    const at = Math.min(edit.at, length), deleted = Math.min(edit.deleted, length - at);
    length += edit.text.length - deleted;
    return { at, deleted, text: edit.text, at16: at, deleted16: deleted };
  });
}
