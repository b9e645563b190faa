"""The formats that the second verifier reads, each from its specification.

C2SP signed notes, checkpoints, cosignatures, tiles, proofs and policies, DSSE envelopes and protobuf. Only SHA-256,
base64 and Ed25519 come from libraries. Whatever is refused raises `Bad`.
"""
import base64
import binascii
import functools
import hashlib
import re
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

U64 = 2**64 - 1


class Bad(Exception):
    """Something does not hold; the words say what."""


def need(holds, what):
    if not holds:
        raise Bad(what)


# Numbers, base64, digests, Ed25519.

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(label, *parts):
    """SHA-256 over a label and parts, each behind its length."""
    framed = [piece for part in parts for piece in (len(part).to_bytes(8, "big"), part)]
    return sha(len(label).to_bytes(2, "big"), label, *framed)


def decimal(text, limit=U64):
    need(re.fullmatch("0|[1-9][0-9]{0,19}", text, re.ASCII) and int(text) <= limit, f"{text[:32]!r} is no number")
    return int(text)


def b64(text, length=None):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Bad("malformed base64") from error
    need(base64.b64encode(data).decode() == text, "base64 in another spelling")
    need(length in (None, len(data)), "base64 of another length")
    return data


def utf8(data):
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Bad("not UTF-8") from error


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493


