"""Changes archives in thousands of ways and holds two verifiers against each other: radmesh-audit and `second.py`.

usage: mutants.py --auditor FILE --genesis HEX --count N --seed N --scratch DIR [--keep DIR] ARCHIVE...

A change is one that an attacker without the members' keys can make. Half of the time the attacker also corrects
archive.note, whose signature then fails: so the checks behind the list of files are reached. Both verifiers must refuse
each mutant, must name a changed file in common, and must agree on each changed file whether it is wrong.
Prints a line for each disagreement and the counts; ends with 1 if there is any disagreement.
"""
import argparse
import base64
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import second
from formats import CREDENTIAL, ENTRY, GENESIS, QUORUM, Tree, bundle, decode, encode, leaf, node, sha, tile_paths

# Only a policy engine can tell whether such a text is right.
NOT_JUDGED = {"trust/policy.cedar", "trust/schema.cedarschema"}
SET_SHARE = 0.1  # of the mutants are given with all other archives, as a regulator would have them


# The ways. Each takes the archives, the name of the one to change, its files (changed in place) and the dice; it says
# what it did, or nothing where this archive has nothing of the kind.

def pick(dice, files, pattern="", but=(second.NOTE,)):
    names = sorted(name for name in files if re.search(pattern, name) and name not in but and files[name])
    return dice.choice(names) if names else None


def flip(_, name, files, dice):
    path = pick(dice, files, but=())
    data, bits = bytearray(files[path]), dice.choice([1, 1, 1, 2, 8])
    places = [(dice.randrange(len(data)), dice.randrange(8)) for _ in range(bits)]
    for at, bit in set(places):
        data[at] ^= 1 << bit
    files[path] = bytes(data)
    return f"flip {path} {sorted(set(places))}"


def truncate(_, name, files, dice):
    path = pick(dice, files, but=())
    length = dice.choice([0, len(files[path]) - 1, dice.randrange(len(files[path]))])
    files[path] = files[path][:length]
    return f"truncate {path} to {length}"


def extend(_, name, files, dice):
    path = pick(dice, files, but=())
    more = dice.choice([b"\n", b"\0", b" ", dice.randbytes(dice.randint(1, 64)), files[path]])
    files[path] = dice.choice([files[path] + more, more + files[path]])
    return f"extend {path} by {more[:16].hex()} ({len(more)})"


def delete(_, name, files, dice):
    path = pick(dice, files, but=())
    del files[path]
    return f"delete {path}"


def replace_bytes(_, name, files, dice):
    path = pick(dice, files, but=())
    data, at = files[path], dice.randrange(len(files[path]))
    length = dice.randint(1, 8)
    old = data[at:at + length]
    new = dice.choice([b"", bytes(length), dice.randbytes(length), old * 2, old[::-1]])
    files[path] = data[:at] + new + data[at + length:]
    return f"replace {path} {at}+{length} by {new.hex()}"


def swap_lines(_, name, files, dice):
    path = pick(dice, files, r"note$|checkpoint$|proof$|policy$|cedar", but=())
    lines = files[path].splitlines(keepends=True)
    a, b = dice.randrange(len(lines)), dice.randrange(len(lines))
    act = dice.choice(["swap", "drop", "double", "odd end"])
    if act == "swap":
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines[a:a + 1] = {"drop": [], "double": [lines[a]] * 2, "odd end": [lines[a][:-1] + b"\r\n"]}[act]
    files[path] = b"".join(lines)
    return f"{act} line {a} ({b}) of {path}"


def duplicate(_, name, files, dice):
    path = pick(dice, files, r"\d")
    other = re.sub(r"\d+(?=[^\d/]*$)", lambda _: str(dice.randrange(40)), path)
    files[other] = files[path]
    return f"duplicate {path} as {other}"


def stranger(_, name, files, dice):
    path = dice.choice([
        "more", "log/more", "grants/0.env", "openings/0.bin", "trust/credentials/99.env", "log/tile/1/000",
        "archive.note.1", "proofs/0.tlog-proof", "receipts/0.env", "log/tile/0/000.p/1", "peer/9.entry"])
    files[path] = dice.randbytes(dice.randint(0, 80))
    return f"one more file {path}"


def link(_, name, files, dice):
    path = pick(dice, files, but=())
    files[path] = None
    return f"symbolic link in place of {path}"


