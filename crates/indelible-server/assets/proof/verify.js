// The checks, step by step. Each step says what was done and what came out; the first that fails ends the check. Nothing here touches
// a page: it runs in a browser and in Node alike.

import { fromUtf8, isEqual, Refused, toBase64, toHex, utf8 } from "./bytes.js";
import { kindOf, openReceipt, readProof } from "./kept.js";
import { NOTE_BYTES_MAX, openCheckpoint, readKey } from "./note.js";
import { Tiles } from "./tiles.js";
import { checkConsistency, leafHash, rootFromPath, rootOf } from "./tree.js";

/** Most entries of a receipt that are fetched again. */
const RECEIPT_ENTRIES_MAX = 100_000;

/**
 * Runs steps one after the other and tells of each: `tell({ name, state, detail })` with the states `running`, `ok` and `failed`.
 * Gives back whether all went well.
 */
async function run(tell, steps) {
  const found = {};
  for (const [name, act] of steps) {
    tell({ name, state: "running", detail: "" });
    try {
      tell({ name, state: "ok", detail: await act(found) });
    } catch (error) {
      const reason = error instanceof Refused ? error.message : `it could not be done: ${error.message}`;
      tell({ name, state: "failed", detail: reason });
      return { ok: false, reason: `${name}: ${reason}` };
    }
  }
  return { ok: true };
}

/** The key: the one given, otherwise the log's, which must be the one this browser saw first (`memory`). */
const keyStep = ({ fetchBytes, key, memory }) => ["The log's verifier key", async (found) => {
  found.key = await readKey(key || fromUtf8(await fetchBytes("log.vkey", 1_024)));
  if (key) return `given by you: ${found.key.text}`;
  const seen = memory?.get("key");
  if (seen && seen !== found.key.text) {
    throw new Refused(`the server shows another key than at this browser's first visit, which was ${seen}`);
  }
  memory?.set("key", found.key.text);
  return `${found.key.text}${seen ? "; the same as at this browser's first visit" : "; remembered from now on"}`;
}];

const checkpointStep = ({ fetchBytes }) => ["The signed checkpoint", async (found) => {
  found.note = fromUtf8(await fetchBytes("checkpoint", NOTE_BYTES_MAX));
  found.checkpoint = await openCheckpoint(found.note, found.key);
  found.tiles = new Tiles(fetchBytes, found.checkpoint.size);
  return `${found.checkpoint.size} entries, root ${toBase64(found.checkpoint.root)}, signed by ${found.key.name} with key ${found.key.id}`;
}];

/** The tree must go on from the newest one that this browser saw; it is remembered afterwards. */
const memoryStep = ({ memory }) => ["The same log as before", async (found) => {
  const seen = memory?.get("checkpoint");
  let detail = "this browser has seen no checkpoint of it before";
  if (seen) {
    const before = await openCheckpoint(seen, found.key);
    await grown(before, found);
    detail = `the ${before.size} entries that this browser saw before are its beginning`;
  }
  memory?.set("checkpoint", found.note);
  return detail;
}];

async function grown(before, { checkpoint, tiles }) {
  const proof = await tiles.consistency(before.size);
  await checkConsistency(before.size, before.root, checkpoint.size, checkpoint.root, proof);
}

/** Checks that leaves stand in the signed tree: each in its tile, and each tile by the path of one of its leaves, which takes in all. */
async function inTree(leaves, first, { checkpoint, tiles }) {
  for (let place = 0; place < leaves.length; place += 1) {
    const index = first + place;
    const tile = await tiles.tile(0, Math.floor(index / 256));
    let stands = isEqual(tile[index % 256], leaves[place]);
    if (stands && (place === 0 || index % 256 === 0)) {
      const root = await rootFromPath(leaves[place], index, checkpoint.size, await tiles.path(index));
      stands = isEqual(root, checkpoint.root);
    }
    if (!stands) throw new Refused(`entry ${index} is not part of the tree that was signed`);
  }
}

