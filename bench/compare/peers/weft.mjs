// SPDX-License-Identifier: MIT
// weft's core as WebAssembly, through core.js. $WEFT_CORE is the folder with weft_core_full.wasm.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Core } from "../../../src/web/core/core.js";

const folder = process.env.WEFT_CORE ?? fileURLToPath(new URL("../../../build/src/web/core", import.meta.url));
const core = await Core.load(fs.readFileSync(path.join(folder, "weft_core_full.wasm")));

const weft = {
  code: "wasm",
  notes: "all deleted text kept",
  create(agent) {
    const doc = core.create();
    doc.setAgent(BigInt(agent));
    doc.agent = BigInt(agent);
    return doc;
  },
  edit(doc, { at16, deleted16, text }) {
    if (deleted16 > 0) doc.delete(at16, deleted16);
    if (text !== "") doc.insert(at16, text);
  },
  transaction(doc, edits) {
    const from = doc.nextSeq(doc.agent);
    for (const edit of edits) weft.edit(doc, edit);
    return doc.deltaOwn(doc.agent, from);
  },
  apply: (doc, delta) => void (delta.length > 0 && doc.apply(delta, { patches: false })),
  encode: (doc) => doc.deltaSince(),
  open(delta) {
    const doc = core.create();
    doc.apply(delta, { patches: false });
    return doc;
  },
  text: (doc) => doc.text(),
  free: (doc) => doc.destroy(),
};
export default weft;

// The same document, kept as a snapshot.
export const snapshot = {
  ...weft,
  notes: "snapshot: order and text apart",
  encode(doc) {
    const { structure, text, tombs } = doc.snapshot();
    return { structure, text, tombs, length: structure.length + text.length + tombs.length };
  },
  open: (parts) => core.open(parts),
};