@functools.cache
def is_key(raw):
    """A point of the curve in its canonical encoding, and not of small order (RFC 8032, 5.1.3)."""
    if len(raw) != 32:
        return False
    number = int.from_bytes(raw, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        return False
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x * x % P == square and not (x == 0 and sign) and not small(x, y)


def small(x, y):
    """Whether eight times the point is the neutral element: three doublings."""
    for _ in range(3):
        product = D * x * x * y * y % P
        x, y = 2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P
    return (x, y) == (0, 1)


@functools.lru_cache(maxsize=4096)
def signed(key, signature, message):
    """Whether an Ed25519 signature verifies, with nothing in a second spelling and no weak point."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    if not is_key(key) or not is_key(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


# Protobuf: the wire format, and the one encoding that counts as canonical.

def varint(data, at):
    value = 0
    for place in range(10):
        need(at < len(data), "protobuf: cut short")
        byte, at = data[at], at + 1
        value |= (byte & 127) << 7 * place
        if byte < 128:
            need(value <= U64, "protobuf: number too large")
            return value, at
    raise Bad("protobuf: number too long")


def field_at(data, at, depth=0):
    """One field of any type: tag, wire type, value, the place behind it."""
    key, at = varint(data, at)
    tag, wire = key >> 3, key & 7
    need(0 < tag < 2**29, "protobuf: bad tag")
    if wire == 0:
        value, at = varint(data, at)
        return tag, wire, value, at
    if wire == 3:
        need(depth < 100, "protobuf: nested too deeply")
        inner = None
        while inner != (tag, 4):
            last, kind, _, at = field_at(data, at, depth + 1)
            inner = (last, kind) if kind == 4 else None
            need(inner in (None, (tag, 4)), "protobuf: group ends wrongly")
        return tag, wire, None, at
    need(wire in (1, 2, 4, 5) and (wire != 4 or depth), "protobuf: bad wire type")
    length, at = varint(data, at) if wire == 2 else ({1: 8, 4: 0, 5: 4}[wire], at)
    need(length <= len(data) - at, "protobuf: cut short")
    return tag, wire, data[at:at + length], at + length


def scalar(kind, value):
    if kind == "bool":
        return value != 0
    if kind == "u32":
        return value & 0xFFFFFFFF
    if kind == "enum":
        return (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    return utf8(value) if kind == "str" else value


NUMBERS = ("u32", "u64", "enum", "bool")


def empty(kind):
    """What an absent field stands for; a message may be absent."""
    return None if isinstance(kind, dict) else "" if kind == "str" else b"" if kind == "bytes" else 0


def decode(schema, data, into=None):
    """A message as a dict; unknown fields are passed over, the last value of a field counts."""
    default = {"": empty, "?": lambda _: None, "*": lambda _: []}
    out = into or {name: default[many](kind) for name, kind, many in schema.values()}
    at = 0
    while at < len(data):
        tag, wire, value, at = field_at(data, at)
        if tag not in schema:
            continue
        name, kind, many = schema[tag]
        need(wire == (0 if kind in NUMBERS else 2), f"protobuf: {name} has another type")
        if isinstance(kind, dict):
            value = decode(kind, value, None if many else out[name])
        else:
            value = scalar(kind, value)
        out[name] = out[name] + [value] if many == "*" else value
    return out


def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(schema, message):
    out = b""
    for tag, (name, kind, many) in sorted(schema.items()):
        values = message[name] if many == "*" else [message[name]]
        for value in values:
            if value is None or (not many and value == empty(kind)):
                continue
            if kind in NUMBERS:
                out += number(tag << 3) + number(value & U64)
                continue
            value = encode(kind, value) if isinstance(kind, dict) else value.encode() if kind == "str" else value
            out += number(tag << 3 | 2) + number(len(value)) + value
    return out


def canonical(schema, data):
    message = decode(schema, data)
    need(message["version"] == 1, "unknown version")
    need(encode(schema, message) == data, "not in its canonical encoding")
    return message


def schema(*fields):
    """Fields in the order of their tags: "name kind", with `?` (may be absent) or `*` (repeated) behind the kind."""
    out = {}
    for tag, field in enumerate(fields, 1):
        name, kind = field if isinstance(field, tuple) else field.split()
        many = kind[-1] if isinstance(kind, str) and kind[-1] in "?*" else "*" if isinstance(kind, list) else ""
        out[tag] = name, kind[0] if isinstance(kind, list) else kind.rstrip("?*") if many else kind, many
    return out


HEADER = schema(
    "version u32", "kind enum", "action enum", "outcome enum", "time_us u64", "uncertainty_us u64", "source str",
    "from_country str", "to_country str", "legal_role str", "basis str", "purpose str", "policy_hash bytes",
    "rules str*", "revocation_version u64", "urgency u32", "emergency bool", "bytes_bucket u32",
    "instances_bucket u32", "grant_hash bytes")
ENTRY = schema(
    "version u32", ("header", HEADER), ("commitments", [schema("field enum", "value bytes")]), "nonce bytes",
    "payload_digest bytes")
OPENINGS = schema(
    "version u32", ("openings", [schema("field enum", "salt bytes", "value bytes")]), "sequence u64", "previous u64")
GENESIS = schema(
    "version u32", "name str", "threshold u32", ("council", [schema("organisation str", "country str", "key bytes")]),
    "created u64")
LICENCE = schema("jurisdiction str", "authority str", "number str", "not_before u64", "not_after u64")
CREDENTIAL = schema(
    "version u32", "genesis bytes", "serial u64", "kind u32", "organisation str", "country str", "node bytes",
    "log str?", "witness str?", "hospital_key bytes?", "person bytes?", ("licences", [LICENCE]), "languages str*",
    "modalities str*", "subspecialties str*", "not_before u64", "not_after u64")
QUORUM = schema("version u32", "genesis bytes", "serial u64", "sha256 bytes")
PREPARED = schema(
    "sealed_release_key bytes", "release_key_commitment bytes", "manifest_id bytes", "manifest_digest bytes",
    "manifest_length u64", "manifest_root bytes", "objects u64", "bytes u64")
GRANT = schema(
    "version u32", "offer bytes", "owner bytes", "person bytes", "node bytes", "prekey bytes", "fence u64",
    "lease_us u64", "expires_us u64", ("prepared", PREPARED), "policy_hash bytes", "rules str*", "from_country str",
    "to_country str", "report_language str", "credential u64", "log_origin str")
RECEIPT = schema(
    "version u32", "grant_hash bytes", "fence u64", "log_origin str", "log_index u64", "time_us u64")


# Envelopes: DSSE's signed bytes in a container with one encoding.

def envelope(data, kind, longest=2**21):
    """Payload and signers of an envelope of this type; every signature must verify."""
    need(len(data) <= longest, "the envelope is too long")
    need(data[:4] == b"RME1" and len(data) >= 6, "no envelope")
    at = 6 + int.from_bytes(data[4:6], "big")
    name, length, at = data[6:at], int.from_bytes(data[at:at + 4], "big"), at + 4
    need(1 <= len(name) <= 128 and all(33 <= byte <= 126 for byte in name), "malformed payload type")
    need(length <= 2**20 and len(data) > at + length, "the envelope is cut short")
    payload, count, at = data[at:at + length], data[at + length], at + length + 1
    need(1 <= count <= 16 and len(data) == at + 96 * count, "another number of signatures")
    need(name == f"application/vnd.radmesh.{kind}.v1".encode(), "another type of payload")
    signatures = [(data[n:n + 32], data[n + 32:n + 96]) for n in range(at, len(data), 96)]
    keys = [key for key, _ in signatures]
    need(all(left < right for left, right in zip(keys, keys[1:])), "the signatures are not in order")
    message = b"DSSEv1 %d %s %d %s" % (len(name), name, length, payload)
    need(all(signed(key, signature, message) for key, signature in signatures), "a signature does not verify")
    return payload, set(keys)


# Signed notes, checkpoints, cosignatures.

class Key(NamedTuple):
    """A C2SP verifier key."""

    name: str
    kind: int
    raw: bytes

    @property
    def id(self):
        return sha(self.name.encode(), b"\n", bytes([self.kind]), self.raw)[:4]


def key_name(text):
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 or c.isspace() or c == "+" for c in text)
    need(1 <= len(text.encode()) <= 255 and not control, "malformed key name")
    return text


def verifier_key(text, kind):
    name, _, rest = text.partition("+")
    ident, _, blob = rest.partition("+")
    raw = b64(blob, 33)
    key = Key(key_name(name), raw[0], raw[1:])
    need(ident == key.id.hex() and raw[0] == kind and is_key(key.raw), "malformed verifier key")
    return key


def signature_lines(block):
    need(block.endswith("\n") and len(block) > 1, "no signature block")
    lines = []
    for line in block[:-1].split("\n"):
        dash, name, blob, *more = line.split(" ") + ["", ""]
        blob = b64(blob)
        need(dash == "\u2014" and more == ["", ""] and len(blob) > 4, "malformed signature line")
        lines.append((key_name(name), blob[:4], blob[4:]))
    need(len(lines) <= 64, "too many signatures")
    return lines


def note_times(text, lines, key):
    """The times that a key's lines state (0 without one); one that does not verify refuses the note."""
    times = []
    for name, ident, blob in lines:
        if (name, ident) != (key.name, key.id):
            continue
        time, message = 0, text
        if key.kind == 4:
            time, blob = int.from_bytes(blob[:8], "big"), blob[8:]
            message = f"cosignature/v1\ntime {time}\n{text}"
        need(time < 2**63 and signed(key.raw, blob, message.encode()), f"the signature of {name} does not verify")
        times.append(time)
    return times


class Checkpoint(NamedTuple):
    """A log's statement, and the signature lines under it."""

    text: str
    origin: str
    size: int
    root: bytes
    lines: list


def checkpoint(data):
    need(len(data) <= 2**18, "the note is too long")
    whole = utf8(data)
    text, blank, block = whole.rpartition("\n\n")
    need(blank, "no signature block")
    lines = signature_lines(block)
    parts = text.split("\n")
    need(len(parts) == 3, "a checkpoint has three lines")
    size, root = decimal(parts[1], 2**63 - 1), b64(parts[2], 32)
    need(size or root == sha(), "the empty tree has another root")
    return Checkpoint(f"{text}\n", key_name(parts[0]), size, root, lines)


# The tree.

def leaf(entry):
    return sha(b"\0", entry)


def node(left, right):
    return sha(b"\1", left, right)


class Tree:
    """All complete subtrees over a list of leaf hashes (RFC 6962, 2.1)."""

    def __init__(self, leaves):
        self.rows = [list(leaves)]
        self.size = len(self.rows[0])
        while len(self.rows[-1]) > 1:
            row = self.rows[-1]
            self.rows.append([node(row[n], row[n + 1]) for n in range(0, len(row) - 1, 2)])

    def root(self, size):
        root = None
        for level, row in enumerate(self.rows):
            if size >> level & 1:
                part = row[(size >> level) - 1]  # the last complete subtree of this height
                root = part if root is None else node(part, root)
        return sha() if root is None else root


def climb(root, index, size, path):
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    need(index < size, "the index is outside of the tree")
    last = size - 1
    for step in path:
        need(last, "the path is too long")
        if index & 1 or index == last:
            root = node(step, root)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            root = node(root, step)
        index, last = index >> 1, last >> 1
    need(last == 0, "the path is too short")
    return root


def tile_paths(size):
    """Level (-1: entries), number, width and path of every tile of a tree."""
    level, count = -1, size
    while count:
        for n in range((count + 255) // 256):
            width = min(256, count - 256 * n)
            groups = re.findall("...", f"{n:0{-(-len(str(n)) // 3) * 3}}")
            name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
            part = "" if width == 256 else f".p/{width}"
            yield level, n, width, f"log/tile/{'entries' if level < 0 else level}/{name}{part}"
        level, count = level + 1, size >> 8 * (level + 1)


def bundle(data, width):
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at:at + 2], "big")
        need(at + 2 <= len(data) and end <= len(data), "the bundle ends within an entry")
        entries.append(data[at + 2:end])
        at = end
    need(len(entries) == width, f"the bundle holds {len(entries)} entries, not {width}")
    return entries


