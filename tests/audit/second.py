"""A second verifier of audit archives, written from the formats' specifications and not from the first one's code.

usage: second.py --genesis HEX ARCHIVE...

Policy texts are not evaluated. Ends with 0 if everything holds, with 1 if anything fails (one line a fault, the file
first), with 2 if it cannot run.
"""
import argparse
import contextlib
import os
import pathlib
import re
import stat
import sys

from formats import (
    CREDENTIAL, ENTRY, GENESIS, GRANT, OPENINGS, QUORUM, RECEIPT, U64, Bad, Tree, bundle, canonical, checkpoint,
    cosigned, decimal, decode, envelope, is_key, key_name, leaf, need, note_times, policy, proof, sha,
    signature_lines, tagged, tile_paths, utf8, verifier_key)

NOTE, CHECKPOINT = "archive.note", "log/checkpoint"
NODE_STARTED, CLOCK_ANOMALY = 1, 3
GRANTED, ACCEPTED, RECEIPTED, BEGUN, ENDED, SIGNED, RECEIVED = 40, 42, 43, 44, 45, 50, 51
HOSPITAL, READER, WITNESS, RELAY = 1, 2, 3, 4
SIGNING_US = 10_000_000  # a grant takes its index before it is signed: entries behind it may be this much older
YEAR = 366 * 24 * 3600
FIELDS = ("record", "person", "credential", "patient", "study", "case", "counts", "facts", "reason", "desk")
SIZED = {"offer": 16, "owner": 32, "person": 32, "node": 32, "prekey": 32, "policy_hash": 32, "grant_hash": 32,
         "release_key_commitment": 32, "manifest_id": 16, "manifest_digest": 32, "manifest_root": 32}
NUMBER = "(?:0|[1-9][0-9]{0,19})"
TILE = r"(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?"
ENVELOPE_MAX = 4 + 2 + 128 + 4 + 2**20 + 1 + 16 * 96
# Every path that an archive may have, and the longest file there.
NAMES = [(re.compile(pattern, re.ASCII), most) for pattern, most in [
    (r"archive\.note", 64 << 20), ("log/checkpoint", 2**18), (rf"log/tile/entries/{TILE}", 256 * 65537),
    (rf"log/tile/[0-7]/{TILE}", 256 * 32), (r"trust/(?:genesis\.env|quorum\.envelope)", ENVELOPE_MAX),
    (rf"(?:trust/credentials|grants|receipts)/{NUMBER}\.env", ENVELOPE_MAX), (r"trust/quorum\.policy", 2**16),
    (r"trust/(?:policy\.cedar|schema\.cedarschema)", 2**20), (rf"(?:receipts|peer)/{NUMBER}\.entry", 65535),
    (rf"(?:(?:receipts|peer)/{NUMBER}\.proof|proofs/{NUMBER}\.tlog-proof)", 2**18 + 2**17),
    (rf"openings/{NUMBER}\.bin", 8 << 20)]]


def longest(path):
    """The most bytes that the file may have; 0 for a path that no archive has."""
    return max([most for name, most in NAMES if name.fullmatch(path)], default=0)


