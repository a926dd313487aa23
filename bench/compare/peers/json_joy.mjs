// SPDX-License-Identifier: MIT
// json-joy: a model whose root is a string.
import { Model } from "json-joy/lib/json-crdt/index.js";
import { Patch } from "json-joy/lib/json-crdt-patch/index.js";

const first = Model.create(undefined, 65536);
first.api.set("");
const base = first.toBinary(); // everyone's, with the string in it

const json_joy = {
  code: "JavaScript",
  notes: "deleted text dropped",
  create: (agent) => Model.load(base, 100_000 + agent),
  edit(doc, edit) {
    json_joy.edit_in(doc, edit);
    doc.api.flush();
  },
  edit_in(doc, { at16, deleted16, text }) {
    const string = doc.api.str([]);
    if (deleted16 > 0) string.del(at16, deleted16);
    if (text !== "") string.ins(at16, text);
  },
  transaction(doc, edits) {
    for (const edit of edits) json_joy.edit_in(doc, edit);
    return doc.api.flush().toBinary();
  },
  apply: (doc, patch) => void doc.applyPatch(Patch.fromBinary(patch)),
  encode: (doc) => doc.toBinary(),
  open: (bytes) => Model.load(bytes, 100_001),
  text: (doc) => doc.view(),
  free() {},
};
export default json_joy;