def swap_files(_, name, files, dice):
    a, b = pick(dice, files), pick(dice, files)
    files[a], files[b] = files[b], files[a]
    return f"swap {a} and {b}"


def exchange_envelopes(_, name, files, dice):
    a, b = pick(dice, files, r"env"), pick(dice, files, r"(grants|receipts)/")
    if b:
        files[a], files[b] = files[b], files[a]
        return f"exchange {a} and {b}"
    return None


def entries_of(files):
    paths = sorted(path for path in files if "/entries/" in path)
    return [entry for path in paths for entry in bundle(files[path], width_of(path))]


def width_of(path):
    return int(path.rpartition("/")[2]) if ".p/" in path else 256


def rebuild(files, entries):
    """Writes tiles as the log would for these entries; the checkpoint stays."""
    for path in [path for path in files if path.startswith("log/tile/")]:
        del files[path]
    tree = Tree(map(leaf, entries))
    for level, n, width, path in tile_paths(len(entries)):
        part = slice(256 * n, 256 * n + width)
        if level < 0:
            files[path] = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries[part])
        else:
            files[path] = b"".join(tree.rows[8 * level][part])


def reorder(_, name, files, dice):
    entries = entries_of(files)
    a, b = dice.randrange(len(entries)), dice.randrange(len(entries))
    act = dice.choice(["swap", "rotate", "drop", "double", "drop last"])
    if act == "swap":
        entries[a], entries[b] = entries[b], entries[a]
    elif act == "rotate":
        entries = entries[a:] + entries[:a]
    elif act == "double":
        entries.insert(b, entries[a])
    else:
        entries.pop(a if act == "drop" else -1)
    if not entries:
        return None
    if dice.random() < 0.3:  # the tiles are left as they were
        kept = {path: data for path, data in files.items() if path.startswith("log/tile/") and "/entries/" not in path}
        rebuild(files, entries)
        files.update({path: data for path, data in kept.items() if path in files})
    else:
        rebuild(files, entries)
    return f"{act} entries {a} {b} of {len(entries)}"


def edit_entry(_, name, files, dice):
    entries = entries_of(files)
    at = dice.randrange(len(entries))
    entry = decode(ENTRY, entries[at])
    header = entry["header"]
    field = dice.choice(sorted(header))
    value = header[field]
    if isinstance(value, list):
        header[field] = dice.choice([[], [*value, "forged"], value[1:]])
    elif isinstance(value, (str, bytes)):
        header[field] = dice.choice([value[:-1], value * 2, "XX" if isinstance(value, str) else dice.randbytes(32)])
    else:
        step = dice.choice([1, 3_600_000_000]) if field == "time_us" else dice.choice([1, 2, 40])
        header[field] = not value if value in (True, False) and field == "emergency" else max(0, value + dice.choice(
            [-step, step]))
    entries[at] = encode(ENTRY, entry)
    rebuild(files, entries)
    return f"edit {field} of entry {at}"


def respell_entry(_, name, files, dice):
    """The same content in another encoding, or with something that no one reads."""
    entries = entries_of(files)
    at = dice.randrange(len(entries))
    more = dice.choice([b"\xf8\x01\x00", b"\x08\x01", b"\x08\x81\x00", b"\x2a\x00", b"\x7b\x7c", b"\x12\x00", b"\x30"])
    entries[at] = dice.choice([entries[at] + more, more + entries[at]])
    rebuild(files, entries)
    return f"respell entry {at} with {more.hex()}"


def older(archives, name, files, dice):
    """An earlier checkpoint that the log itself signed, with or without the tree that belongs to it."""
    origin = files[second.CHECKPOINT].split(b"\n")[0]
    size = int(files[second.CHECKPOINT].split(b"\n")[1])
    notes = [data.split(b"\n\n", 1)[1] for other in archives.values() for path, data in sorted(other.items())
             if path.endswith("proof") and data]
    notes = [note for note in notes if note.startswith(origin + b"\n") and int(note.split(b"\n")[1]) <= size]
    if not notes:
        return None
    note = dice.choice(notes)
    files[second.CHECKPOINT] = note
    cut = int(note.split(b"\n")[1])
    if dice.random() < 0.5:
        rebuild(files, entries_of(files)[:cut])
    return f"the checkpoint of size {cut} in place of {size}"


def mix(archives, name, files, dice):
    other = dice.choice(sorted(set(archives) - {name}))
    for _ in range(dice.choice([1, 1, 2, 5])):
        path = pick(dice, archives[other], but=())
        files[path] = archives[other][path]
    return f"files of {other}"


