"""Exports in the hands of others: `exports.py FORM FILE` says how many messages of a form are accepted, or what is wrong.

XML: lxml's RELAX NG by PS3.15 A.5.1, expat, and every DICOM code with its meaning from pydicom. FHIR: pyfhircheck and
fhirkit (R4), the required value sets of R4, and BALP's constraints as the table below. Each oracle must refuse a set of
broken messages first, made of the first message.
"""
import base64
import copy
import csv
import json
import pathlib
import sys
import xml.parsers.expat

HERE = pathlib.Path(__file__).parent
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PART = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
REST = "http://hl7.org/fhir/restful-interaction"


class Bad(Exception):
    """A message that is not what its standard wants."""


def need(holds, what):
    if not holds:
        raise Bad(what)


# XML

def xml_oracle():
    from lxml import etree
    from pydicom.sr._concepts_dict import concepts
    schema = etree.RelaxNG(etree.parse(HERE / "audit-message.rng"))
    meanings = {code: text for of in concepts["DCM"].values() for code, (text, _) in of.items()}

    def check(message):
        xml.parsers.expat.ParserCreate().Parse(message, True)
        tree = etree.fromstring(message, etree.XMLParser(resolve_entities=False))
        need(schema.validate(tree), f"PS3.15 A.5.1: {schema.error_log.last_error}")
        for code in tree.iterfind(".//*[@codeSystemName='DCM']"):
            number = code.get("csd-code")
            need(number in meanings, f"{number} is no code of DICOM")
            need(meanings[number].lower() == code.get("originalText").lower(), f"{number} means {meanings[number]}")
        entry = [o for o in tree.iterfind("ParticipantObjectIdentification")
                 if o.find("ParticipantObjectIDTypeCode").get("csd-code") == "log-entry"]
        need(len(entry) == 1, "the message names no log entry")
        details = {d.get("type"): base64.b64decode(d.get("value"), validate=True).decode()
                   for d in entry[0].iterfind("ParticipantObjectDetail")}
        need("verification" in details, "the message does not say how it stands")
        return entry[0].get("ParticipantObjectID")

    return check


def xml_broken(message):
    for old, new in [(b"csd-code", b"code"), (b' originalText="', b' originaltext="'), (b"<EventID ", b"<EventId "),
                     (b'EventOutcomeIndicator="', b'EventOutcomeIndicator="1'), (b"</AuditMessage>", b""),
                     (b'EventDateTime="', b'EventDateTime="x'), (b"<ParticipantObjectName>Log entry</ParticipantObjectName>", b""),
                     (b'UserIsRequestor="', b'UserIsRequestor="x'), (b' UserID="', b' User="')]:
        need(old in message, f"nothing to break: {old}")
        yield message.replace(old, new, 1)


# FHIR

def codes(coding):
    return {(c.get("system"), c.get("code")) for c in coding}


def slices(elements, system, code):
    """Members of a slice by pattern on `type`, a Coding or a CodeableConcept."""
    def of(element):
        kind = element.get("type", {})
        return (system, code) in codes(kind.get("coding", [kind]))
    return [element for element in elements if of(element)]


def one(resource, where, system, code):
    found = slices(resource[where], system, code)
    need(len(found) == 1, f"{where} of type {code}: {len(found)}")
    return found[0]


def end(code):
    def check(r):
        agent = one(r, "agent", DCM, code)
        need(agent.get("who") and agent.get("network") and "media" not in agent, f"agent {code} lacks who or network")
    return check


def user(allowed):
    def check(r):
        for agent in r["agent"]:
            coding = codes(agent["type"]["coding"])
            if any(system == PART for system, _ in coding):
                need(coding & {(PART, code) for code in allowed}, f"a user is none of {allowed}")
                need("network" not in agent and "media" not in agent and agent.get("who"), "a user is a network device")
                need(agent["requestor"] is True, "a user asked for nothing")
    return check


def data(r):
    entity = one(r, "entity", TYPE, "2")
    need(entity.get("what"), "data without what")
    need(entity["role"]["system"] == ROLE and entity["role"]["code"] in {"4", "3", "20"}, "data in another role")


def patient(r):
    entity = one(r, "entity", TYPE, "1")
    need((entity["role"]["system"], entity["role"]["code"]) == (ROLE, "1"), "a patient in another role")
    need(entity["what"].get("type") == "Patient", "what is no reference to a Patient")


def equals(name, value):
    return lambda r: need(r.get(name) == value, f"{name} is not {value}")


def is_rest(r):
    need(codes([r["type"]]) == {("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest")}, "type is not rest")


def subtype(code):
    return lambda r: need((REST, code) in codes(r["subtype"]), f"subtype lacks {code}")


def at_least(name, count):
    return lambda r: need(len(r.get(name, [])) >= count, f"{name} has fewer than {count}")


# (profile, element, constraint, clause): IHE ITI BALP 1.1.4, 3:5.7.3 and the StructureDefinition of that name. The client
# is the source of what it creates and the destination of what it reads.
COMMON = [("type", is_rest, "type = rest"), ("recorded", lambda r: need(r.get("recorded"), "recorded"), "recorded 1..1"),
          ("outcome", equals("outcome", "0"), "outcome = 0"), ("agent", at_least("agent", 2), "agent 2.."),
          ("entity", at_least("entity", 1), "entity 1.."), ("entity[data]", data, "data 1..1, type 2, role, what")]
