// SPDX-License-Identifier: MIT
// diamond-types as its author last published it to npm. It counts Unicode scalars.
import { Doc } from "diamond-types-node";

const diamond_types = {
  code: "wasm",
  notes: "all deleted text kept; LZ4",
  create: (agent) => new Doc(`agent${agent}`),
  edit(doc, { at, deleted, text }) {
    if (deleted > 0) doc.del(at, deleted);
    if (text !== "") doc.ins(at, text);
  },
  transaction(doc, edits) {
    const from = doc.getLocalVersion();
    for (const edit of edits) diamond_types.edit(doc, edit);
    return doc.getPatchSince(from);
  },
  apply: (doc, patch) => void doc.mergeBytes(patch),
  encode: (doc) => doc.toBytes(),
  open: (bytes) => Doc.fromBytes(bytes, "reader"),
  text: (doc) => doc.get(),
  free: (doc) => doc.free(),
};
export default diamond_types;
