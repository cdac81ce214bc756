// Bytes and their texts. Strict: what is not exactly base64, hexadecimal digits or a number is refused, never guessed.

/** What was fetched or given is not what it should be. The message is for the reader of the page. */
export class Refused extends Error {}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Standard base64 with padding; `length` bytes when given. */
export function fromBase64(text, length) {
  if (typeof text !== "string" || !BASE64.test(text)) throw new Refused("it is not base64");
  const binary = atob(text);
  const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  if (toBase64(bytes) !== text) throw new Refused("it is not base64 in its one right form");
  if (length !== undefined && bytes.length !== length) throw new Refused(`it has ${bytes.length} bytes instead of ${length}`);
  return bytes;
}

export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

export const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const utf8 = (text) => new TextEncoder().encode(text);

/** Bytes as text; what is no UTF-8 is refused. */
export function fromUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("it is not UTF-8");
  }
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const isEqual = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** A number without leading zeros, up to what a double holds exactly. */
export function wholeNumber(text) {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) throw new Refused(`\`${String(text).slice(0, 32)}\` is not a whole number`);
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new Refused("the number is larger than this page can handle");
  return number;
}
