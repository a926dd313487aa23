// SPDX-License-Identifier: MIT
// Automerge by the handle of its WebAssembly core, without the JavaScript objects that it shows of a document.
import * as A from "@automerge/automerge";

const actor = (agent) => agent.toString(16).padStart(32, "0");
const base = A.save(A.from({ text: "" }, { actor: actor(0xffffffff) })); // everyone's, with the text in it
const PATH = "/text";

const automerge = {
  code: "wasm",
  notes: "all deleted text kept",
  create: (agent) => A.getBackend(A.load(base, { actor: actor(agent) })),
  edit(doc, { at16, deleted16, text }) {
    doc.splice(PATH, at16, deleted16, text);
    doc.commit(null, 0);
  },
  transaction(doc, edits) {
    for (const { at16, deleted16, text } of edits) doc.splice(PATH, at16, deleted16, text);
    doc.commit(null, 0);
    return doc.getLastLocalChange();
  },
  apply: (doc, change) => void doc.applyChanges([change]),
  encode: (doc) => doc.save(),
  open: (bytes) => A.getBackend(A.load(bytes)),
  text: (doc) => doc.text(PATH),
  free: (doc) => doc.free(),
};
export default automerge;
