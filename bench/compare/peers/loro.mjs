// SPDX-License-Identifier: MIT
// Loro; whole documents as its snapshots, which hold history and state.
import { LoroDoc } from "loro-crdt";

const loro = {
  code: "wasm",
  notes: "snapshot with history",
  create(agent) {
    const doc = new LoroDoc();
    doc.setPeerId(BigInt(agent));
    doc.shared = doc.getText("text");
    return doc;
  },
  edit(doc, edit) {
    loro.edit_in(doc, edit);
    doc.commit();
  },
  edit_in(doc, { at16, deleted16, text }) {
    if (deleted16 > 0) doc.shared.delete(at16, deleted16);
    if (text !== "") doc.shared.insert(at16, text);
  },
  transaction(doc, edits) {
    const from = doc.version();
    for (const edit of edits) loro.edit_in(doc, edit);
    doc.commit();
    const update = doc.export({ mode: "update", from });
    from.free();
    return update;
  },
  apply: (doc, update) => void doc.import(update),
  encode: (doc) => doc.export({ mode: "snapshot" }),
  open(bytes) {
    const doc = loro.create(1);
    doc.import(bytes);
    return doc;
  },
  text: (doc) => doc.shared.toString(),
  free(doc) {
    doc.shared.free();
    doc.free();
  },
};
export default loro;
