"""Checks archives with tlog-scales, an implementation of C2SP tlog-tiles that is not ours.

usage: check_tlog.py ARCHIVE...

Of each archive it reads the tiles, the checkpoint and the proofs of its own log, and the keys that its quorum names.
Prints a line for each archive; ends with exit code 1 at the first thing that tlog-scales refuses.
"""
import pathlib
import subprocess
import sys

from tlog_scales import backend, reader, signing, tiles

TOOL = pathlib.Path(sys.executable).parent / "tlog-tiles"


def require(holds, what):
    # An assert would go with `python -O`.
    if not holds:
        sys.exit(f"refused: {what}")


def keys_of(archive, origin):
    """The key of the log, then those of the witnesses, as the C2SP tlog-policy writes them."""
    log, witnesses = [], []
    for line in (archive / "trust/quorum.policy").read_text().splitlines():
        words = line.split()
        if words[:1] == ["log"] and words[1].startswith(f"{origin}+"):
            log.append(words[1])
        elif words[:1] == ["witness"]:
            witnesses.append(words[2])
    require(len(log) == 1 and witnesses, f"{archive}: no keys for {origin}")
    keys = [signing.Vkey.from_string(key) for key in log + witnesses]
    for key in keys:
        again = signing.Vkey(key.name, None, key.sig_type, key.pubkey)
        require(again.key_id == key.key_id, f"the identifier of {key.name}")
    return keys


def check_tree(tree, checkpoint):
    size, root = checkpoint.size, checkpoint.root_hash
    require(tree.calculate_root_hash() == root, "the root of the tiles")
    for index in range(size):
        leaf = tiles.leaf_hash(tree.get_entry(index))
        tree.get_inclusion_proof(index, size).check(leaf, root)
    for old in {1, 2, 255, 256, 257, size // 3, size // 2, size - 1}:
        if 0 < old < size:
            tree.get_consistency_proof(old, size).check(tree.mth(0, old), root)


def check_proofs(archive, tree):
    """The tool makes the same proofs, byte for byte, and finds the leaves."""
    count = 0
    for proof in sorted((archive / "proofs").glob("*.tlog-proof")):
        index = proof.read_text().split("\n")[1].removeprefix("index ")
        require(index == proof.name.removesuffix(".tlog-proof"), f"{proof}: the index in it")
        made = subprocess.check_output([TOOL, "gen-proof", archive / "log", index])
        require(made == proof.read_bytes(), f"{proof}: another proof")
        leaf = subprocess.check_output([TOOL, "get-leaf", "-c", archive / "log", index])
        require(tree.get_entry(int(index)) in (leaf, leaf[:-1]), f"{proof}: another leaf")
        count += 1
    return count


def check(archive):
    tree = reader.TilesReader(backend.make_backend(str(archive / "log")))
    checkpoint = tree.get_checkpoint()
    exact = (archive / "log/checkpoint").read_bytes()
    require(checkpoint.serialize().encode() == exact, "the checkpoint is not written as it should be")
    keys = keys_of(archive, checkpoint.origin)
    checkpoint.verify(keys[0])
    signed = signing.VkeySet(*keys).verify(checkpoint.signatures, checkpoint)
    require(len(signed) == len(keys), "a signature is missing on the checkpoint")
    check_tree(tree, checkpoint)
    proofs = check_proofs(archive, tree)
    print(f"{checkpoint.origin}: {checkpoint.size} entries, {proofs} proofs")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        check(pathlib.Path(name).resolve())