def quorum(_, name, files, dice):
    text = files["trust/quorum.policy"].decode()
    last = text.split()[-1]
    key = vkey("forged.example/witness", 4, dice)
    text = dice.choice([
        text.replace(f"quorum {last}", "quorum none"), text + "# seen\n", text.replace(" 1 ", " any "),
        text.replace(f"quorum {last}", f"witness forged {key}\nquorum forged"), text.replace("\n", "\r\n"),
        re.sub("witness (\\S+) \\S+", f"witness \\1 {key}", text), text.replace("\n", "\n\n", 1), text * 2,
        re.sub("log \\S+\n", "", text, count=1), text[:-1], text.replace(" ", "\t", 1), f"#\x01\n{text}"])
    files["trust/quorum.policy"] = text.encode()
    if dice.random() < 0.5:
        paper = {"version": 1, "genesis": sha(files["trust/genesis.env"]), "serial": 9, "sha256": sha(text.encode())}
        files["trust/quorum.envelope"] = seal("quorum", encode(QUORUM, paper), dice)
    return "quorum file"


def credential(_, name, files, dice):
    """A credential that goes, that comes under another number, or that somebody else signed."""
    path = pick(dice, files, "trust/credentials/")
    act = dice.choice(["remove", "double", "forge", "strip", "add"])
    payload, signatures = opened(files[path])
    if act == "remove":
        del files[path]
    elif act == "double":
        files["trust/credentials/77.env"] = files[path]
    elif act == "strip":
        files[path] = sealed("credential", payload, signatures[:-1] or [(bytes(32), bytes(64))])
    else:
        content = decode(CREDENTIAL, payload)
        content["serial"] += act == "add" and 70
        content["not_after"] += dice.choice([0, 1])
        path = f"trust/credentials/{content['serial']}.env"
        files[path] = seal("credential", encode(CREDENTIAL, content), dice, dice.choice([1, 2, 3]))
    return f"{act} credential {path}"


def genesis(_, name, files, dice):
    """Another consortium's genesis: with its own council, or with the old one's names."""
    payload, signatures = opened(files["trust/genesis.env"])
    content = decode(GENESIS, payload)
    keys = sorted((private(dice) for _ in content["council"]), key=public)
    act = dice.choice(["founders", "threshold", "fewer", "resign"])
    if act in ("founders", "resign"):
        for member, key in zip(content["council"], keys):
            member["key"] = public(key)
    if act == "threshold":
        content["threshold"] = 1
    if act == "fewer":
        signatures = signatures[:-1] or [(bytes(32), bytes(64))]
    payload = encode(GENESIS, content)
    if act in ("founders", "resign"):
        signatures = [(public(key), key.sign(pae("genesis", payload))) for key in keys]
    files["trust/genesis.env"] = sealed("genesis", payload, signatures)
    if act == "resign":  # and every paper of the consortium by the new council
        hashed = sha(files["trust/genesis.env"])
        for path in [path for path in files if re.search("credentials/|quorum.envelope", path)]:
            kind, form = ("quorum", QUORUM) if "quorum" in path else ("credential", CREDENTIAL)
            paper = encode(form, {**decode(form, opened(files[path])[0]), "genesis": hashed})
            files[path] = sealed(kind, paper, [(public(key), key.sign(pae(kind, paper))) for key in keys])
    return f"genesis: {act}"


def forge(_, name, files, dice):
    """A document signed again by somebody else, a line of a note likewise."""
    path = pick(dice, files, r"^(grants|receipts)/.*env$|checkpoint$|proof$|note$", but=())
    if path.endswith("env"):
        payload, _ = opened(files[path])
        files[path] = seal(path.split("/")[0][:-1], payload, dice)
        return f"forge {path}"
    head, _, block = files[path].rpartition(b"\n\n")
    text = head.rpartition(b"\n\n")[2] + b"\n" if path.endswith("proof") else head + b"\n"
    lines = block.splitlines()
    at = dice.randrange(len(lines))
    dash, who, blob = lines[at].split(b" ")
    blob = base64.b64decode(blob)[:-64] + private(dice).sign(text)
    lines[at] = b" ".join([dash, who, base64.b64encode(blob)])
    if dice.random() < 0.3:
        del lines[at]
    files[path] = head + b"\n\n" + b"".join(line + b"\n" for line in lines)
    return f"forge line {at} of {path}"


