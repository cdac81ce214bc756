// Signed notes (C2SP signed-note), checkpoints (C2SP tlog-checkpoint) and verifier keys, of Ed25519 logs (signature type 0x01).

import { concat, fromBase64, Refused, sha256, toHex, utf8, wholeNumber } from "./bytes.js";

export const NOTE_BYTES_MAX = 1_000_000;
const SIGNATURES_MAX = 100;
const ED25519 = 1;
const NAME = /^[^\s+\p{Cc}]{1,255}$/u;

/** Reads `<name>+<id>+<base64 of 0x01 ‖ public key>` and checks that the id belongs to the key. */
export async function readKey(text) {
  const parts = text.trim().split("+");
  const [name, id] = parts;
  const encoded = parts.slice(2).join("+"); // base64 has `+` too
  if (parts.length < 3 || !NAME.test(name) || !/^[0-9a-f]{8}$/.test(id)) throw new Refused("this is not a verifier key");
  const key = fromBase64(encoded, 33);
  if (key[0] !== ED25519) throw new Refused("the key is not an Ed25519 key of a log");
  const digest = await sha256(concat(utf8(`${name}\n`), key));
  if (toHex(digest.slice(0, 4)) !== id) throw new Refused("the key's id does not belong to the key");
  const publicKey = await crypto.subtle.importKey("raw", key.slice(1), { name: "Ed25519" }, false, ["verify"]);
  return { name, id, publicKey, text: text.trim() };
}

/** Splits a note into what is signed and the signatures. */
export function readNote(text) {
  if (utf8(text).length > NOTE_BYTES_MAX) throw new Refused("the note is too long");
  const end = text.lastIndexOf("\n\n");
  if (end < 0 || !text.endsWith("\n")) throw new Refused("this is not a signed note");
  const signed = text.slice(0, end + 1);
  const lines = text.slice(end + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw new Refused("the note has too many signatures");
  const signatures = lines.map((line) => {
    const found = /^— ([^ ]+) ([^ ]+)$/.exec(line);
    if (!found) throw new Refused("a signature line of the note is wrong");
    const bytes = fromBase64(found[2]);
    if (bytes.length < 5) throw new Refused("a signature is too short");
    return { name: found[1], id: toHex(bytes.slice(0, 4)), signature: bytes.slice(4) };
  });
  if (/[\p{Cc}]/u.test(signed.replaceAll("\n", ""))) throw new Refused("the note has control characters");
  return { signed, signatures };
}

/** Checks that `key` signed the note; gives back what is signed. */
export async function openNote(text, key) {
  const { signed, signatures } = readNote(text);
  const own = signatures.filter(({ name, id }) => name === key.name && id === key.id);
  if (own.length === 0) throw new Refused(`it is not signed by ${key.name} with this key`);
  for (const { signature } of own) {
    if (!(await crypto.subtle.verify({ name: "Ed25519" }, key.publicKey, signature, utf8(signed)))) {
      throw new Refused(`the signature by ${key.name} is wrong`);
    }
  }
  return signed;
}

/** A checkpoint: origin, size, root. Extension lines are refused: this format has none. */
export async function openCheckpoint(text, key) {
  const signed = await openNote(text, key);
  const lines = signed.split("\n");
  if (lines.length !== 4 || lines[3] !== "") throw new Refused("a checkpoint has three lines");
  const [origin, size, root] = lines;
  if (origin !== key.name) throw new Refused(`the checkpoint is of ${origin}, and the key of ${key.name}`);
  return { origin, size: wholeNumber(size), root: fromBase64(root, 32) };
}
