"""Reads all that a reader's DICOMweb shows, with dicomweb-client and pydicom, and compares it with the files sent.

usage: compare.py URL TOKEN-FILE FOLDER

Every study shown must be in FOLDER, and be shown whole. One line for each difference, and exit code 1 if there is one;
the last line counts what was compared.
"""
import pathlib
import sys
from decimal import Decimal

import pydicom
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRBigEndian

OCTETS = ("application/octet-stream", "1.2.840.10008.1.2.1")
MEDIA = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
}
# What the metadata must say as the file does.
HEADER = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality PatientID PatientName StudyDate "
    "InstanceNumber NumberOfFrames Rows Columns SamplesPerPixel PhotometricInterpretation BitsAllocated BitsStored "
    "PixelRepresentation PixelSpacing ImagePositionPatient RescaleSlope RescaleIntercept"
).split()

differences = 0


def differ(what, where):
    global differences
    differences += 1
    print(f"{what}: {where}")


def expect(got, sent, what, where):
    if got != sent:
        differ(what, where)


def viewer(url, token):
    session = create_session()
    session.headers["Authorization"] = f"Bearer {token}"
    return DICOMwebClient(url, session=session)


def value_of(dataset, keyword):
    """Numbers as numbers: in JSON, "1.50" is 1.5."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    parts = value if isinstance(value, pydicom.multival.MultiValue) else [value]
    return [float(part) if isinstance(part, (int, float, Decimal)) else str(part) for part in parts]


def frames_of(sent):
    """The frames of a file as octets travel: fragments joined, words little-endian."""
    count = int(sent.get("NumberOfFrames") or 1)
    if sent.file_meta.TransferSyntaxUID.is_encapsulated:
        return list(generate_frames(sent.PixelData, number_of_frames=count))
    pixels = sent.PixelData
    if sent.file_meta.TransferSyntaxUID == ExplicitVRBigEndian and sent["PixelData"].VR == "OW":
        pixels = b"".join(pixels[at : at + 2][::-1] for at in range(0, len(pixels), 2))
    bits = sent.Rows * sent.Columns * sent.SamplesPerPixel * sent.BitsAllocated
    if bits % 8 and count > 1:
        raise ValueError("frames that do not begin on a byte")
    length = (bits + 7) // 8
    return [pixels[at * length : (at + 1) * length] for at in range(count)]


def compare_frames(client, sent, where):
    frames = frames_of(sent)
    syntax = str(sent.file_meta.TransferSyntaxUID)
    media = ((MEDIA[syntax], syntax),) if syntax in MEDIA else (OCTETS,)
    uids = (sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)
    numbers = list(range(1, len(frames) + 1))
    got = client.retrieve_instance_frames(*uids, numbers, media_types=media)
    expect(len(got), len(frames), "another number of frames", where)
    for number, (one, other) in enumerate(zip(got, frames), 1):
        expect(one, other, f"frame {number}", where)
    last = client.retrieve_instance_frames(*uids, [len(frames)], media_types=media)
    expect(last, frames[-1:], "the last frame alone", where)
    return len(frames)


def compare_instance(client, sent, shown, metadata, where):
    """`shown`: the instance as retrieved with its study, with its series, and alone."""
    for way, got in shown.items():
        if got is None:
            differ(f"not in its {way}", where)
            continue
        expect(got.get("PixelData"), sent.get("PixelData"), f"pixel data of the {way}", where)
        for keyword in HEADER:
            expect(value_of(got, keyword), value_of(sent, keyword), f"{keyword} of the {way}", where)
    if metadata is None:
        differ("no metadata", where)
    else:
        told = pydicom.Dataset.from_json(metadata, lambda *_: b"")
        for keyword in HEADER:
            expect(value_of(told, keyword), value_of(sent, keyword), f"{keyword} of the metadata", where)
    return compare_frames(client, sent, where) if "PixelData" in sent else 0


def by_uid(datasets):
    return {str(dataset.SOPInstanceUID): dataset for dataset in datasets}


def uids(found, tag):
    return sorted(one[tag]["Value"][0] for one in found)


def compare_study(client, study, files):
    """`files`: path by SOP Instance UID, of this study."""
    sent = {uid: pydicom.dcmread(path) for uid, path in files.items()}
    whole = by_uid(client.retrieve_study(study))
    told = {one["00080018"]["Value"][0]: one for one in client.retrieve_study_metadata(study)}
    expect(sorted(whole), sorted(sent), "other instances", study)
    expect(sorted(told), sorted(sent), "metadata of other instances", study)
    series = sorted({str(one.SeriesInstanceUID) for one in sent.values()})
    expect(uids(client.search_for_series(study), "0020000E"), series, "other series found", study)
    frames = 0
    for name in series:
        of_series = sorted(uid for uid, one in sent.items() if one.SeriesInstanceUID == name)
        found = uids(client.search_for_instances(study, name), "00080018")
        expect(found, of_series, "other instances found", name)
        fetched = by_uid(client.retrieve_series(study, name))
        for uid in of_series:
            alone = client.retrieve_instance(study, name, uid)
            shown = {"study": whole.get(uid), "series": fetched.get(uid), "instance": alone}
            frames += compare_instance(client, sent[uid], shown, told.get(uid), files[uid].name)
    return len(sent), frames


def index(folder):
    """Paths by study and instance."""
    studies = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            head = pydicom.dcmread(path, stop_before_pixels=True)
            studies.setdefault(str(head.StudyInstanceUID), {})[str(head.SOPInstanceUID)] = path
    return studies


def main(url, token, folder):
    client, studies = viewer(url, pathlib.Path(token).read_text().strip()), index(folder)
    instances = frames = 0
    for study in uids(client.search_for_studies(), "0020000D"):
        if study not in studies:
            differ("a study that was not sent", study)
            continue
        found = compare_study(client, study, studies[study])
        instances, frames = instances + found[0], frames + found[1]
    print(f"compared: {instances} instances, {frames} frames")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