def path_step(_, name, files, dice):
    """An inclusion path that is longer, shorter, or for another index."""
    path = pick(dice, files, "proof$")
    if not path:
        return None
    head, blank, note = files[path].partition(b"\n\n")
    lines = head.split(b"\n")
    act = dice.choice(["index", "drop", "double", "join", "extra"])
    if act == "index":
        lines[1] = b"index %d" % dice.randrange(20)
    elif act == "extra":
        lines.insert(1, b"extra " + base64.b64encode(dice.randbytes(9)))
    elif len(lines) > 3 and act == "join":
        hashes = [base64.b64decode(line) for line in lines[2:4]]
        lines[2:4] = [base64.b64encode(node(*hashes))]
    else:
        lines[-1:] = [] if act == "drop" else lines[-1:] * 2
    files[path] = b"\n".join(lines) + blank + note
    return f"{act} in the path of {path}"


WAYS = [flip] * 4 + [truncate, extend, delete, replace_bytes, replace_bytes, swap_lines, duplicate, stranger, link,
                     swap_files, exchange_envelopes, reorder, reorder, edit_entry, edit_entry, respell_entry, older,
                     mix, mix, quorum, credential, genesis, forge, path_step]


# What an attacker signs with keys of their own.

def private(dice):
    return Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))


def public(key):
    return key.public_key().public_bytes_raw()


def vkey(name, kind, dice):
    blob = bytes([kind]) + public(private(dice))
    return f"{name}+{sha(name.encode(), b'%c' % 10, blob)[:4].hex()}+{base64.b64encode(blob).decode()}"


def media_type(kind):
    return f"application/vnd.radmesh.{kind}.v1".encode()


def pae(kind, payload):
    name = media_type(kind)
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def sealed(kind, payload, signatures):
    name = media_type(kind)
    head = b"RME1" + len(name).to_bytes(2, "big") + name + len(payload).to_bytes(4, "big") + payload
    return head + bytes([len(signatures)]) + b"".join(key + signature for key, signature in sorted(signatures))


def seal(kind, payload, dice, signers=1):
    keys = [private(dice) for _ in range(signers)]
    return sealed(kind, payload, [(public(key), key.sign(pae(kind, payload))) for key in keys])


def opened(data):
    """Payload and signatures of an envelope that is known to be well formed."""
    at = 6 + int.from_bytes(data[4:6], "big")
    end = at + 4 + int.from_bytes(data[at:at + 4], "big")
    return data[at + 4:end], [(data[n:n + 32], data[n + 32:n + 96]) for n in range(end + 1, len(data), 96)]


def relist(files, base):
    """Corrects the list in archive.note; the signature stays, for want of the key."""
    head, blank, block = base[second.NOTE].partition(b"\n\n")
    listed = [(path, data or b"") for path, data in files.items() if path != second.NOTE]
    lines = [f"{sha(data).hex()} {len(data)} {path}".encode() for path, data in sorted(listed)]
    files[second.NOTE] = b"\n".join(head.split(b"\n")[:3] + lines) + blank + block


# One mutant after the other.

