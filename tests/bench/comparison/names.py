"""A name server for the partners: every name is this host, and every SRV record leads to the driver's server."""

import socket
import struct
import threading

A, SRV = 1, 33


def serve(address: str, server: str):
    """Answers for ever, in a thread of its own."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, 53))
    threading.Thread(target=answer_all, args=(listener, server), daemon=True).start()


def answer_all(listener: socket.socket, server: str):
    while True:
        question, asker = listener.recvfrom(4096)
        listener.sendto(answer(question, server), asker)


def answer(question: bytes, server: str) -> bytes:
    end = 12
    labels = []
    while question[end]:
        labels.append(question[end + 1 : end + 1 + question[end]])
        end += 1 + question[end]
    kind = struct.unpack("!H", question[end + 1 : end + 3])[0]
    asked = question[12 : end + 5]
    host, port = server.split(":")
    data = b""
    if kind == A and not labels[0].startswith(b"_"):
        data = socket.inet_aton(host)
    if kind == SRV and labels[0] == b"_xmpp-server":
        name = b"".join(bytes([len(label)]) + label for label in labels[2:]) + b"\0"
        data = struct.pack("!HHH", 0, 5, int(port)) + name
    records = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if data else b""
    # An authoritative answer, that is recursive where it was asked for.
    return question[:2] + struct.pack("!HHHHH", 0x8580, 1, 1 if data else 0, 0, 0) + asked + records
