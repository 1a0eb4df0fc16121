"""A host that answers echo requests in its own time and leaves some of them unanswered.

``python -m support.echo_host DELAY_MS UNANSWERED`` where UNANSWERED names, of each ten requests, those
without a reply ("37": the fourth and the eighth). The kernel's own replies have to be switched off.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading

from hatang_agent.net.icmp import checksum


def main() -> None:
    """Answer until killed."""
    delay_s, unanswered = float(sys.argv[1]) / 1000, sys.argv[2]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        number = 0
        while True:
            packet, sender = sock.recvfrom(2048)
            icmp = packet[(packet[0] & 0xF) * 4 :]
            if icmp[0] != 8:
                continue
            here = socket.inet_ntoa(packet[16:20])
            if str(number % 10) not in unanswered:
                threading.Timer(delay_s, answer, (here, sender, icmp)).start()
            number += 1


def answer(here: str, sender: tuple[str, int], request: bytes) -> None:
    """The reply to a request, from the address it was sent to."""
    reply = b"\0\0\0\0" + request[4:]
    reply = reply[:2] + struct.pack("!H", checksum(reply)) + reply[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.bind((here, 0))
        sock.sendto(reply, sender)


if __name__ == "__main__":
    main()
