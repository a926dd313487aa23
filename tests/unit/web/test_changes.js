// SPDX-License-Identifier: MIT
// The changes of a text that the editor page computes with, taken out of the page itself: laws on texts of few
// letters, among them those that JavaScript compares as numbers. Needs node; prints TAP.
//
//     node tests/unit/web/test_changes.js src/web/editor/index.html
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const vm = require("node:vm");

const page = fs.readFileSync(process.argv[2], "utf8");
const [from, to] = ["// ---- changes of a text", "// ---- the document"].map((mark) =>
  page.search(new RegExp(mark.replace("----", "-+") + "\n")));
assert(0 < from && from < to, "the page has its two parts");
const { apply, compose, transform, difference, to_patches, from_patch } = vm.runInThisContext(
  page.slice(from, to) + "; ({ apply, compose, transform, difference, to_patches, from_patch })");

const LETTERS = ["0", "1", "9", "-", "a", "b", ".", "e", " ", "\n", "\u{1f600}"];
let state = 1;
function random(below) { // a linear congruence: the same texts each time
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
}
const random_text = () => Array.from({ length: random(7) }, () => LETTERS[random(LETTERS.length)]).join("");
const patched = (text, patches) => patches.reduce((now, patch) => apply(now, from_patch(now, patch)), text);

const tests = {
  digits_typed_at_the_end_are_put_in() {
    for (const digits of ["1", "9", "42", "-1", "1e3", "Infinity"]) {
      assert.equal(apply("x", difference("x", "x" + digits)), "x" + digits);
      assert.equal(patched("x", [[1, 0, digits]]), "x" + digits);
    }
  },
  a_difference_makes_the_second_text_of_the_first(a, b) {
    assert.equal(apply(a, difference(a, b)), b);
  },
  patches_do_what_their_change_does(a, b) {
    assert.equal(patched(a, to_patches(a, difference(a, b))), b);
  },
  composed_changes_do_what_one_after_the_other_does(a, b, c) {
    assert.equal(apply(a, compose(difference(a, b), difference(b, c))), c);
  },
  several_composed_changes_do_what_they_do_in_turn(a, b, c, d) {
    const first = compose(difference(a, b), difference(b, c));
    assert.equal(apply(a, compose(first, difference(c, d))), d);
  },
  transformed_changes_meet_at_one_text(a, b, c, d) {
    const mine = compose(difference(a, b), difference(b, c)), theirs = difference(a, d);
    const [mine_then, theirs_then] = transform(mine, theirs);
    assert.equal(apply(d, mine_then), apply(c, theirs_then));
  },
};

console.log(`1..${Object.keys(tests).length}`);
let number = 0;
for (const [name, law] of Object.entries(tests)) {
  let failure = null, texts = [];
  try {
    for (let round = 0; round < (law.length > 0 ? 20000 : 1); round++) {
      texts = Array.from({ length: law.length }, random_text);
      law(...texts);
    }
  } catch (error) {
    failure = error;
    process.exitCode = 1;
  }
  console.log(`${failure ? "not ok" : "ok"} ${++number} - ${name}`);
  if (failure) console.log(`# ${JSON.stringify(texts)}: ${failure.message.replaceAll("\n", " ")}`);
}