class Lab:
    """The archives in folders that are changed in place and mended again."""

    def __init__(self, options):
        self.options = options
        self.base = {folder.name: second.load(folder) for folder in options.archives}
        self.root = options.scratch / "mutants"
        for folder in options.archives:
            shutil.copytree(folder, self.root / folder.name)

    def mutant(self, number):
        """What the dice of this number make: the archive's name, its files, whether all are given, the recipe."""
        dice = random.Random(f"{self.options.seed}/{number}")
        while True:
            name = dice.choice(sorted(self.base))
            files = dict(self.base[name])
            way = dice.choice(WAYS)
            recipe = way(self.base, name, files, dice)
            if not recipe or files == self.base[name]:
                continue
            if files.get(second.NOTE) == self.base[name][second.NOTE] and dice.random() < 0.5:
                relist(files, self.base[name])
                recipe += ", relisted"
            together = len(self.base) > 1 and dice.random() < SET_SHARE
            return name, files, together, f"{way.__name__}: {name}: {recipe}{', with the others' if together else ''}"

    def write(self, name, changed, files):
        for path in changed:
            file = self.root / name / path
            file.unlink(missing_ok=True)
            if path in files:
                file.parent.mkdir(parents=True, exist_ok=True)
                if files[path] is None:
                    file.symlink_to(self.root.parent / "nowhere")
                else:
                    file.write_bytes(files[path])

    def auditor(self, names):
        command = [self.options.auditor, "verify", "--json", "--genesis", self.options.genesis]
        folders = [str(self.root / name) for name in names]
        return subprocess.Popen([*command, *folders], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def named_by_both(self, name, files, together):
        """Which files each of the two names, by archive; and whether each of them refused."""
        names = [name] + (sorted(set(self.base) - {name}) if together else [])
        process = self.auditor(names)
        done = second.verify([(each, files if each == name else self.base[each]) for each in names],
                             self.options.genesis)
        ours = [{path for path, _ in archive.faults} for archive in done]
        out, err = process.communicate()
        self.readable = not any(path.startswith("log/") for path in ours[0])
        if process.returncode not in (0, 1):
            raise SystemExit(f"{process.args}: exit code {process.returncode}: {err.decode()}")
        verdict = json.loads(out)
        theirs = [{failure["file"] for failure in archive["failures"]} for archive in verdict["archives"]]
        if verdict["verified"] != (process.returncode == 0) or verdict["verified"] == any(theirs):
            raise SystemExit(f"{process.args}: a verdict without cause")
        return theirs, ours

    def judge(self, number):
        """Why the two do not agree on a mutant; nothing if they do."""
        name, files, together, recipe = self.mutant(number)
        base = self.base[name]
        changed = {path for path in base.keys() | files.keys() if base.get(path, b"-") != files.get(path, b"-")}
        changed |= base.keys() ^ files.keys()
        self.write(name, changed, files)
        theirs, ours = self.named_by_both(name, files, together)
        # What others' archives say of a log that cannot be read is not compared.
        wrong = disagreement(changed, theirs, ours if self.readable else ours[:1])
        if wrong and self.options.keep:
            shutil.copytree(self.root / name, self.options.keep / str(number) / name, symlinks=True)
        self.write(name, changed, base)
        return recipe, wrong


def group(paths, doubt):
    """Which paper of a release is named is a matter of order; which tile too, where the root is in doubt."""
    papers = re.compile("(?:grants|proofs|receipts|peer)/")
    return {"papers" if papers.match(path) else "log" if doubt and path.startswith("log/") else path for path in paths}


def disagreement(changed, theirs, ours):
    if not theirs[0] & ours[0] & changed and not theirs[0] == ours[0] != set():
        return f"no changed file is named by both: radmesh-audit {sorted(theirs[0])}, second {sorted(ours[0])}"
    doubt = second.CHECKPOINT in theirs[0] & ours[0]
    apart = (group(theirs[0], doubt) ^ group(ours[0], doubt)) & group(changed - NOT_JUDGED, doubt)
    if apart:
        return f"named by one alone: {sorted(apart)}: radmesh-audit {sorted(theirs[0])}, second {sorted(ours[0])}"
    if [bool(named) for named in theirs[:len(ours)]] != [bool(named) for named in ours]:
        return f"other archives: radmesh-audit {theirs[1:]}, second {ours[1:]}"
    return None


def main():
    parser = argparse.ArgumentParser(description="Holds two verifiers against each other.")
    parser.add_argument("--auditor", required=True, type=pathlib.Path)
    parser.add_argument("--genesis", required=True)
    parser.add_argument("--count", required=True, type=int)
    parser.add_argument("--first", default=0, type=int, help="the first mutant's number")
    parser.add_argument("--seed", required=True)
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="where mutants of disagreements are left")
    parser.add_argument("archives", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    lab = Lab(options)
    for name in sorted(lab.base):
        theirs, ours = lab.named_by_both(name, lab.base[name], True)
        if any(theirs + ours):
            sys.exit(f"{name} does not hold as it is: radmesh-audit {theirs}, second {ours}")
    begun, ways, apart = time.monotonic(), collections.Counter(), 0
    for number in range(options.first, options.first + options.count):
        recipe, wrong = lab.judge(number)
        ways[recipe.split(":")[0]] += 1
        if wrong:
            apart += 1
            print(f"mutant {number}: {recipe}: {wrong}")
    print(", ".join(f"{way} {count}" for way, count in sorted(ways.items())))
    print(f"{options.count} mutants, {apart} disagreements, {time.monotonic() - begun:.0f} s")
    return int(apart > 0)


if __name__ == "__main__":
    sys.exit(main())
