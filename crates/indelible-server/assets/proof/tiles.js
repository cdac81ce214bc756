// The published log as tiles (C2SP tlog-tiles): where each is, its hashes, and the proofs that follow from them.

import { Refused } from "./bytes.js";
import { nodeHash, split } from "./tree.js";

const HASH = 32;
const WIDTH = 256;
const ENTRY_BYTES_MAX = 65_535;
export const TILE_BYTES_MAX = WIDTH * HASH;
export const BUNDLE_BYTES_MAX = WIDTH * (ENTRY_BYTES_MAX + 2);

/** 1234067 → `x001/x234/067` */
export function tilePath(index) {
  const groups = [];
  let rest = index;
  do {
    groups.unshift(String(rest % 1000).padStart(3, "0"));
    rest = Math.floor(rest / 1000);
  } while (rest > 0);
  return groups.map((group, place) => (place + 1 < groups.length ? `x${group}` : group)).join("/");
}

const partial = (width) => (width < WIDTH ? `.p/${width}` : "");

/** The tiles of a log as a tree of `size` has them. `fetchBytes(path, most)` fetches below the log's address. */
export class Tiles {
  constructor(fetchBytes, size) {
    this.fetchBytes = fetchBytes;
    this.size = size;
    this.known = new Map();
    this.fetched = [];
  }

  /** The hashes of a tile: nodes at level `8 × level` of the tree. */
  async tile(level, index) {
    const nodes = Math.floor(this.size / WIDTH ** level);
    const width = Math.min(WIDTH, nodes - index * WIDTH);
    if (width < 1) throw new Refused("a tile beyond the tree was wanted");
    const path = `tile/${level}/${tilePath(index)}${partial(width)}`;
    if (!this.known.has(path)) {
      const bytes = await this.fetchBytes(path, TILE_BYTES_MAX);
      if (bytes.length !== width * HASH) throw new Refused(`${path} has ${bytes.length} bytes instead of ${width * HASH}`);
      this.fetched.push(path);
      this.known.set(path, Array.from({ length: width }, (_, place) => bytes.slice(place * HASH, (place + 1) * HASH)));
    }
    return this.known.get(path);
  }

  /** The hash over the whole subtree of `2^height` leaves, `index` such subtrees from the left. */
  async node(height, index) {
    const level = Math.floor(height / 8);
    const span = 2 ** (height - 8 * level);
    const first = index * span;
    const hashes = await this.tile(level, Math.floor(first / WIDTH));
    const at = first % WIDTH;
    let row = hashes.slice(at, at + span);
    if (row.length !== span) throw new Refused("a tile does not hold what the tree needs");
    while (row.length > 1) {
      const above = [];
      for (let place = 0; place < row.length; place += 2) above.push(await nodeHash(row[place], row[place + 1]));
      row = above;
    }
    return row[0];
  }

  /** The hash over leaves `first` to `end`, a subtree of the tree. */
  async range(first, end) {
    const count = end - first;
    const height = Math.log2(count);
    if (Number.isInteger(height) && first % count === 0) return this.node(height, first / count);
    const left = split(count);
    return nodeHash(await this.range(first, first + left), await this.range(first + left, end));
  }

  /** The root of the tree. */
  root() {
    return this.range(0, this.size);
  }

  /** The inclusion path of a leaf, from the leaf upwards (RFC 6962, section 2.1.1). */
  async path(index) {
    const path = [];
    let [first, end] = [0, this.size];
    while (end - first > 1) {
      const middle = first + split(end - first);
      if (index < middle) {
        path.unshift(await this.range(middle, end));
        end = middle;
      } else {
        path.unshift(await this.range(first, middle));
        first = middle;
      }
    }
    return path;
  }

  /** The proof that the tree of `oldSize` is the beginning of this one (RFC 6962, section 2.1.2). */
  async consistency(oldSize) {
    const from = async (wanted, first, end, whole) => {
      if (wanted === end - first) return whole ? [] : [await this.range(first, end)];
      const left = split(end - first);
      if (wanted <= left) return [...(await from(wanted, first, first + left, whole)), await this.range(first + left, end)];
      return [...(await from(wanted - left, first + left, end, false)), await this.range(first, first + left)];
    };
    return oldSize === 0 || oldSize >= this.size ? [] : from(oldSize, 0, this.size, true);
  }

  /** The entries of the bundle in which `index` stands: the place of its first, and their bytes. */
  async bundle(index) {
    const number = Math.floor(index / WIDTH);
    const width = Math.min(WIDTH, this.size - number * WIDTH);
    const path = `tile/entries/${tilePath(number)}${partial(width)}`;
    const bytes = await this.fetchBytes(path, BUNDLE_BYTES_MAX);
    this.fetched.push(path);
    const entries = [];
    let at = 0;
    while (at < bytes.length) {
      const end = at + 2 + bytes[at] * 256 + bytes[at + 1];
      if (at + 2 > bytes.length || end > bytes.length) throw new Refused(`${path} is cut off`);
      entries.push(bytes.slice(at + 2, end));
      at = end;
    }
    if (entries.length !== width) throw new Refused(`${path} holds ${entries.length} entries instead of ${width}`);
    return { first: number * WIDTH, entries };
  }
}
