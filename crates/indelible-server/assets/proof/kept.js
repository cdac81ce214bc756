// What somebody kept: a checkpoint, a receipt, or a proof file. Each says which it is by its first line.

import { fromBase64, Refused, wholeNumber } from "./bytes.js";
import { openNote } from "./note.js";

const PROOF_HASHES_MAX = 64;

/** `checkpoint`, `receipt` or `proof`. */
export function kindOf(text) {
  const first = text.split("\n", 1)[0];
  if (first === "c2sp.org/tlog-proof@v1") return "proof";
  if (/^— /m.test(text) && text.startsWith("indelible.receipt/1\n")) return "receipt";
  if (/^— /m.test(text)) return "checkpoint";
  throw new Refused("this is neither a checkpoint, nor a receipt, nor a proof: it has no signature line");
}

/** A receipt: which entries it promises. Exactly these lines in this order. */
export async function openReceipt(text, key) {
  const signed = await openNote(text, key);
  const found = /^indelible\.receipt\/1\norigin (.+)\nfirst (\d+)\ncount (\d+)\nroot (.+)\nrecorded (\S+)\n$/.exec(signed);
  if (!found) throw new Refused("the receipt is not written as receipts are");
  const [, origin, first, count, root, recorded] = found;
  if (origin !== key.name) throw new Refused(`the receipt is of ${origin}, and the key of ${key.name}`);
  const receipt = { origin, first: wholeNumber(first), count: wholeNumber(count), root: fromBase64(root, 32), recorded };
  if (receipt.count < 1) throw new Refused("the receipt is over no entries");
  return receipt;
}

/** A proof file (C2SP tlog-proof): index, path, and the checkpoint verbatim. */
export function readProof(text) {
  const end = text.indexOf("\n\n");
  if (end < 0) throw new Refused("the proof file has no checkpoint");
  const lines = text.slice(0, end).split("\n");
  lines.shift();
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = /^index (\d+)$/.exec(lines.shift() ?? "");
  if (!index) throw new Refused("the proof file names no index");
  if (lines.length > PROOF_HASHES_MAX) throw new Refused("the proof file has too many hashes");
  return { index: wholeNumber(index[1]), path: lines.map((line) => fromBase64(line, 32)), checkpoint: text.slice(end + 2) };
}
