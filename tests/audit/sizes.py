"""Checks one growing log at many sizes with tlog-scales, an implementation of C2SP tlog-tiles that is not ours.

usage: sizes.py FOLDER

The folder has the log's tiles in log/, one checkpoint a size in checkpoints/, and the keys of the log and of its
witnesses, one a line, in keys. Prints how many sizes it accepted; ends with exit code 1 at the first thing that
tlog-scales refuses.
"""
import pathlib
import sys

from tlog_scales import backend, reader, signing, tiles, tlog


def require(holds, what):
    # An assert would go with `python -O`.
    if not holds:
        sys.exit(f"refused: {what}")


def signed(path, keys):
    text = path.read_text()
    checkpoint = tlog.Checkpoint.from_text(text)
    require(checkpoint.serialize() == text, f"{path.name}: not written as it should be")
    found = signing.VkeySet(*keys).verify(checkpoint.signatures, checkpoint)
    require(len(found) == len(keys), f"{path.name}: a signature is missing")
    return checkpoint


def main(folder):
    keys = [signing.Vkey.from_string(line) for line in (folder / "keys").read_text().splitlines()]
    paths = sorted((folder / "checkpoints").iterdir(), key=lambda path: int(path.name))
    roots = {}
    for path in paths:
        checkpoint = signed(path, keys)
        size, root = checkpoint.size, checkpoint.root_hash
        # A reader for each size: nothing read for one size helps another.
        tree = reader.TilesReader(backend.make_backend(str(folder / "log")))
        tree.set_size(size)
        require(size == int(path.name), f"{path.name}: another size")
        require(tree.calculate_root_hash() == root, f"{size}: the root of the tiles")
        for index in {0, size // 3, size // 2, size - 1, 255, 256, 65535, 65536}:
            if index < size:
                leaf = tiles.leaf_hash(tree.get_entry(index))
                tree.get_inclusion_proof(index, size).check(leaf, root)
        older = list(roots)
        for old in set(older[-3:] + older[::97]):
            tree.get_consistency_proof(old, size).check(roots[old], root)
        roots[size] = root
    print(f"{len(roots)} sizes, the last {max(roots)}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
