"""A Mosquitto that nobody supervises, as an administrator would run it for an external collector."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hatang_collector.broker import conf, dynsec
from hatang_collector.broker.accounts import Account, collector_account
from hatang_collector.broker.certificates import Authority
from support.servers import Server, free_port
from support.stack import now_ms

USER = "hatang-collector"


class OutsideBroker:
    """TLS, the dynamic-security plugin, and one account that may do what a collector does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._password = secrets.token_hex(16)
        self._server: Server | None = None
        self._authority = Authority(folder / "keys")

    @property
    def settings(self) -> dict[str, str]:
        """What the collector must be told."""
        return {
            "HATANG_BROKER_MODE": "external",
            "HATANG_BROKER_HOST": "127.0.0.1",
            "HATANG_BROKER_PORT": str(self._port),
            "HATANG_BROKER_USERNAME": USER,
            "HATANG_BROKER_PASSWORD_FILE": str(self._folder / "password"),
            "HATANG_BROKER_CA_FILE": str(self._authority.ca_file),
        }

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._server is not None
        assert self._server.process is not None
        return self._server.process.pid

    def start(self) -> None:
        """Write what it reads and start it."""
        self._folder.mkdir(parents=True)
        program = conf.find_program()
        certificate = self._authority.server_certificate(("127.0.0.1",), now_ms())
        account = collector_account(USER, self._password)
        rights = account.acls | dynsec.admin_account(USER, self._password).acls
        document = dynsec.document([Account(USER, self._password, account.role, rights)])
        text = conf.configuration(program, ("127.0.0.1", self._port), free_port())
        files = {
            conf.CERTIFICATE: certificate.chain_pem,
            conf.KEY: certificate.key_pem,
            conf.DYNSEC: document,
            conf.CONFIGURATION: (text + ("user root\n" if os.geteuid() == 0 else "")).encode(),
            "password": self._password.encode(),
        }
        for name, content in files.items():
            (self._folder / name).write_bytes(content)
        argv = ["env", "-C", str(self._folder), str(program.mosquitto), "-c", conf.CONFIGURATION]
        self._server = Server(argv, self._folder, self._port)
        self._server.start()

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.stop()
