// Command interop checks a log folder with Go's own transparency-log packages, which share no code with Indelible.
//
//	interop LOG-FOLDER PROOFS-FOLDER
//
// LOG-FOLDER holds `checkpoint`, `log.vkey` and `tile/…`. PROOFS-FOLDER holds `<index>.tlog-proof` (C2SP tlog-proof) and pairs of
// `<size>.checkpoint` (a kept checkpoint) and `<size>.consistency` (base64 hashes, one a line). It opens the checkpoint with
// sumdb/note, reads tiles and bundles through sumdb/tlog, which authenticates every tile by the root, recomputes the leaves of
// a sample of bundles, checks each proof with tlog.CheckRecord and tlog.CheckTree, and makes the same proofs itself.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: interop LOG-FOLDER PROOFS-FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(log, proofs string) error {
	vkey, err := os.ReadFile(filepath.Join(log, "log.vkey"))
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return fmt.Errorf("log.vkey: %w", err)
	}
	signed, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	reader := tlog.TileHashReader(tree, &folder{log})
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, reader)
		if err != nil {
			return fmt.Errorf("root from tiles: %w", err)
		}
		if root != tree.Hash {
			return errors.New("root from tiles differs from the checkpoint")
		}
	}
	leaves, err := checkBundles(log, tree, reader)
	if err != nil {
		return err
	}
	inclusion, err := checkInclusion(proofs, log, signed, tree, verifier, reader)
	if err != nil {
		return err
	}
	consistency, err := checkConsistency(proofs, tree, verifier, reader)
	if err != nil {
		return err
	}
	fmt.Printf("ok: checkpoint of %d entries, %d leaves of sampled bundles, %d inclusion and %d consistency proofs\n",
		tree.N, leaves, inclusion, consistency)
	return nil
}

func openCheckpoint(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tlog.Tree{}, errors.New("not three lines, or of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// folder reads tiles of a tlog-tiles log. Its paths are Go's without the height, which tlog-tiles fixes at 8.
type folder struct{ log string }

func (f *folder) Height() int { return tileHeight }

func (f *folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		bytes, err := readOrFuller(f.log, tilePath(tile), tilePath(full(tile)), tile.W*tlog.HashSize)
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (f *folder) SaveTiles([]tlog.Tile, [][]byte) {}

func full(tile tlog.Tile) tlog.Tile {
	tile.W = 1 << tileHeight
	return tile
}

func tilePath(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

func bundlePath(index int64, width int) string {
	tile := tlog.Tile{H: tileHeight, L: -1, N: index, W: width}
	return strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
}

func readOrFuller(log, path, fuller string, length int) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(log, path))
	if errors.Is(err, os.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(log, fuller))
	}
	if err != nil {
		return nil, err
	}
	if len(data) < length {
		return nil, fmt.Errorf("%s: %d bytes instead of %d", path, len(data), length)
	}
	return data[:length], nil
}

func readBundle(log string, index, size int64) ([][]byte, error) {
	width := 1 << tileHeight
	if rest := size - index<<tileHeight; rest < int64(width) {
		width = int(rest)
	}
	path := bundlePath(index, width)
	data, err := os.ReadFile(filepath.Join(log, path))
	if errors.Is(err, os.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(log, bundlePath(index, 1<<tileHeight)))
	}
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(entries) < width {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s ends inside entry %d", path, len(entries))
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	return entries, nil
}

// checkBundles hashes the entries of the first, some middle and the last bundle.
func checkBundles(log string, tree tlog.Tree, reader tlog.HashReader) (int, error) {
	checked := 0
	bundles := (tree.N + 255) / 256
	for index := int64(0); index < bundles; index++ {
		if index > 2 && index < bundles-2 && index%97 != 0 {
			continue
		}
		entries, err := readBundle(log, index, tree.N)
		if err != nil {
			return checked, err
		}
		var stored []int64
		for n := range entries {
			stored = append(stored, tlog.StoredHashIndex(0, index<<tileHeight+int64(n)))
		}
		hashes, err := reader.ReadHashes(stored)
		if err != nil {
			return checked, err
		}
		for n, entry := range entries {
			if tlog.RecordHash(entry) != hashes[n] {
				return checked, fmt.Errorf("entry %d does not hash to its leaf", index<<tileHeight+int64(n))
			}
			checked++
		}
	}
	return checked, nil
}

func checkInclusion(proofs, log string, signed []byte, tree tlog.Tree, verifier note.Verifier, reader tlog.HashReader) (int, error) {
	paths, err := filepath.Glob(filepath.Join(proofs, "*.tlog-proof"))
	if err != nil {
		return 0, err
	}
	for n, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return n, err
		}
		index, proof, checkpoint, err := parseProof(string(text))
		if err != nil {
			return n, fmt.Errorf("%s: %w", path, err)
		}
		at, err := openCheckpoint([]byte(checkpoint), verifier)
		if err != nil {
			return n, fmt.Errorf("%s: checkpoint: %w", path, err)
		}
		entries, err := readBundle(log, index>>tileHeight, tree.N)
		if err != nil {
			return n, err
		}
		leaf := tlog.RecordHash(entries[index&255])
		if err := tlog.CheckRecord(proof, at.N, at.Hash, index, leaf); err != nil {
			return n, fmt.Errorf("%s: %w", path, err)
		}
		if bytes.Equal([]byte(checkpoint), signed) {
			ours, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return n, err
			}
			if !equal(ours, proof) {
				return n, fmt.Errorf("%s: Go makes another proof", path)
			}
		}
	}
	return len(paths), nil
}

func checkConsistency(proofs string, tree tlog.Tree, verifier note.Verifier, reader tlog.HashReader) (int, error) {
	paths, err := filepath.Glob(filepath.Join(proofs, "*.consistency"))
	if err != nil {
		return 0, err
	}
	for n, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return n, err
		}
		proof, err := parseHashes(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
		if err != nil {
			return n, fmt.Errorf("%s: %w", path, err)
		}
		kept, err := os.ReadFile(strings.TrimSuffix(path, "consistency") + "checkpoint")
		if err != nil {
			return n, err
		}
		older, err := openCheckpoint(kept, verifier)
		if err != nil {
			return n, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
			return n, fmt.Errorf("%s: %w", path, err)
		}
		ours, err := tlog.ProveTree(tree.N, older.N, reader)
		if err != nil {
			return n, err
		}
		if !equal(ours, proof) {
			return n, fmt.Errorf("%s: Go makes another proof", path)
		}
	}
	return len(paths), nil
}

func parseProof(text string) (int64, []tlog.Hash, string, error) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, nil, "", errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, nil, "", errors.New("no index")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return 0, nil, "", err
	}
	proof, err := parseHashes(lines[1:])
	return index, proof, checkpoint, err
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func equal(a, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
