// SPDX-License-Identifier: MIT
// Yrs, the Rust port of Yjs, as WebAssembly; encodings as for yjs.
import * as Y from "ywasm";

const edit_in = (doc, transaction, { at16, deleted16, text }) => {
  if (deleted16 > 0) doc.shared.delete(at16, deleted16, transaction);
  if (text !== "") doc.shared.insert(at16, text, undefined, transaction);
};

const ywasm = {
  code: "wasm",
  notes: "deleted text dropped",
  create(agent) {
    const doc = new Y.YDoc({ clientID: agent });
    doc.shared = doc.getText("text");
    return doc;
  },
  edit(doc, edit) {
    const transaction = doc.beginTransaction();
    edit_in(doc, transaction, edit);
    transaction.commit();
    transaction.free();
  },
  transaction(doc, edits) {
    let update = null;
    const observer = doc.onUpdate((bytes) => { update = bytes; });
    const transaction = doc.beginTransaction();
    for (const edit of edits) edit_in(doc, transaction, edit);
    transaction.commit();
    transaction.free();
    observer.free();
    return update;
  },
  apply: (doc, update) => void (update !== null && Y.applyUpdate(doc, update)),
  encode: (doc) => Y.encodeStateAsUpdateV2(doc),
  open(bytes) {
    const doc = ywasm.create(1);
    Y.applyUpdateV2(doc, bytes);
    return doc;
  },
  text: (doc) => doc.shared.toString(),
  free(doc) {
    doc.shared.free();
    doc.free();
  },
};
export default ywasm;