/** Checks that entry `index` stands in the log, and that it is the text `shown` where one is given. */
export function verifyEntry({ fetchBytes, index, shown, key, memory, tell }) {
  const options = { fetchBytes, key, memory };
  return run(tell, [
    keyStep(options),
    checkpointStep(options),
    memoryStep(options),
    ["The entry's bytes", async (found) => {
      if (index >= found.checkpoint.size) throw new Refused(`the newest checkpoint covers ${found.checkpoint.size} entries, and this is entry ${index}; wait a second`);
      const { first, entries } = await found.tiles.bundle(index);
      found.entry = entries[index - first];
      if (shown !== undefined && !isEqual(utf8(shown), found.entry)) throw new Refused("the log holds other bytes than this page shows");
      return `${found.entry.length} bytes${shown === undefined ? "" : ", the same as on this page"}`;
    }],
    ["The leaf's hash", async (found) => {
      found.leaf = await leafHash(found.entry);
      return `SHA-256(0x00 ‖ entry) = ${toHex(found.leaf)}`;
    }],
    ["The path to the root", async (found) => {
      found.path = await found.tiles.path(index);
      return `${found.path.length} hashes out of ${found.tiles.fetched.filter((path) => !path.includes("entries")).length} tiles`;
    }],
    ["The root", async (found) => {
      const root = await rootFromPath(found.leaf, index, found.checkpoint.size, found.path);
      if (!isEqual(root, found.checkpoint.root)) throw new Refused(`entry and path lead to ${toBase64(root)}, which is not the root that was signed: something was changed`);
      return `${toBase64(root)} is the root that was signed`;
    }],
  ]);
}

/** Checks what somebody kept against the log. */
export function verifyKept({ fetchBytes, text, key, memory, tell }) {
  const options = { fetchBytes, key, memory };
  let kind;
  const steps = [["What it is", async () => { kind = kindOf(text); return `a ${kind}`; }], keyStep(options), checkpointStep(options)];
  const checks = {
    checkpoint: ["It is a beginning of the log", async (found) => {
      const before = await openCheckpoint(text, found.key);
      await grown(before, found);
      return `its ${before.size} entries are the beginning of the log's ${found.checkpoint.size}`;
    }],
    receipt: ["Its entries stand in the log", async (found) => {
      const receipt = await openReceipt(text, found.key);
      const end = receipt.first + receipt.count;
      if (receipt.count > RECEIPT_ENTRIES_MAX) throw new Refused("it is over too many entries for a browser; use `indelible receipt verify`");
      if (end > found.checkpoint.size) throw new Refused(`it promises entries up to ${end - 1}, and the log has ${found.checkpoint.size}: entries are missing`);
      const leaves = [];
      for (let index = receipt.first; index < end; ) {
        const { first, entries } = await found.tiles.bundle(index);
        for (; index < Math.min(end, first + entries.length); index += 1) leaves.push(await leafHash(entries[index - first]));
      }
      await inTree(leaves, receipt.first, found);
      if (!isEqual(await rootOf(leaves), receipt.root)) throw new Refused("the entries at these places are not those that were promised");
      return `${receipt.count} entries from ${receipt.first} on, recorded ${receipt.recorded}`;
    }],
    proof: ["Its entry stands in its checkpoint, and that in the log", async (found) => {
      const proof = readProof(text);
      const before = await openCheckpoint(proof.checkpoint, found.key);
      const { first, entries } = await found.tiles.bundle(proof.index);
      const leaf = await leafHash(entries[proof.index - first]);
      const root = await rootFromPath(leaf, proof.index, before.size, proof.path);
      if (!isEqual(root, before.root)) throw new Refused(`entry ${proof.index} as the log holds it is not the one that was proven`);
      await grown(before, found);
      return `entry ${proof.index} under the checkpoint of ${before.size} entries, which is a beginning of the log`;
    }],
  };
  steps.push(["The kept one", async (found) => {
    const [name, act] = checks[kind];
    return `${name}: ${await act(found)}`;
  }]);
  return run(tell, steps);
}
