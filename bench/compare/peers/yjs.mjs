// SPDX-License-Identifier: MIT
// Yjs as it comes: deleted text is dropped (gc). Whole documents in its second encoding, updates in the first, which
// is the smaller one for a key and what y-websocket sends.
import * as Y from "yjs";

const yjs = {
  code: "JavaScript",
  notes: "deleted text dropped",
  create(agent) {
    const doc = new Y.Doc();
    doc.clientID = agent;
    doc.shared = doc.getText("text");
    return doc;
  },
  edit(doc, { at16, deleted16, text }) {
    doc.transact(() => {
      if (deleted16 > 0) doc.shared.delete(at16, deleted16);
      if (text !== "") doc.shared.insert(at16, text);
    });
  },
  transaction(doc, edits) {
    let update = null;
    const keep = (bytes) => { update = bytes; };
    doc.on("update", keep);
    doc.transact(() => {
      for (const { at16, deleted16, text } of edits) {
        if (deleted16 > 0) doc.shared.delete(at16, deleted16);
        if (text !== "") doc.shared.insert(at16, text);
      }
    });
    doc.off("update", keep);
    return update;
  },
  apply: (doc, update) => void (update !== null && Y.applyUpdate(doc, update)),
  encode: (doc) => Y.encodeStateAsUpdateV2(doc),
  open(bytes) {
    const doc = yjs.create(1);
    Y.applyUpdateV2(doc, bytes);
    return doc;
  },
  text: (doc) => doc.shared.toString(),
  free: (doc) => doc.destroy(),
};
export default yjs;