CREATE = COMMON + [("subtype", subtype("create"), "anyCreate 1..1"), ("action", equals("action", "C"), "action = C"),
                   ("agent[client]", end("110153"), "client 1..1 = Source Role ID"),
                   ("agent[server]", end("110152"), "server 1..1 = Destination Role ID"),
                   ("agent[user]", user({"AUT", "INF", "CST"}), "user from DataSources")]
READ = COMMON + [("subtype", subtype("read"), "anyRead"), ("action", equals("action", "R"), "action = R"),
                 ("agent[client]", end("110152"), "client 1..1 = Destination Role ID"),
                 ("agent[server]", end("110153"), "server 1..1 = Source Role ID"),
                 ("agent[user]", user({"IRCP"}), "user = IRCP")]
PATIENT = [("entity", at_least("entity", 2), "entity 2.."), ("entity[patient]", patient, "patient 1..1, type 1, role 1")]
CONSTRAINTS = {"Create": CREATE, "PatientCreate": CREATE + PATIENT, "Read": READ, "PatientRead": READ + PATIENT}


def values(r):
    """The required bindings of R4's AuditEvent."""
    need(r["action"] in set("CRUDE"), "audit-event-action")
    need(r["outcome"] in {"0", "4", "8", "12"}, "audit-event-outcome")
    for agent in r["agent"]:
        need(agent.get("network", {}).get("type", "1") in set("12345"), "network-type")
    for entity in r["entity"]:
        need(not ("name" in entity and "query" in entity), "sev-1")


def fhir_oracle():
    import fhirkit
    from pyfhircheck.config import ValidatorConfig
    from pyfhircheck.core.engine import Validator
    # BALP's profiles are held against the table; no package of them is on the registry.
    checker = Validator(ValidatorConfig(error_on_unknown_profile=False, allow_unknown_extensions=True))
    seen = set()

    def check(message):
        resource = json.loads(message)
        issues = [i for i in checker.validate_resource(resource).issues if str(i.severity).lower().endswith("error")]
        issues += [i for i in fhirkit.validate(message) if str(i).startswith("error")]
        need(not issues, f"R4: {issues[:3]}")
        values(resource)
        for profile in resource["meta"].get("profile", []):
            need(profile.startswith(BALP) and profile[len(BALP):] in CONSTRAINTS, f"{profile} is no pattern")
            for element, holds, constraint in CONSTRAINTS[profile[len(BALP):]]:
                try:
                    holds(resource)
                except (Bad, KeyError) as error:
                    raise Bad(f"{profile[len(BALP):]}, {element}: {constraint}: {error}") from error
            seen.add(profile[len(BALP):])
        entry = [e for e in resource["entity"] if e["what"].get("identifier", {}).get("system") == "urn:radmesh:log-entry"]
        need(len(entry) == 1, "the resource names no log entry")
        return entry[0]["what"]["identifier"]["value"]

    check.seen = seen
    return check


def fhir_broken(message):
    first = json.loads(message)
    ways = [lambda r: r.pop("agent"), lambda r: r.pop("recorded"), lambda r: r.update(recorded="2027-01-15"),
            lambda r: r.update(action="X"), lambda r: r.update(outcome="3"), lambda r: r.update(more=1),
            lambda r: r["agent"][0].pop("requestor"), lambda r: r["source"].pop("observer"), lambda r: r.pop("type"),
            lambda r: r["meta"].update(profile=[BALP + "Read"])]
    for way in ways:
        broken = copy.deepcopy(first)
        way(broken)
        yield json.dumps(broken).encode()


# Frames, rows, lines

def frames(stream):
    while stream:
        length, _, stream = stream.partition(b" ")
        message, stream = stream[:int(length)], stream[int(length):]
        need(len(message) == int(length), "a frame is cut short")
        head, _, rest = message.partition(b"\xef\xbb\xbf")
        fields = head.decode("ascii").split(" ")
        need(len(fields) == 8 and fields[0] in ("<85>1", "<84>1") and fields[5] == "DICOM+RFC3881", f"RFC 5424: {fields}")
        need(len(message) <= 32768, "PS3.15 A.6: longer than a receiver must take")
        yield rest


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file, strict=True)
        head = next(reader)
        for row in reader:
            need(len(row) == len(head), "a row of another length")
            need(not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row), "a formula")
            yield dict(zip(head, row))["entry"]


def messages(form, path):
    if form == "csv":
        yield from rows(path)
        return
    whole = path.read_bytes()
    need(whole.decode("utf-8").count("\0") == 0, "NUL")
    if form == "jsonl":
        for line in whole.splitlines():
            record = json.loads(line)
            need(record["version"] == 1 and len(record["leaf"]) == 64, "no record")
            yield record["entry"]
        return
    all_messages = list(frames(whole)) if form == "syslog" else whole.split(b"\n")[:-1]
    check, broken = (fhir_oracle(), fhir_broken) if form == "fhir" else (xml_oracle(), xml_broken)
    for altered in broken(all_messages[0]):
        try:
            check(altered)
        except Exception:  # noqa: BLE001 - each oracle refuses in its own way
            continue
        raise Bad(f"accepted although broken: {altered[:200]}")
    for message in all_messages:
        yield check(message)
    for name in sorted(getattr(check, "seen", ())):
        print("pattern", name)


def main():
    form, path = sys.argv[1], pathlib.Path(sys.argv[2])
    try:
        entries = list(messages(form, path))
        need(len(set(entries)) == len(entries), "an entry has two messages")
    except Bad as bad:
        sys.exit(f"{form}: {bad}")
    for entry in entries:
        print("entry", entry)
    print(f"{len(entries)} messages accepted")


if __name__ == "__main__":
    main()