# Policies and proofs.

class Policy(NamedTuple):
    """Which logs and witnesses a quorum file names, and the rule."""

    logs: list
    witnesses: dict
    groups: dict
    rule: str


def policy(data):
    need(len(data) <= 2**16 and data.endswith(b"\n"), "the policy is too long, or cut short")
    text = utf8(data)
    need(not any(c < " " and c not in "\t\n" or c == "\x7f" for c in text), "control character in the policy")
    out, members = Policy([], {}, {}, ""), set()
    for line in text[:-1].split("\n"):
        word, *rest = re.split("[ \t]+", line.strip(" \t"))
        if not word or word.startswith("#"):
            continue
        if word == "quorum":
            need(len(rest) == 1 and not out.rule, "malformed or second quorum line")
            need(rest[0] == "none" or rest[0] in {**out.witnesses, **out.groups}, "undefined name")
            out = out._replace(rule=rest[0])
        else:
            policy_line(out, members, word, rest)
    need(out.rule, "no quorum line")
    need(out.rule != "none", "the quorum file demands no witness")
    return out


def policy_line(out, members, word, rest):
    if word == "log":
        need(1 <= len(rest) <= 2, "malformed log line")
        key = verifier_key(rest[0], 1)
        need(all(key.raw != other.raw for other in out.logs) and len(out.logs) < 64, "duplicate log")
        out.logs.append(key)
        return
    need(len(rest) >= 2, "malformed line")
    name = rest[0]
    need(name != "none" and name not in out.witnesses and name not in out.groups, "duplicate name")
    if word == "witness":
        need(len(rest) <= 3 and len(out.witnesses) < 64, "malformed witness line")
        key = verifier_key(rest[1], 4)
        need(all(key.raw != other.raw for other in out.witnesses.values()), "duplicate witness")
        out.witnesses[name] = key
        return
    need(word == "group" and len(rest) >= 3 and len(out.groups) < 64, "malformed line")
    for member in rest[2:]:
        need(member in out.witnesses or member in out.groups, "undefined name")
        need(member not in members, "twice a member")
        members.add(member)
    count = len(rest) - 2
    threshold = {"any": 1, "all": count}.get(rest[1]) or decimal(rest[1])
    need(1 <= threshold <= count, "threshold out of range")
    out.groups[name] = threshold, rest[2:]


