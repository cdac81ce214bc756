// The second implementation of verification, against the golden files of the first: what Rust and Go wrote, this JavaScript reads.
// Run by `tests/pages/run`; needs Node 20 and nothing else.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const ROOT = new URL("../../../", import.meta.url);
const MODULES = new URL("crates/indelible-server/assets/proof/", ROOT);
const load = (name) => import(new URL(name, MODULES));
const { concat, fromBase64, Refused, toBase64, utf8, wholeNumber } = await load("bytes.js");
const { checkConsistency, leafHash, nodeHash, rootFromPath, rootOf, split } = await load("tree.js");
const { Tiles, tilePath } = await load("tiles.js");
const { openCheckpoint, readKey, readNote } = await load("note.js");
const { kindOf, openReceipt, readProof } = await load("kept.js");
const { verifyEntry, verifyKept } = await load("verify.js");

// docs/formats.md: seven entries under the key of the golden files
const formats = readFileSync(new URL("docs/formats.md", ROOT), "utf8");
const block = (begin) => formats.slice(formats.indexOf(`\`\`\`\n${begin}`) + 4).split("```")[0];
const CHECKPOINT = block("log.example/golden\n7\n");
const RECEIPT = block("indelible.receipt/1\n");
const PROOF = block("c2sp.org/tlog-proof@v1\n");
const KEY = /`(log\.example\/golden\+dc7e3860\+[^`]+)`/.exec(formats)[1];
const entries = (count) => Array.from({ length: count }, (_, index) => utf8(`audit-${index}`));

/** A log in memory, laid out as C2SP tlog-tiles says, by the plainest code there is. */
async function published(list) {
  const files = new Map();
  const layer = [await Promise.all(list.map(leafHash))];
  for (let level = 0; layer[level].length > 0; level += 1) {
    const hashes = layer[level];
    layer[level + 1] = [];
    for (let index = 0; index * 256 < hashes.length; index += 1) {
      const tile = hashes.slice(index * 256, index * 256 + 256);
      for (let width = 1; width <= tile.length; width += 1) {
        files.set(`tile/${level}/${tilePath(index)}${width < 256 ? `.p/${width}` : ""}`, concat(...tile.slice(0, width)));
      }
      if (tile.length === 256) layer[level + 1].push(await rootOf(tile));
    }
  }
  for (let index = 0; index * 256 < list.length; index += 1) {
    const bundle = list.slice(index * 256, index * 256 + 256);
    const bytes = bundle.map((entry) => concat(Uint8Array.of(entry.length >> 8, entry.length & 255), entry));
    for (let width = 1; width <= bytes.length; width += 1) {
      files.set(`tile/entries/${tilePath(index)}${width < 256 ? `.p/${width}` : ""}`, concat(...bytes.slice(0, width)));
    }
  }
  return { files, leaves: layer[0] };
}

const fetchFrom = (files) => async (path, most) => {
  const bytes = files.get(path);
  if (!bytes) throw new Error(`no ${path}`);
  assert.ok(bytes.length <= most);
  return bytes;
};

test("roots are those that Go computed", async () => {
  const table = readFileSync(new URL("crates/indelible-tlog/testdata/tree-roots.txt", ROOT), "utf8");
  let compared = 0;
  for (const line of table.split("\n")) {
    const found = /^(\d+)\s+(\S+)$/.exec(line.trim());
    if (!found || Number(found[1]) > 5000) continue;
    const leaves = await Promise.all(entries(Number(found[1])).map(leafHash));
    assert.equal(toBase64(await rootOf(leaves)), found[2], line);
    compared += 1;
  }
  assert.ok(compared >= 5, `${compared} roots compared`);
});

test("paths and roots out of tiles are those of the plain tree", async () => {
  const { files, leaves } = await published(entries(600));
  for (const size of [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 513, 600]) {
    const tiles = new Tiles(fetchFrom(files), size);
    const root = await rootOf(leaves.slice(0, size));
    assert.equal(toBase64(await tiles.root()), toBase64(root));
    for (let index = 0; index < size; index += size > 20 ? 13 : 1) {
      const path = await tiles.path(index);
      assert.equal(toBase64(await rootFromPath(leaves[index], index, size, path)), toBase64(root), `${index} of ${size}`);
      if (path.length > 0) {
        await assert.rejects(rootFromPath(leaves[index], index, size, path.slice(1)).then((other) => assert.equal(toBase64(other), toBase64(root))));
        await assert.rejects(rootFromPath(leaves[index], index, size, [...path, root]), Refused);
      }
    }
  }
});

test("a tree is consistent with each of its beginnings and with nothing else", async () => {
  const { files, leaves } = await published(entries(300));
  const roots = new Map();
  const rootAt = async (size) => { if (!roots.has(size)) roots.set(size, await rootOf(leaves.slice(0, size))); return roots.get(size); };
  const sizes = [...Array(40).keys()].slice(1).concat([255, 256, 257, 299, 300]);
  for (const size of sizes) {
    const tiles = new Tiles(fetchFrom(files), size);
    for (const old of sizes.filter((old) => old <= size)) {
      const proof = await tiles.consistency(old);
      await checkConsistency(old, await rootAt(old), size, await rootAt(size), proof);
      const other = await nodeHash(await rootAt(old), await rootAt(old));
      await assert.rejects(checkConsistency(old, other, size, await rootAt(size), proof), Refused, `${old} of ${size}`);
      if (proof.length > 0) await assert.rejects(checkConsistency(old, await rootAt(old), size, await rootAt(size), proof.slice(1)), Refused);
    }
  }
  await assert.rejects(checkConsistency(5, leaves[0], 4, leaves[0], []), /shrank/);
});

test("the golden checkpoint, receipt and proof are read, and no changed byte of them is", async () => {
  const key = await readKey(KEY);
  const checkpoint = await openCheckpoint(CHECKPOINT, key);
  assert.deepEqual([checkpoint.size, toBase64(checkpoint.root)], [7, "JxUG6A/Kh8JglLgMlmHQyY8cl6PmsGC4HIvBNOhHu44="]);
  const receipt = await openReceipt(RECEIPT, key);
  assert.deepEqual([receipt.first, receipt.count], [3, 4]);
  const leaves = await Promise.all(entries(7).map(leafHash));
  assert.equal(toBase64(await rootOf(leaves.slice(3, 7))), toBase64(receipt.root));
  const proof = readProof(PROOF);
  assert.equal(toBase64(await rootFromPath(leaves[3], 3, 7, proof.path)), toBase64(checkpoint.root));
  for (const [text, open] of [[CHECKPOINT, openCheckpoint], [RECEIPT, openReceipt]]) {
    for (let at = 0; at < text.length; at += 1) {
      const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
      await assert.rejects(open(changed, key), `byte ${at}`);
    }
    for (let length = 0; length < text.length; length += 1) await assert.rejects(async () => open(text.slice(0, length), key), `cut to ${length}`);
  }
});

test("keys whose id is another's, and notes that are none, are refused", async () => {
  await assert.rejects(readKey(KEY.replace("dc7e3860", "dc7e3861")), /id does not belong/);
  for (const wrong of ["", "a", "a+b+c", KEY.slice(0, -4)]) await assert.rejects(readKey(wrong), Refused);
  for (const wrong of ["", "x\n", "x\n\n", "x\n\nno\n", `x\n\n${"— a AAAAAAAA\n".repeat(101)}`]) assert.throws(() => readNote(wrong), Refused);
  for (const wrong of ["", "1e3", "01", "-1", "9007199254740993", "99999999999999999999"]) assert.throws(() => wholeNumber(wrong), Refused);
  for (const wrong of ["A", "AA=", "AAB=", "!!!!", "AA==A"]) assert.throws(() => fromBase64(wrong), Refused);
  assert.throws(() => kindOf("hello"), Refused);
  assert.equal(split(5), 4);
  assert.equal(tilePath(1234067), "x001/x234/067");
});

/** The golden log of seven entries, with its checkpoint. */
async function golden() {
  const { files } = await published(entries(7));
  files.set("checkpoint", utf8(CHECKPOINT));
  files.set("log.vkey", utf8(`${KEY}\n`));
  return files;
}

const quiet = () => {};
const memory = (seen = {}) => ({ get: (what) => seen[what] ?? null, set: (what, text) => { seen[what] = text; } });

test("an entry is verified, and with any byte of what it rests on changed it is not", async () => {
  const files = await golden();
  for (let index = 0; index < 7; index += 1) {
    const steps = [];
    const verdict = await verifyEntry({ fetchBytes: fetchFrom(files), index, shown: `audit-${index}`, memory: memory(), tell: (step) => steps.push(step) });
    assert.ok(verdict.ok, verdict.reason);
    assert.equal(steps.filter(({ state }) => state === "ok").length, 7);
  }
  const path = "tile/entries/000.p/7";
  const whole = files.get(path);
  for (const file of [path, "tile/0/000.p/7", "checkpoint", "log.vkey"]) {
    const bytes = files.get(file);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Uint8Array.from(bytes);
      changed[at] ^= 1;
      const tampered = new Map(files).set(file, changed);
      const verdict = await verifyEntry({ fetchBytes: fetchFrom(tampered), index: 3, key: file === "log.vkey" ? "" : KEY, tell: quiet });
      // other entries of the bundle, and the leaf's own hash in its tile, are not part of this proof; the newline after the key is none of the key
      const beside = (file === path && (at < 27 || at >= 36)) || (file === "tile/0/000.p/7" && at >= 96 && at < 128) || (file === "log.vkey" && at === bytes.length - 1);
      if (!beside) assert.ok(!verdict.ok, `${file}, byte ${at}`);
    }
  }
  assert.equal(whole.length, 63);
  const other = await verifyEntry({ fetchBytes: fetchFrom(files), index: 3, shown: "audit-4", tell: quiet });
  assert.match(other.reason, /other bytes than this page shows/);
  const beyond = await verifyEntry({ fetchBytes: fetchFrom(files), index: 7, tell: quiet });
  assert.match(beyond.reason, /covers 7 entries/);
});

test("what this browser saw before must be the beginning of what it sees now", async () => {
  const files = await golden();
  const seen = {};
  assert.ok((await verifyEntry({ fetchBytes: fetchFrom(files), index: 0, memory: memory(seen), tell: quiet })).ok);
  assert.deepEqual(Object.keys(seen), ["key", "checkpoint"]);
  const another = await verifyEntry({ fetchBytes: fetchFrom(files), index: 0, memory: memory({ key: KEY.replace("golden", "other") }), tell: quiet });
  assert.match(another.reason, /another key than at this browser's first visit/);
});

test("what was kept is checked, each in its way", async () => {
  const files = await golden();
  for (const [text, words] of [[CHECKPOINT, "its 7 entries"], [RECEIPT, "4 entries from 3"], [PROOF, "entry 3 under"]]) {
    const steps = [];
    const verdict = await verifyKept({ fetchBytes: fetchFrom(files), text, tell: (step) => steps.push(step) });
    assert.ok(verdict.ok, verdict.reason);
    assert.match(steps.at(-1).detail, new RegExp(words));
  }
  const bundle = Uint8Array.from(files.get("tile/entries/000.p/7"));
  bundle[4 * 9 + 5] ^= 1;
  const tampered = new Map(files).set("tile/entries/000.p/7", bundle);
  const verdict = await verifyKept({ fetchBytes: fetchFrom(tampered), text: RECEIPT, tell: quiet });
  assert.match(verdict.reason, /entry 4 is not part of the tree/);
  // a whole log over other entries, signed or not, is not the one the receipt was given for
  const other = await published([...entries(4), ...entries(3)]);
  const swapped = new Map([...other.files, ["checkpoint", files.get("checkpoint")], ["log.vkey", files.get("log.vkey")]]);
  assert.ok(!(await verifyKept({ fetchBytes: fetchFrom(swapped), text: RECEIPT, tell: quiet })).ok);
  assert.match((await verifyKept({ fetchBytes: fetchFrom(files), text: "hello\n", tell: quiet })).reason, /neither a checkpoint/);
});
