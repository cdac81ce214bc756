// The Merkle tree of RFC 6962 (section 2.1): hashes, and the check of inclusion and consistency proofs (RFC 9162, 2.1.3 and 2.1.4).

import { concat, isEqual, Refused, sha256 } from "./bytes.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(concat(LEAF, entry));
export const nodeHash = (left, right) => sha256(concat(NODE, left, right));

/** The largest power of two below `size`, which is at least 2. */
export function split(size) {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** The root over leaf hashes. */
export async function rootOf(leaves) {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return leaves[0];
  const left = split(leaves.length);
  return nodeHash(await rootOf(leaves.slice(0, left)), await rootOf(leaves.slice(left)));
}

/** The root that a leaf and its path lead to. */
export async function rootFromPath(leaf, index, size, path) {
  if (index >= size) throw new Refused(`entry ${index} is not in a tree of ${size}`);
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) throw new Refused("the path is too long");
    if (node % 2 === 1 || node === last) {
      hash = await nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new Refused("the path is too short");
  return hash;
}

/** Whether the tree of `oldSize` is the beginning of the tree of `newSize`; refuses with the reason if not. */
export async function checkConsistency(oldSize, oldRoot, newSize, newRoot, proof) {
  if (oldSize > newSize) throw new Refused(`the tree shrank from ${oldSize} to ${newSize} entries`);
  if (oldSize === newSize) {
    if (!isEqual(oldRoot, newRoot)) throw new Refused(`two different trees of ${oldSize} entries were signed`);
    return;
  }
  if (oldSize === 0) return;
  let [node, last] = [oldSize - 1, newSize - 1];
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  const hashes = [...proof];
  // a whole old tree is its own first hash
  let old = node === 0 && isPowerOfTwo(oldSize) ? oldRoot : hashes.shift();
  if (!old) throw new Refused("the consistency proof is too short");
  let all = old;
  for (const hash of hashes) {
    if (last === 0) throw new Refused("the consistency proof is too long");
    if (node % 2 === 1 || node === last) {
      old = await nodeHash(hash, old);
      all = await nodeHash(hash, all);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      all = await nodeHash(all, hash);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new Refused("the consistency proof is too short");
  if (!isEqual(old, oldRoot)) throw new Refused("the older tree is not the beginning of this one: something was changed");
  if (!isEqual(all, newRoot)) throw new Refused("the consistency proof does not lead to this tree");
}

const isPowerOfTwo = (number) => { let rest = number; while (rest % 2 === 0) rest /= 2; return rest === 1; };
