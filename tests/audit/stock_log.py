"""A log that tlog-scales writes, cosigned by a witness over HTTP (C2SP tlog-witness).

usage: stock_log.py FOLDER URL WITNESS_KEY SEED

FOLDER is where the log goes, URL the witness's submission prefix, WITNESS_KEY its verifier key, SEED the log key's seed
in hexadecimal. The log grows and asks for a cosignature at each size; tlog-scales verifies each. Then it misbehaves, and
every refusal has its status. Ends with exit code 1 at the first thing that is not as the specification says.
"""
import base64
import pathlib
import sys

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales import reader, signing, tlog, writer, backend

ORIGIN = "stock.example/log"


def require(holds, what):
    # An assert would go with `python -O`.
    if not holds:
        sys.exit(f"not as it should be: {what}")


class Log:
    def __init__(self, folder, key, prefix=b""):
        self.root, self.key, self.prefix = folder, key, prefix
        self.writer = writer.TilesWriter.create(folder, ORIGIN)

    def grow(self, size):
        for index in range(self.writer.size, size):
            self.writer.add_leaf(self.prefix + b"entry %d" % index)
        self.writer.commit([signing.PlainEd25519Signer(ORIGIN, self.key)])

    def checkpoint(self):
        return (self.root / "checkpoint").read_text()

    def request(self, old):
        tree = reader.TilesReader(backend.make_backend(str(self.root)))
        size = tree.get_checkpoint().size
        proof = tree.get_consistency_proof(old, size).node_hashes if 0 < old < size else []
        lines = "".join(base64.b64encode(node).decode() + "\n" for node in proof)
        return f"old {old}\n{lines}\n{self.checkpoint()}"


def main(folder, url, witness, seed):
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    session, witness = requests.Session(), signing.Vkey.from_string(witness)

    def ask(body):
        return session.post(f"{url}/add-checkpoint", data=body.encode(), timeout=30)

    log, old = Log(folder / "log", key), 0
    for size in [1, 2, 3, 255, 256, 257, 600]:
        log.grow(size)
        answer = ask(log.request(old))
        require(answer.status_code == 200, f"{size}: {answer.status_code} {answer.text!r}")
        lines = answer.text.splitlines()
        require(len(lines) == 1 and answer.text.endswith("\n"), f"{size}: {answer.text!r}")
        note = signing.NoteSignature.from_line(lines[0])
        require(witness.match(note), f"{size}: another key")
        witness.get_verifier().verify(note.payload, tlog.Checkpoint.from_text(log.checkpoint()))
        old = size

    # The same again, as an idle log asks, and an old size that it does not hold.
    require(ask(log.request(600)).status_code == 200, "the same again")
    answer = ask(log.request(257))
    require((answer.status_code, answer.text) == (409, "600\n"), f"409: {answer.status_code} {answer.text!r}")
    require(answer.headers["content-type"] == "text/x.tlog.size", f"409: {answer.headers}")
    # A fork of the same size by the same key, and one that pretends to have grown.
    fork = Log(folder / "fork", key, b"other ")
    fork.grow(600)
    require(ask(fork.request(600)).status_code == 409, "a fork of the same size")
    fork.grow(700)
    require(ask(fork.request(600)).status_code == 422, "a fork that grew")
    log.grow(601)
    require(ask(log.request(600).replace("old 600", "old 602")).status_code == 400, "an old size beyond the new")
    strange = Log(folder / "strange", Ed25519PrivateKey.generate())
    strange.grow(601)
    require(ask(strange.request(600)).status_code == 403, "another key")
    require(ask(log.request(600).replace(ORIGIN, "no.example/log")).status_code == 404, "another log")
    require(ask("nonsense").status_code == 400, "nonsense")
    require(ask("x" * 1_000_000).status_code == 413, "too long")
    require(session.get(f"{url}/add-checkpoint", timeout=30).status_code == 405, "GET")
    require(session.post(f"{url}/add-tree", data=b"", timeout=30).status_code == 404, "another path")
    # After all that the log goes on.
    require(ask(log.request(600)).status_code == 200, "the log goes on")
    print("cosigned 9 times")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
