"""Sends files as they are by C-STORE, one association each: no library looks at the data set before the hospital does.

usage: send_raw.py HOST PORT CALLING CALLED FILE...

Prints the status of each in hexadecimal, or `none` where the hospital gave no answer.
"""
import sys

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config

_config.STORE_SEND_CHUNKED_DATASET = True


def send(host, port, calling, called, path):
    meta = read_file_meta_info(path)
    entity = AE(ae_title=calling)
    entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = entity.associate(host, port, ae_title=called)
    if not association.is_established:
        sys.exit(f"{path}: no association")
    status = association.send_c_store(path)
    association.release()
    return f"{status.Status:04x}" if "Status" in status else "none"


if __name__ == "__main__":
    host, port, calling, called, *paths = sys.argv[1:]
    for path in paths:
        print(send(host, int(port), calling, called, path))