def cosigned(rules, point, log):
    """Checks all known signatures on a checkpoint, and the quorum."""
    need(log in rules.logs or not rules.logs, "the policy does not list this log")
    need(note_times(point.text, point.lines, log), "the log did not sign the checkpoint")
    seen = {name for name, key in rules.witnesses.items() if note_times(point.text, point.lines, key)}
    for name, (threshold, members) in rules.groups.items():
        if len(seen.intersection(members)) >= threshold:
            seen.add(name)
    need(rules.rule in seen, "not cosigned by a quorum")


def proof(data, entry, index, log, rules):
    """Checks a proof of an entry and gives its checkpoint; without rules it need not be cosigned."""
    need(len(data) <= 2**18 + 2**17, "the proof is too long")
    head, _, note = utf8(data).partition("\n\n")
    lines = head.split("\n")
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1" and lines, "no tlog-proof")
    if lines[0].startswith("extra "):
        need(1 <= len(b64(lines.pop(0)[6:])) <= 2**16, "malformed extra data")
    need(lines and lines[0].startswith("index "), "no index")
    need(decimal(lines[0][6:]) == index, "the proof is for another index")
    path = [b64(line, 32) for line in lines[1:]]
    point = checkpoint(note.encode())
    need(point.origin == log.name, "the proof is from another log")
    need(note_times(point.text, point.lines, log), "the log did not sign the proof's checkpoint")
    if rules:
        cosigned(rules, point, log)
    need(climb(leaf(entry), index, point.size, path) == point.root, "the proof does not lead to its root")
    return point