def load(folder):
    """Path and bytes of every file; None for what is no regular file or is too large."""
    def refuse(error):
        raise error

    files = {}
    for parent, folders, names in os.walk(folder, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in names + links:
            file = pathlib.Path(parent, name)
            path, what = file.relative_to(folder).as_posix(), file.lstat()
            good = stat.S_ISREG(what.st_mode) and what.st_size <= max(longest(path), 2**16)
            files[path] = file.read_bytes() if good else None
    return files


# What the council signed.

def is_text(text):
    return 1 <= len(text.encode()) <= 256 and text == text.strip() and not re.search("[\0-\x1f\x7f-\x9f]", text)


def is_country(text):
    return bool(re.fullmatch("[A-Z]{2}", text, re.ASCII))


def ascending(items):
    return all(left < right for left, right in zip(items, items[1:]))


def read_genesis(data):
    """The council's keys and its threshold."""
    payload, signers = envelope(data, "genesis")
    genesis = canonical(GENESIS, payload)
    council, threshold = genesis["council"], genesis["threshold"]
    keys = [member["key"] for member in council]
    names = {member["organisation"] for member in council}
    need(1 <= len(keys) <= 16 and ascending(keys) and all(map(is_key, keys)), "the council is out of order")
    need(len(names) == len(keys) and all(map(is_text, [*names, genesis["name"]])), "malformed names in the genesis")
    need(all(is_country(member["country"]) for member in council), "malformed country in the genesis")
    need(len(keys) < 2 * threshold <= 2 * len(keys), "a threshold that no majority makes")
    need(signers == set(keys), "not exactly the council signed the genesis")
    return set(keys), threshold


def by_council(data, kind, council):
    """The payload of an envelope that enough of the council signed."""
    keys, threshold = council
    payload, signers = envelope(data, kind)
    need(len(signers & keys) >= threshold, "too few of the council signed")
    return payload


def read_credential(data, council, genesis):
    payload = by_council(data, "credential", council)
    need(len(payload) <= 2**16, "the credential is too long")
    credential = canonical(CREDENTIAL, payload)
    need(credential["genesis"] == genesis, "the credential belongs to another consortium")
    wanted = {HOSPITAL: "1?10", READER: "1001", WITNESS: "0100", RELAY: "0?00"}.get(credential["kind"])
    need(wanted, "a member of unknown kind")
    for field, rule in zip(("log", "witness", "hospital_key", "person"), wanted):
        need(rule == "?" or (credential[field] is not None) == (rule == "1"), f"{field} is missing, or one too many")
    need(is_text(credential["organisation"]) and is_country(credential["country"]), "malformed name or country")
    keys = [credential["node"], credential["hospital_key"], credential["person"]]
    keys += [verifier_key(credential[field], kind).raw for field, kind in (("log", 1), ("witness", 4))
             if credential[field] is not None]
    keys = [key for key in keys if key is not None]
    need(all(map(is_key, keys)) and len(set(keys)) == len(keys), "a malformed key, or one with two uses")
    need(not council[0] & set(keys), "a key of the council")
    need(0 < credential["not_after"] - credential["not_before"] <= YEAR, "empty or too long a validity")
    check_lists(credential)
    return credential


def check_lists(credential):
    licences = [tuple(licence.values()) for licence in credential["licences"]]
    shapes = {"languages": "[a-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", "modalities": "[A-Z0-9_]{1,16}", "subspecialties": None}
    for name, shape in shapes.items():
        items = credential[name]
        good = all(map(is_text, items)) if shape is None else all(re.fullmatch(shape, item, re.ASCII) for item in items)
        need(good and ascending(items) and len(items) <= 256, f"malformed {name}")
    need(ascending(licences) and len(licences) <= 256, "licences out of order")
    need(all(len(item) <= 35 for item in credential["languages"]), "malformed languages")
    for country, authority, number, begin, end in licences:
        need(is_country(country) and is_text(authority) and is_text(number) and begin < end, "malformed licence")
    lists = [*shapes, "licences"]
    need(credential["kind"] == READER or not any(credential[name] for name in lists), "lists of one who is no reader")


# Entries and documents.

def read_entry(data):
    """The clear header and the rest of an entry in its one encoding."""
    need(len(data) <= 65535, "the entry is too long")
    entry = canonical(ENTRY, data)
    need(entry["header"] is not None and entry["header"]["kind"] != 0, "the entry has no kind")
    need(len(entry["nonce"]) == 32 and len(entry["payload_digest"]) in (0, 32), "malformed nonce or digest")
    need(all(len(hidden["value"]) == 32 for hidden in entry["commitments"]), "malformed commitment")
    return entry


def document(data, kind, schema, most):
    """Content and signers of a signed document; every field within its bounds."""
    payload, signers = envelope(data, kind, most)
    content = decode(schema, payload)
    need(content["version"] == 1, f"unknown version of a {kind}")
    parts = content.get("prepared") or {}
    for name, value in [*content.items(), *parts.items()]:
        need(name not in SIZED or len(value) in (0, SIZED[name]), f"{name} has another length")
    need(len(content["log_origin"].encode()) <= 255, "the log's name is too long")
    need(len(parts.get("sealed_release_key", b"")) <= 2048, "the sealed key is too long")
    rules = content.get("rules", [])
    need(len(rules) <= 64 and all(len(rule.encode()) <= 128 for rule in rules), "too many rules, or too long")
    for name in ("from_country", "to_country"):
        need(len(content.get(name, "").encode()) in (0, 2), f"malformed {name}")
    need(len(content.get("report_language", "").encode()) <= 35, "malformed report_language")
    return content, signers


def bucket(count):
    return 0 if count == 0 else (count - 1).bit_length() + 1


def same_as_grant(header, grant):
    """Holds an owner's entry against the grant that it commits to."""
    for name in ("policy_hash", "rules", "from_country", "to_country"):
        need(header[name] == grant[name], f"the {name} does not match the grant")
    parts = grant["prepared"]
    need(parts, "the grant releases nothing")
    volume = bucket(parts["bytes"]), bucket(parts["objects"])
    need((header["bytes_bucket"], header["instances_bucket"]) == volume, "the volume does not match the grant")
    need(header["rules"], "no rule permitted it")


class Archive:
    """One archive: what is wrong with it, and what it says of other logs."""

    def __init__(self, label, files):
        self.label, self.files, self.faults = label, files, []
        self.council = self.rules = self.log = self.tree = self.point = None
        self.genesis, self.listed, self.credentials = b"", {}, {}
        self.quorum = None  # serial number and digest of the quorum file
        self.sound = False  # every entry is as the checkpoint states
        self.signed = None  # the note's text, origin, size and signature
        self.used, self.links = set(), []
        # By the grant's digest: the index, and the grant with its owner's and reader's credentials if it reads.
        self.granted, self.accepted, self.receipts, self.begun = {}, {}, {}, {}

    @contextlib.contextmanager
    def about(self, path):
        """Whatever is refused inside is a fault of this file; the rest goes on."""
        try:
            yield
        except Bad as bad:
            self.faults.append((path, str(bad)))

    def get(self, path):
        self.used.add(path)
        need(path in self.files, "missing")
        need(self.files[path] is not None, "cannot be read, or is too large")
        need(len(self.files[path]) <= longest(path), "is too large")
        return self.files[path]

    def verify(self, pinned):
        with self.about(NOTE):
            self.read_note()
        for path in self.files:
            if self.signed and path != NOTE and path not in self.listed:
                self.faults.append((path, "not listed in archive.note"))
        for path, entry in self.listed.items():
            with self.about(path):
                data = self.get(path)
                need((sha(data), len(data)) == entry, "not the file that archive.note lists")
        self.used = set()
        self.read_trust(pinned)
        self.read_log()

    # The note and the files.

    def read_note(self):
        whole = utf8(self.get(NOTE))
        text, blank, block = whole.partition("\n\n")
        need(blank, "no signature block")
        version, origin, size, *lines = text.split("\n") + ["", ""]
        need(version == "radmesh-archive/1", "not a known format")
        lined = signature_lines(block)
        need(len(lined) == 1, "not exactly one signature")
        last, listed = "", {}
        for line in lines[:-2]:
            digest, _, rest = line.partition(" ")
            length, _, path = rest.partition(" ")
            need(re.fullmatch("[0-9a-f]{64}", digest, re.ASCII) and longest(path) and path > last, "malformed list")
            listed[path] = bytes.fromhex(digest), decimal(length)
            last = path
        self.listed = listed
        self.signed = f"{text}\n", key_name(origin), decimal(size), lined

    # Whom the consortium vouches for.

    def read_trust(self, pinned):
        with self.about("trust/genesis.env"):
            data = self.get("trust/genesis.env")
            self.genesis = sha(data)
            need(self.genesis.hex() == pinned, "not the genesis that was given")
            self.council = read_genesis(data)
        for path in self.files:
            if re.fullmatch(rf"trust/credentials/{NUMBER}\.env", path) and self.council:
                with self.about(path):
                    credential = read_credential(self.get(path), self.council, self.genesis)
                    need(path == f"trust/credentials/{credential['serial']}.env", "holds another credential")
                    self.credentials[credential["serial"]] = credential
        if self.council:
            self.read_quorum()

    def read_quorum(self):
        paper = None
        with self.about("trust/quorum.envelope"):
            paper = canonical(QUORUM, by_council(self.get("trust/quorum.envelope"), "quorum", self.council))
            need(paper["genesis"] == self.genesis, "belongs to another consortium")
        if not paper:  # who must cosign would be the log's own word
            return
        with self.about("trust/quorum.policy"):
            data = self.get("trust/quorum.policy")
            need(sha(data) == paper["sha256"], "the council signed another file")
            rules = policy(data)
            self.quorum = paper["serial"], paper["sha256"]
            known = [verifier_key(text, 4) for text in self.named("witness")]
            for key in rules.witnesses.values():
                need(key in known, f"no credential names the witness {key.name}")
            self.rules = rules

    def named(self, field):
        return [credential[field] for credential in self.credentials.values() if credential[field] is not None]

    def member(self, header, what, **wanted):
        """The credential with these fields that holds at the time of the entry."""
        latest = min(header["time_us"] + header["uncertainty_us"], U64) // 1_000_000
        for credential in self.credentials.values():
            if all(credential[name] == value for name, value in wanted.items()):
                if credential["not_before"] <= latest < credential["not_after"]:
                    return credential
        raise Bad(f"no credential of the {what} holds at that time")

    # The log as a whole.

    def read_log(self):
        with self.about(CHECKPOINT):
            self.point = checkpoint(self.get(CHECKPOINT))
        origin = self.signed[1] if self.signed else self.point and self.point.origin
        keys = [key for key in (verifier_key(text, 1) for text in self.named("log")) if key.name == origin]
        with self.about(CHECKPOINT):
            need(keys, "no credential names the key of the log")
            self.log = keys[-1]
        with self.about(NOTE):
            need(not self.signed or not self.point or self.signed[1:3] == self.point[1:3], "speaks of another tree")
            if self.signed and keys:
                text, _, _, lines = self.signed
                need(any(note_times(text, lines, key) for key in keys), "not signed by the log's key")
        if self.log and self.point:
            self.judge_log(keys)

    def judge_log(self, keys):
        with self.about(CHECKPOINT):
            need(self.point.origin == self.log.name, "is of another log")
            signers = [key for key in keys if note_times(self.point.text, self.point.lines, key)]
            need(signers, "the log did not sign it")
            self.log = signers[-1]
            with self.about(CHECKPOINT):
                if self.rules:
                    cosigned(self.rules, self.point, self.log)
            self.walk(self.read_tiles())

    def read_tiles(self):
        """All entries up to the first bundle that does not read; every tile must be what the checkpoint states."""
        tiles, leaves, entries = list(tile_paths(min(self.point.size, 256 * (len(self.files) + 1)))), [], []
        for level, n, width, path in tiles:
            with self.about(path):
                data = self.tile(level, width, path)
                if level < 0 and len(entries) == 256 * n:
                    entries += data
                elif level == 0:
                    leaves += data
        trees = [Tree(map(leaf, entries)), Tree(leaves)]
        whole = [tree for tree in trees if (tree.size, tree.root(tree.size)) == self.point[2:4]]
        with self.about(CHECKPOINT):
            need(whole, "has another root than the entries and than the tiles")
        tree = whole[0] if whole else None
        self.tree, known = trees[0], {path: (level, n, width) for level, n, width, path in tiles}
        for path in self.files:
            if path.startswith("log/") and path != CHECKPOINT:
                with self.about(path):
                    level, n, width = known.get(path) or self.narrower(path, known)
                    if tree:
                        self.same_tile(tree, level, n, width, path)
        self.sound = trees[0] in whole
        return entries

    def tile(self, level, width, path):
        """The entries or hashes of a tile; a wider one of the same number holds a partial one too."""
        wider = path.partition(".p/")[0]
        if path not in self.files and wider in self.files:
            every = bundle(self.get(wider), 256) if level < 0 else self.hashes(wider, 256)
            return every[:width]
        return bundle(self.get(path), width) if level < 0 else self.hashes(path, width)

    def hashes(self, path, width):
        data = self.get(path)
        need(len(data) == 32 * width, "a tile of another length")
        return [data[at:at + 32] for at in range(0, len(data), 32)]

    def narrower(self, path, known):
        """A partial tile that the log kept from a smaller size."""
        need(longest(path) and ".p/" in path, "no part of a log of this size")
        name, _, width = path.partition(".p/")
        for full in (full for full in known if full.partition(".p/")[0] == name):
            level, n, most = known[full]
            need(int(width) < most, "no part of a log of this size")
            return level, n, int(width)
        raise Bad("no part of a log of this size")

    def same_tile(self, tree, level, n, width, path):
        part = slice(256 * n, 256 * n + width)
        if level < 0:
            found = [leaf(entry) for entry in self.tile(level, width, path)]
            need(found == tree.rows[0][part], "has other entries than the checkpoint states")
        else:
            need(self.tile(level, width, path) == tree.rows[8 * level][part], "has other hashes than the entries")

    # Entry by entry.

    def walk(self, entries):
        self.entries, earliest = entries, 0
        paths = [path for level, _, _, path in tile_paths(self.point.size if entries else 0) if level < 0]
        for index, data in enumerate(entries):
            with self.about(paths[index // 256]):
                entry = read_entry(data)
                header = entry["header"]
                need(index or header["kind"] == NODE_STARTED, "the log does not begin with the start of its node")
                time, doubt = header["time_us"], header["uncertainty_us"]
                earliest = 0 if header["kind"] == CLOCK_ANOMALY else earliest
                back = time + doubt + SIGNING_US < earliest
                earliest = max(earliest, time - doubt)
                self.entry(index, header)
                self.opening(index, entry)
                need(not back, f"entry {index}: its time runs back")
        papers = re.compile("(?:grants|proofs|receipts|peer|openings)/")
        for path in self.files if len(entries) == self.point.size else ():
            if path not in self.used and papers.match(path) and longest(path):
                self.faults.append((path, "belongs to no entry that has such a file"))

    def entry(self, index, header):
        kind, digest = header["kind"], header["grant_hash"]
        access = kind in (BEGUN, SIGNED) or kind == ENDED and (header["bytes_bucket"] or header["instances_bucket"])
        need(len(digest) == 32 or not access and kind not in (GRANTED, ACCEPTED, RECEIPTED),
             f"entry {index} names no grant")
        if kind in (GRANTED, ACCEPTED):
            here = self.granted if kind == GRANTED else self.accepted
            twice, here[digest] = digest in here, (index, self.grant(index, header))
            (self.own_grant if kind == GRANTED else self.peer_grant)(index, header, here[digest][1])
            need(not twice, f"entry {index}: the same grant twice")
        elif kind == RECEIPTED:
            known = self.granted.get(digest)
            self.receipt(index, header, *known or (None, None))
            need(known, f"entry {index}: no such grant before it")
            self.receipts.setdefault(digest, index)
        elif kind in (BEGUN, ENDED, SIGNED, RECEIVED) and len(digest) == 32:
            need(digest in self.granted or digest in self.accepted, f"entry {index}: no such grant before it")
            if access:
                self.begun.setdefault(digest, index)
                need(digest in self.receipts or digest not in self.granted, f"entry {index}: access without a receipt")

    def grant(self, index, header):
        """The exact grant of an entry, its owner's and its reader's credentials."""
        with self.about(f"grants/{index}.env"):
            data = self.get(f"grants/{index}.env")
            need(sha(data) == header["grant_hash"], "not the grant that the entry commits to")
            grant, signers = document(data, "grant", GRANT, 16 << 10)
            owner = self.member(header, "owner", kind=HOSPITAL, node=grant["owner"])
            need(owner["hospital_key"] in signers, "the hospital did not sign it")
            reader = self.member(header, "reader", kind=READER, serial=grant["credential"])
            need((reader["person"], reader["node"]) == (grant["person"], grant["node"]), "for another reader")
            need(verifier_key(owner["log"], 1).name == grant["log_origin"], "names another log")
            return grant, owner, reader
        return None

    def own_grant(self, index, header, opened):
        with self.about(f"proofs/{index}.tlog-proof"):
            data = self.get(f"proofs/{index}.tlog-proof")
            point = proof(data, self.entries[index], index, self.log, self.rules)
            need(self.holds(point.size, point.root), "the proof is of another tree")
        if opened:
            with self.about(f"grants/{index}.env"):
                need(opened[0]["fence"] == index, "its fence is not the index of its entry")
                need(opened[0]["log_origin"] == self.log.name, "belongs to another log")
                same_as_grant(header, opened[0])

    def peer_grant(self, index, header, opened):
        """The owner's side of an accepted grant; where the grant is refused, its papers are only looked for."""
        entry, text = (self.paper(f"peer/{index}.{what}") for what in ("entry", "proof"))
        if not opened or entry is None or text is None:
            return
        grant, owner, reader = opened
        with self.about(f"peer/{index}.entry"):
            peer = read_entry(entry)["header"]
            need(peer["kind"] == GRANTED and peer["grant_hash"] == header["grant_hash"], "grants something else")
            same_as_grant(peer, grant)
        with self.about(f"grants/{index}.env"):
            need(verifier_key(reader["log"], 1).name == self.log.name, "is for another reader's log")
        with self.about(f"peer/{index}.proof"):
            log = verifier_key(owner["log"], 1)
            point = proof(text, entry, grant["fence"], log, self.rules)
            self.links.append((f"peer/{index}.proof", log.name, grant["fence"], leaf(entry), point))

    def receipt(self, index, header, fence, opened):
        """The reader's side of a grant of this log; where the receipt is refused, the rest is only looked for."""
        receipt, entry, text = (self.paper(f"receipts/{index}.{what}") for what in ("env", "entry", "proof"))
        if not opened or receipt is None:
            return
        grant, _, reader = opened
        content, log, digest = None, verifier_key(reader["log"], 1), header["grant_hash"]
        with self.about(f"receipts/{index}.env"):
            content, signers = document(receipt, "receipt", RECEIPT, 2 << 10)
            need(grant["person"] in signers, "the person did not sign it")
            need((content["grant_hash"], content["fence"]) == (digest, fence), "is for another grant")
            self.member(header, "reader", kind=READER, serial=grant["credential"])
            need(content["log_origin"] == log.name, "names another log")
        if not content or entry is None or text is None:
            return
        with self.about(f"receipts/{index}.entry"):
            peer = read_entry(entry)["header"]
            need(peer["kind"] == ACCEPTED and peer["grant_hash"] == digest, "accepts something else")
        with self.about(f"receipts/{index}.proof"):
            point = proof(text, entry, content["log_index"], log, None)
            self.links.append((f"receipts/{index}.proof", log.name, content["log_index"], leaf(entry), point))

    def paper(self, path):
        with self.about(path):
            return self.get(path)
        return None

    def opening(self, index, entry):
        path = f"openings/{index}.bin"
        if path not in self.files:
            return
        with self.about(path):
            content = decode(OPENINGS, self.get(path))
            need(content["version"] == 1, "unknown version")
            for field, salt, value in map(dict.values, content["openings"]):
                need(1 <= field <= len(FIELDS), "an unknown field")
                hidden = tagged(b"radmesh/entry-commitment/1", FIELDS[field - 1].encode(), entry["nonce"], salt, value)
                need({"field": field, "value": hidden} in entry["commitments"], "does not match its commitment")

    def holds(self, size, root):
        """Whether this is the tree of this log's first entries."""
        return size <= self.point.size and (size > self.tree.size or self.tree.root(size) == root)


# Several archives together.

def reconcile(archives):
    """What each log keeps of another must be in that other, and the reverse."""
    whole = [archive for archive in archives if archive.sound]
    for archive in whole:
        for other in whole:
            if other is not archive:
                same_ground(archive, other)
        for path, origin, index, hashed, point in archive.links:
            for peer in (other for other in whole if other.log.name == origin):
                with archive.about(path):
                    need(point.size <= peer.point.size, f"{origin} ends before the tree that it showed")
                    need(peer.holds(point.size, point.root), f"{origin} showed another tree")
                    need(peer.tree.rows[0][index] == hashed, f"{origin} does not hold that entry")
        for owner in whole:
            if owner is not archive:
                one_sided(owner, archive)


def same_ground(archive, other):
    if archive.genesis != other.genesis:
        archive.faults.append(("trust/genesis.env", "another archive is of another consortium"))
    if archive.quorum and other.quorum and archive.quorum[0] == other.quorum[0] and archive.quorum != other.quorum:
        archive.faults.append(("trust/quorum.envelope", "its serial number stands for another file elsewhere"))
    if archive.log == other.log and archive.point.size <= other.point.size:
        if not other.holds(archive.point.size, archive.point.root):
            archive.faults.append((CHECKPOINT, "another archive of this log holds another tree"))


def one_sided(owner, reader):
    """What the reader's log says of the owner's grants must be in the owner's log."""
    for digest, (index, opened) in reader.accepted.items():
        if opened and opened[0]["log_origin"] == owner.log.name:
            paths = [path for level, _, _, path in tile_paths(owner.point.size) if level < 0]
            where = paths[min(opened[0]["fence"] // 256, len(paths) - 1)]
            if digest not in owner.granted:
                owner.faults.append((where, f"{reader.log.name} accepted a grant ({index}) that is not here"))
            elif digest in reader.begun and digest not in owner.receipts:
                owner.faults.append((where, f"{reader.log.name} began access ({index}) without a receipt here"))


def verify(archives, pinned):
    """Verifies archives (label and files each); gives them back with their faults."""
    done = [Archive(label, files) for label, files in archives]
    for archive in done:
        archive.verify(pinned)
    reconcile(done)
    return done


def pinned_hash(text):
    if not re.fullmatch("[0-9a-f]{64}", text, re.ASCII):
        raise argparse.ArgumentTypeError("64 hexadecimal digits in lower case")
    return text


def main():
    parser = argparse.ArgumentParser(description="Verifies audit archives.")
    parser.add_argument("--genesis", required=True, type=pinned_hash, help="SHA-256 of the consortium's genesis")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    try:
        loaded = [(str(folder), load(folder)) for folder in options.folders]
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    done = verify(loaded, options.genesis)
    for archive in done:
        for path, what in dict.fromkeys(archive.faults):
            print(f"{archive.label}/{path}: {what}")
    return int(any(archive.faults for archive in done))


if __name__ == "__main__":
    sys.exit(main())
